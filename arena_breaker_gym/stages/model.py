"""The schema of a stage file: what a stage may hold, as frozen pydantic models.

Lengths are metres, times seconds, angles radians from +x towards +z. What needs more than
one place of the file to judge is in `checks`.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from arena_breaker_gym.stages.table import (
    LARGEST_HAZARD,
    MAX_GROUPS,
    MAX_HAZARDS,
    MAX_TRACK_POINTS,
    MAX_WAVES,
    MAX_ZONES,
)

SMALLEST_SIZE, LARGEST_SIZE = 12.0, 32.0  # m, of a floor's side
MAX_ALIVE = 24  # enemies alive at once: the slots of the engine's record
MAX_OBSTACLES = 64
MAX_POLYGON_POINTS = 64

Coordinate = Annotated[float, Field(ge=-LARGEST_SIZE, le=LARGEST_SIZE)]
Point = tuple[Coordinate, Coordinate]
Extent = Annotated[float, Field(ge=0.1, le=LARGEST_SIZE)]
Height = Annotated[float, Field(gt=0.0, le=4.0)]  # for the renderer only
Seconds = Annotated[float, Field(ge=0.0, le=120.0)]
Colour = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
Name = Annotated[str, Field(min_length=1, max_length=40)]


class _Part(BaseModel):
    """A piece of a stage file: immutable, every key known, every number finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Size(_Part):
    """The floor: it spans [-width/2, width/2] along x and [-depth/2, depth/2] along z."""

    width: Annotated[float, Field(ge=SMALLEST_SIZE, le=LARGEST_SIZE)]
    depth: Annotated[float, Field(ge=SMALLEST_SIZE, le=LARGEST_SIZE)]


class Start(_Part):
    """Where the player begins."""

    x: Coordinate
    z: Coordinate


class Palette(_Part):
    """The stage's colours, `#rrggbb`, and how bright it is lit (1.0: as the colours say)."""

    floor: Colour = "#d9d4c3"
    floor_line: Colour = "#c6bfa9"
    wall_top: Colour = "#8f9bb3"
    wall_side: Colour = "#5d6880"
    obstacle_top: Colour = "#b08d62"
    obstacle_side: Colour = "#7d6142"
    paint: Colour = "#ffffff"  # lines painted on the floor
    paving: Literal["court", "plates", "flagstones"] = "court"
    brightness: Annotated[float, Field(ge=0.2, le=1.5)] = 1.0


class Circle(_Part):
    """A round obstacle."""

    shape: Literal["circle"]
    x: Coordinate
    z: Coordinate
    radius: Annotated[float, Field(ge=0.1, le=LARGEST_SIZE / 2)]
    height: Height = 1.2


class Box(_Part):
    """A rectangular obstacle, turned about its middle by `angle`."""

    shape: Literal["box"]
    x: Coordinate
    z: Coordinate
    width: Extent
    depth: Extent
    angle: Annotated[float, Field(ge=-7.0, le=7.0)] = 0.0
    height: Height = 1.2

    def corners(self) -> list[Point]:
        """Its four corners (x, z), in order."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        right, down = self.width / 2, self.depth / 2
        corners = ((-right, -down), (right, -down), (right, down), (-right, down))
        return [(self.x + cos * x - sin * z, self.z + sin * x + cos * z) for x, z in corners]


class Polygon(_Part):
    """An obstacle of any simple outline, concave ones included, wound either way."""

    shape: Literal["polygon"]
    points: Annotated[tuple[Point, ...], Field(min_length=3, max_length=MAX_POLYGON_POINTS)]
    height: Height = 1.2


Obstacle = Annotated[Circle | Box | Polygon, Field(discriminator="shape")]


class Saw(_Part):
    """A blade on a track: there and back again, or round and round if the track is closed."""

    type: Literal["saw"]
    track: Annotated[tuple[Point, ...], Field(min_length=2, max_length=MAX_TRACK_POINTS)]
    closed: bool = False
    speed: Annotated[float, Field(gt=0.0, le=12.0)] = 3.0  # m/s
    radius: Annotated[float, Field(ge=0.2, le=LARGEST_HAZARD)] = 0.85


class Spikes(_Part):
    """A round plate of spikes that cycles down, warn, up, beginning `offset` into the cycle."""

    type: Literal["spikes"]
    x: Coordinate
    z: Coordinate
    radius: Annotated[float, Field(ge=0.2, le=LARGEST_HAZARD)] = 0.9
    down: Annotated[float, Field(ge=0.1, le=60.0)] = 2.0
    warn: Annotated[float, Field(ge=0.1, le=60.0)] = 0.5
    up: Annotated[float, Field(ge=0.1, le=60.0)] = 1.0
    offset: Seconds = 0.0


Hazard = Annotated[Saw | Spikes, Field(discriminator="type")]


class Zone(_Part):
    """A rectangle about (x, z), sides along the axes, in which enemies appear."""

    name: Name
    x: Coordinate
    z: Coordinate
    width: Extent
    depth: Extent


class Group(_Part):
    """Enemies of one type: `count` of them, `delay` after the wave begins, `spacing` apart."""

    type: Literal["swarmer", "shooter", "charger", "splitter", "bomber", "sentinel"]
    count: Annotated[int, Field(ge=1, le=MAX_ALIVE)]
    delay: Seconds = 0.0
    spacing: Seconds = 0.3
    zone: Name


class Wave(_Part):
    """Groups of enemies; the next wave begins when all are dead."""

    groups: Annotated[tuple[Group, ...], Field(min_length=1, max_length=MAX_GROUPS)]


class Stage(_Part):
    """A stage file: an arena and its waves."""

    name: Name
    size: Size
    start: Start
    palette: Palette = Palette()
    obstacles: Annotated[tuple[Obstacle, ...], Field(max_length=MAX_OBSTACLES)] = ()
    hazards: Annotated[tuple[Hazard, ...], Field(max_length=MAX_HAZARDS)] = ()
    zones: Annotated[tuple[Zone, ...], Field(min_length=1, max_length=MAX_ZONES)]
    waves: Annotated[tuple[Wave, ...], Field(min_length=1, max_length=MAX_WAVES)]
