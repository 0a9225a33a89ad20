"""The camera: an oblique view from above that shows a whole arena in a square frame."""

import math
from dataclasses import dataclass

# The angle and the walls are our own values: steep enough that little hides behind things,
# flat enough that they have a front.
PITCH = math.radians(62.0)
FORESHORTENING = math.sin(PITCH)  # a metre along z, in metres on the picture
RISE = math.cos(PITCH)  # a metre of height, in metres on the picture

WALL_THICKNESS = 0.5  # m
WALL_HEIGHT = 0.9  # m: the wall behind and those beside the floor
KERB_HEIGHT = 0.25  # m: the front wall, low so that nothing hides behind it
SKIRT_DEPTH = 0.35  # m: how far the outside of the front wall goes down below the floor
_FILLED = 0.985  # share of the frame that the arena may fill


@dataclass(frozen=True)
class Camera:
    """A parallel projection of the arena onto a square frame.

    Attributes:
        size: Side of the frame, pixels.
        scale: Pixels per metre along x.
        centre_x: Column, in pixels, at which x = 0 lies.
        centre_y: Row, in pixels, at which the floor's point z = 0 lies.
    """

    size: int
    scale: float
    centre_x: float
    centre_y: float

    @classmethod
    def over(cls, width: float, depth: float, size: int) -> "Camera":
        """The camera that shows a floor of width × depth metres, outer walls included."""
        across = width + 2 * WALL_THICKNESS
        behind = FORESHORTENING * (depth / 2 + WALL_THICKNESS) + RISE * WALL_HEIGHT
        before = FORESHORTENING * (depth / 2 + WALL_THICKNESS) + RISE * SKIRT_DEPTH
        scale = _FILLED * size / max(across, behind + before)
        return cls(size, scale, size / 2, size / 2 + scale * (behind - before) / 2)

    def project(self, x: float, z: float, height: float = 0.0) -> tuple[float, float]:
        """Where a point appears: (column, row) in pixels, both real numbers."""
        up_and_down = FORESHORTENING * z - RISE * height
        return self.centre_x + self.scale * x, self.centre_y + self.scale * up_and_down
