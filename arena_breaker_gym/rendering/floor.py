"""`Floor`: a stage's floor that is being painted: where it lies, its colours, its own chance."""

import zlib
from dataclasses import dataclass

import numpy as np
import pygame

from arena_breaker_gym.rendering.art.canvas import Outline
from arena_breaker_gym.rendering.art.colours import RGB, lit
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.skin import Ground
from arena_breaker_gym.stages.model import Stage


@dataclass(frozen=True)
class Floor:
    """A floor on a fine picture. Points are (x, z) in metres.

    Attributes:
        surface: The fine picture, clipped to the floor.
        camera: From where it is seen.
        stage: Whose floor.
        ground: The skin's texture and measures.
        colour: The floor's colour.
        line: That of lines between its pieces.
        paint: That of lines painted on it.
        generator: Chance of its own: a stage looks alike wherever and whenever it is painted.
    """

    surface: pygame.Surface
    camera: Camera
    stage: Stage
    ground: Ground
    colour: RGB
    line: RGB
    paint: RGB
    generator: np.random.Generator

    @classmethod
    def of(
        cls,
        surface: pygame.Surface,
        stage: Stage,
        ground: Ground,
        camera: Camera,
        *,
        colours: tuple[RGB, RGB, RGB],
    ) -> "Floor":
        """The floor of a stage, bare, in its colour; `colours`: floor, lines, paint."""
        colour, line, paint = colours
        generator = np.random.default_rng(zlib.crc32(stage.name.encode()))
        floor = cls(surface, camera, stage, ground, colour, line, paint, generator)
        surface.fill(colour, floor.area)
        return floor

    @property
    def right(self) -> float:
        """It spans -right to right along x."""
        return self.stage.size.width / 2

    @property
    def down(self) -> float:
        """It spans -down to down along z."""
        return self.stage.size.depth / 2

    @property
    def area(self) -> pygame.Rect:
        """Where it lies in the fine picture."""
        left, top = self.camera.project(-self.right, -self.down)
        right, bottom = self.camera.project(self.right, self.down)
        return pygame.Rect(round(left), round(top), round(right - left), round(bottom - top))

    def shade(self) -> RGB:
        """The floor's colour, a little lighter or darker by chance."""
        light = 1.0 + self.ground.mottle * (2.0 * self.generator.random() - 1.0)
        return lit(self.colour, light)

    def fine(self, metres: float) -> int:
        """A length in fine pixels, at least one."""
        return max(1, round(metres * self.camera.scale))

    def place(self) -> tuple[float, float]:
        """A point of the floor by chance."""
        x = self.generator.uniform(-self.right, self.right)
        return x, self.generator.uniform(-self.down, self.down)

    def polygon(self, colour: RGB, points: Outline, width: int = 0) -> None:
        """A shape lying on the floor, or its outline so many fine pixels wide."""
        corners = [self.camera.project(x, z) for x, z in points]
        pygame.draw.polygon(self.surface, colour, corners, width)

    def lines(self, colour: RGB, points: Outline, width: float, *, closed: bool = False) -> None:
        """A line through points, metres wide."""
        ends = [self.camera.project(x, z) for x, z in points]
        pygame.draw.lines(self.surface, colour, closed, ends, self.fine(width))

    def layer(self) -> "Floor":
        """The same floor with a picture of its own over it, clear; `lay` puts it down."""
        clear = pygame.Surface(self.area.size, pygame.SRCALPHA)
        camera = self.camera
        moved = Camera(
            camera.size,
            camera.scale,
            camera.centre_x - self.area.left,
            camera.centre_y - self.area.top,
        )
        return Floor(
            clear,
            moved,
            self.stage,
            self.ground,
            self.colour,
            self.line,
            self.paint,
            self.generator,
        )

    def lay(self, layer: "Floor", strength: float) -> None:
        """Lays a layer over this floor, that opaque (0 to 1)."""
        layer.surface.set_alpha(round(255 * strength))
        self.surface.blit(layer.surface, self.area)

    def cloud(self, grain: float, *, least: float) -> pygame.Surface:
        """White, opaque by chance from `least` (0 to 1) to 1; `grain`: metres between chances."""
        columns = max(2, round(2.0 * self.right / grain))
        rows = max(2, round(2.0 * self.down / grain))
        small = pygame.Surface((columns, rows), pygame.SRCALPHA)
        small.fill((255, 255, 255))
        alpha = pygame.surfarray.pixels_alpha(small)
        alpha[:] = np.rint(255.0 * self.generator.uniform(least, 1.0, alpha.shape))
        del alpha  # it locks the surface
        return pygame.transform.smoothscale(small, self.area.size)
