"""What floors are laid with: a stage's own paving, or a skin's texture."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from arena_breaker_gym.rendering.art.canvas import RGB, Outline, lit, mix, regular
from arena_breaker_gym.rendering.floor import Floor

_BEVEL = 0.045  # m, the lit and the dark edge of a piece
_CRACKED = 0.16  # share of flagstones with a crack

_SPECKLES = 26  # for each square metre of floor


def pave(floor: Floor) -> None:
    """Lays a stage's own paving."""
    floor.surface.fill(floor.line, floor.area)
    _PAVINGS[floor.stage.palette.paving](floor)


def _court(floor: Floor) -> None:
    """Large slabs in a running bond; every second course is paler, some slabs are halved."""
    tile = floor.ground.tile
    for row, z in enumerate(_starts(floor.down, tile)):
        x = -floor.right - (0.5 * tile if row % 2 else 0.0)
        while x < floor.right:
            halves = 2 if floor.generator.random() < 0.2 else 1
            for half in range(halves):
                left = x + half * tile / halves
                _piece(floor, left, z, tile / halves, tile, colour=floor.shade())
            x += tile


def _plates(floor: Floor) -> None:
    """Steel plates with rivets; here and there a grating."""
    tile = floor.ground.tile
    for row, z in enumerate(_starts(floor.down, tile)):
        for column, x in enumerate(_starts(floor.right, tile)):
            colour = lit(floor.shade(), 1.0 if (row + column) % 2 else 0.955)
            _piece(floor, x, z, tile, tile, colour=colour)
            if floor.generator.random() < 0.08:
                _grating(floor, x, z, tile)
            else:
                _rivets(floor, x, z, tile, colour=colour)


def _flagstones(floor: Floor) -> None:
    """Courses of stones of many lengths, some of them cracked."""
    course = 0.62 * floor.ground.tile
    for z in _starts(floor.down, course):
        x = -floor.right - course * floor.generator.random()
        while x < floor.right:
            long = course * floor.generator.uniform(0.9, 2.1)
            colour = floor.shade()
            _piece(floor, x, z, long, course, colour=colour)
            if floor.generator.random() < _CRACKED:
                crack(floor, (x + 0.5 * long, z), reach=course, colour=lit(colour, 0.72))
            x += long


def crack(floor: Floor, start: tuple[float, float], *, reach: float, colour: RGB) -> None:
    """A jagged line that wanders away from a place."""
    x, z = start
    angle = floor.generator.uniform(0.25, 0.75) * math.pi
    points = [(x, z)]
    for _ in range(5):
        angle += floor.generator.uniform(-0.8, 0.8)
        x, z = x + 0.2 * reach * math.cos(angle), z + 0.2 * reach * math.sin(angle)
        points.append((x, z))
    floor.lines(colour, points, 0.035)


def _piece(floor: Floor, x: float, z: float, wide: float, deep: float, *, colour: RGB) -> None:
    """One slab: a gap about it, its upper and left edge lit, its others in shade."""
    gap = floor.ground.line / 2
    left, rear, right, front = x + gap, z + gap, x + wide - gap, z + deep - gap
    floor.polygon(lit(colour, 0.94), _rectangle(left, rear, right, front))
    floor.polygon(lit(colour, 1.09), _rectangle(left, rear, right - _BEVEL, front - _BEVEL))
    inner = _rectangle(left + _BEVEL, rear + _BEVEL, right - _BEVEL, front - _BEVEL)
    floor.polygon(colour, inner)


def _rivets(floor: Floor, x: float, z: float, tile: float, *, colour: RGB) -> None:
    inset = 0.2
    for at_x in (x + inset, x + tile - inset):
        for at_z in (z + inset, z + tile - inset):
            floor.polygon(lit(colour, 0.84), _dot(at_x + 0.015, at_z + 0.02, 0.065))
            floor.polygon(lit(colour, 1.12), _dot(at_x, at_z, 0.045))


def _grating(floor: Floor, x: float, z: float, tile: float) -> None:
    dark, frame = lit(floor.colour, 0.66), lit(floor.colour, 0.9)
    floor.polygon(frame, _rectangle(x + 0.3, z + 0.3, x + tile - 0.3, z + tile - 0.3))
    bars = 6
    span = tile - 0.8
    for bar in range(bars):
        rear = z + 0.4 + span * bar / bars
        floor.polygon(
            mix(dark, floor.line, 0.3),
            _rectangle(x + 0.4, rear, x + tile - 0.4, rear + 0.55 * span / bars),
        )


def _starts(half: float, step: float) -> list[float]:
    """Where pieces begin from -half on, until half is passed."""
    return [-half + step * piece for piece in range(math.ceil(2.0 * half / step))]


def _rectangle(left: float, rear: float, right: float, front: float) -> Outline:
    return [(left, rear), (right, rear), (right, front), (left, front)]


def _dot(x: float, z: float, radius: float) -> Outline:
    return [(x + a, z + b) for a, b in regular(10, radius)]


_PAVINGS: Mapping[str, Callable[[Floor], None]] = MappingProxyType(
    {"court": _court, "plates": _plates, "flagstones": _flagstones}
)


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
