"""Textures of the floor: what a skin may lay there instead of the stage's own paving."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from arena_breaker_gym.rendering.art.canvas import regular
from arena_breaker_gym.rendering.art.colours import lit
from arena_breaker_gym.rendering.floor import Floor
from arena_breaker_gym.rendering.paving import pave

_SPECKLES = 26  # for each square metre of floor


def weave(floor: Floor) -> None:
    """Covers a floor with its skin's texture."""
    _TEXTURES[floor.ground.texture](floor)


def _stroke(floor: Floor, start: tuple[float, float], end: tuple[float, float]) -> None:
    floor.lines(floor.line, [start, end], floor.ground.line)


def _steps(floor: Floor, half: float) -> list[float]:
    """Places from -half to half, a tile apart, one of them in the middle."""
    tile = floor.ground.tile
    most = math.ceil(half / tile)
    return [step * tile for step in range(-most, most + 1)]


def _grid(floor: Floor) -> None:
    for x in _steps(floor, floor.right):
        _stroke(floor, (x, -floor.down), (x, floor.down))
    for z in _steps(floor, floor.down):
        _stroke(floor, (-floor.right, z), (floor.right, z))


def _hexes(floor: Floor) -> None:
    radius = 0.5 * floor.ground.tile
    across, along = math.sqrt(3.0) * radius, 1.5 * radius
    for row in range(math.ceil(2.0 * floor.down / along) + 2):
        for column in range(math.ceil(2.0 * floor.right / across) + 2):
            x = -floor.right + across * (column + 0.5 * (row % 2))
            z = -floor.down + along * row
            corners = [(x + dx, z + dz) for dx, dz in regular(6, radius, math.tau / 12)]
            floor.polygon(floor.shade(), corners)
            floor.polygon(floor.line, corners, floor.fine(floor.ground.line))


def _planks(floor: Floor) -> None:
    wide, long = 0.5 * floor.ground.tile, 4.0 * floor.ground.tile
    for row in range(math.ceil(2.0 * floor.down / wide)):
        z = -floor.down + wide * row
        x = -floor.right - long * floor.generator.random()
        while x < floor.right:
            board = [(x, z), (x + long, z), (x + long, z + wide), (x, z + wide)]
            floor.polygon(floor.shade(), board)
            floor.polygon(floor.line, board, floor.fine(floor.ground.line))
            x += long


def _dots(floor: Floor) -> None:
    for z in _steps(floor, floor.down):
        for x in _steps(floor, floor.right):
            floor.polygon(floor.line, [(x + a, z + b) for a, b in regular(12, floor.ground.line)])


def _stripes(floor: Floor) -> None:
    wide = floor.ground.tile
    dark = lit(floor.colour, 1.0 - floor.ground.mottle)
    for step in range(math.ceil(2.0 * (floor.right + floor.down) / wide)):
        if step % 2:
            x = -floor.right - floor.down + step * wide
            top, bottom = -floor.down, floor.down
            lean = bottom - top
            floor.polygon(
                dark,
                [(x + lean, top), (x + lean + wide, top), (x + wide, bottom), (x, bottom)],
            )


def _speckles(floor: Floor) -> None:
    count = round(_SPECKLES * 4.0 * floor.right * floor.down / floor.ground.tile**2)
    for _ in range(count):
        x = floor.generator.uniform(-floor.right, floor.right)
        z = floor.generator.uniform(-floor.down, floor.down)
        size = floor.generator.uniform(0.04, 0.16) * floor.ground.tile
        blade = [(x + size * a, z + 0.5 * size * b) for a, b in regular(5, 1.0, size * 99.0)]
        floor.polygon(floor.shade(), blade)


def _rings(floor: Floor) -> None:
    reach = math.hypot(floor.right, floor.down)
    for step in range(math.ceil(reach / floor.ground.tile), 0, -1):
        circle = regular(64, step * floor.ground.tile)
        floor.polygon(floor.shade(), circle)
        floor.polygon(floor.line, circle, floor.fine(floor.ground.line))


def _checks(floor: Floor) -> None:
    tile = floor.ground.tile
    dark = lit(floor.colour, 1.0 - floor.ground.mottle)
    for row, z in enumerate(_steps(floor, floor.down)):
        for column, x in enumerate(_steps(floor, floor.right)):
            if (row + column) % 2:
                floor.polygon(dark, [(x, z), (x + tile, z), (x + tile, z + tile), (x, z + tile)])


_TEXTURES: Mapping[str, Callable[[Floor], None]] = MappingProxyType(
    {
        "tiles": pave,
        "grid": _grid,
        "hexes": _hexes,
        "planks": _planks,
        "dots": _dots,
        "stripes": _stripes,
        "speckles": _speckles,
        "rings": _rings,
        "checks": _checks,
    }
)
