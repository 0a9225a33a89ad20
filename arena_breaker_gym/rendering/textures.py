"""Textures of the floor: what a skin may lay there instead of tiles."""

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pygame

from arena_breaker_gym.rendering.art.canvas import regular
from arena_breaker_gym.rendering.art.colours import RGB, lit
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.skins import Ground
from arena_breaker_gym.stages.model import Stage

_SPECKLES = 26  # for each square metre of floor


@dataclass(frozen=True)
class _Loom:
    """A floor to be covered."""

    surface: pygame.Surface
    camera: Camera
    right: float
    down: float
    ground: Ground
    floor: RGB
    line: RGB
    generator: np.random.Generator

    def shade(self) -> RGB:
        """The floor's colour, a little lighter or darker by chance."""
        light = 1.0 + self.ground.mottle * (2.0 * self.generator.random() - 1.0)
        return lit(self.floor, light)

    def width(self) -> int:
        """Fine pixels of a line."""
        return max(1, round(self.ground.line * self.camera.scale))

    def polygon(self, colour: RGB, points: list[tuple[float, float]], width: int = 0) -> None:
        """A shape lying on the floor, its corners in metres."""
        corners = [self.camera.project(x, z) for x, z in points]
        pygame.draw.polygon(self.surface, colour, corners, width)

    def stroke(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """A line on the floor, metres."""
        ends = (self.camera.project(*start), self.camera.project(*end))
        pygame.draw.line(self.surface, self.line, *ends, self.width())

    def steps(self, half: float) -> list[float]:
        """Places from -half to half, a tile apart, one of them in the middle."""
        tile = self.ground.tile
        most = math.ceil(half / tile)
        return [step * tile for step in range(-most, most + 1)]


def weave(
    surface: pygame.Surface, stage: Stage, ground: Ground, camera: Camera, *, floor: RGB, line: RGB
) -> None:
    """Covers a stage's floor with a skin's texture.

    The same stage looks alike wherever and whenever it is painted.

    Args:
        surface: Fine picture that shows the bare floor.
        stage: Whose floor.
        ground: The texture and its measures.
        camera: From where the fine picture is seen.
        floor: The floor's colour.
        line: That of lines on it.
    """
    right, down = stage.size.width / 2, stage.size.depth / 2
    generator = np.random.default_rng(zlib.crc32(stage.name.encode()))
    loom = _Loom(surface, camera, right, down, ground, floor, line, generator)
    left_top, right_bottom = camera.project(-right, -down), camera.project(right, down)
    size = [far - near for near, far in zip(left_top, right_bottom, strict=True)]
    surface.set_clip(pygame.Rect(*map(round, (*left_top, *size))))
    _TEXTURES[ground.texture](loom)
    surface.set_clip(None)


def _grid(loom: _Loom) -> None:
    for x in loom.steps(loom.right):
        loom.stroke((x, -loom.down), (x, loom.down))
    for z in loom.steps(loom.down):
        loom.stroke((-loom.right, z), (loom.right, z))


def _hexes(loom: _Loom) -> None:
    radius = 0.5 * loom.ground.tile
    across, along = math.sqrt(3.0) * radius, 1.5 * radius
    for row in range(math.ceil(2.0 * loom.down / along) + 2):
        for column in range(math.ceil(2.0 * loom.right / across) + 2):
            x = -loom.right + across * (column + 0.5 * (row % 2))
            z = -loom.down + along * row
            corners = [(x + dx, z + dz) for dx, dz in regular(6, radius, math.tau / 12)]
            loom.polygon(loom.shade(), corners)
            loom.polygon(loom.line, corners, loom.width())


def _planks(loom: _Loom) -> None:
    wide, long = 0.5 * loom.ground.tile, 4.0 * loom.ground.tile
    for row in range(math.ceil(2.0 * loom.down / wide)):
        z = -loom.down + wide * row
        x = -loom.right - long * loom.generator.random()
        while x < loom.right:
            board = [(x, z), (x + long, z), (x + long, z + wide), (x, z + wide)]
            loom.polygon(loom.shade(), board)
            loom.polygon(loom.line, board, loom.width())
            x += long


def _dots(loom: _Loom) -> None:
    for z in loom.steps(loom.down):
        for x in loom.steps(loom.right):
            loom.polygon(loom.line, [(x + a, z + b) for a, b in regular(12, loom.ground.line)])


def _stripes(loom: _Loom) -> None:
    wide = loom.ground.tile
    dark = lit(loom.floor, 1.0 - loom.ground.mottle)
    for step in range(math.ceil(2.0 * (loom.right + loom.down) / wide)):
        if step % 2:
            x = -loom.right - loom.down + step * wide
            top, bottom = -loom.down, loom.down
            lean = bottom - top
            loom.polygon(
                dark,
                [(x + lean, top), (x + lean + wide, top), (x + wide, bottom), (x, bottom)],
            )


def _speckles(loom: _Loom) -> None:
    count = round(_SPECKLES * 4.0 * loom.right * loom.down / loom.ground.tile**2)
    for _ in range(count):
        x = loom.generator.uniform(-loom.right, loom.right)
        z = loom.generator.uniform(-loom.down, loom.down)
        size = loom.generator.uniform(0.04, 0.16) * loom.ground.tile
        blade = [(x + size * a, z + 0.5 * size * b) for a, b in regular(5, 1.0, size * 99.0)]
        loom.polygon(loom.shade(), blade)


def _rings(loom: _Loom) -> None:
    reach = math.hypot(loom.right, loom.down)
    for step in range(math.ceil(reach / loom.ground.tile), 0, -1):
        circle = regular(64, step * loom.ground.tile)
        loom.polygon(loom.shade(), circle)
        loom.polygon(loom.line, circle, loom.width())


def _checks(loom: _Loom) -> None:
    tile = loom.ground.tile
    dark = lit(loom.floor, 1.0 - loom.ground.mottle)
    for row, z in enumerate(loom.steps(loom.down)):
        for column, x in enumerate(loom.steps(loom.right)):
            if (row + column) % 2:
                loom.polygon(dark, [(x, z), (x + tile, z), (x + tile, z + tile), (x, z + tile)])


_TEXTURES: Mapping[str, Callable[[_Loom], None]] = MappingProxyType(
    {
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
