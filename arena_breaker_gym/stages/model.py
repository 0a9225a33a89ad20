"""What a stage may hold, as frozen pydantic models; `read_stage`; outlines, cut into triangles.

Lengths are metres, times seconds, angles radians from +x towards +z. What needs more than
one place of the file to judge is in `checks`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from arena_breaker_gym._runtime.json_file import Fault, FileError, faults_of, json_of
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
AlongX = Annotated[Coordinate, Field(description="m from the floor's middle, rightwards")]
AlongZ = Annotated[
    Coordinate, Field(description="m from the floor's middle, towards the viewer (down)")
]
Point = tuple[Coordinate, Coordinate]
Extent = Annotated[float, Field(ge=0.1, le=LARGEST_SIZE)]
Height = Annotated[float, Field(gt=0.0, le=4.0, description="m, for the eye only")]
Seconds = Annotated[float, Field(ge=0.0, le=120.0)]
Colour = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
Name = Annotated[str, Field(min_length=1, max_length=40)]
Track = Annotated[tuple[Point, ...], Field(min_length=2, max_length=MAX_TRACK_POINTS)]

Corner = tuple[float, float]


class _Part(BaseModel):
    """A piece of a stage file: immutable, every key known, every number finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


_SIDE = Field(ge=SMALLEST_SIZE, le=LARGEST_SIZE)


class Size(_Part):
    """The floor: it spans [-width/2, width/2] along x and [-depth/2, depth/2] along z."""

    width: Annotated[float, _SIDE] = Field(description="m along x")
    depth: Annotated[float, _SIDE] = Field(description="m along z")


class Start(_Part):
    """Where the player begins."""

    x: AlongX
    z: AlongZ


class Palette(_Part):
    """The stage's colours, `#rrggbb`, and how bright it is lit (1.0: as the colours say)."""

    floor: Colour = Field(default="#d9d4c3", description="the floor")
    floor_line: Colour = Field(default="#c6bfa9", description="the seams of the paving")
    wall_top: Colour = Field(default="#8f9bb3", description="tops of the outer wall")
    wall_side: Colour = Field(default="#5d6880", description="fronts of the outer wall")
    obstacle_top: Colour = Field(default="#b08d62", description="tops of obstacles")
    obstacle_side: Colour = Field(default="#7d6142", description="fronts of obstacles")
    paint: Colour = Field(default="#ffffff", description="lines painted on the floor")
    paving: Literal["court", "plates", "flagstones"] = Field(
        default="court", description="pattern of the floor, where the skin does not bring its own"
    )
    brightness: Annotated[float, Field(ge=0.2, le=1.5)] = Field(
        default=1.0, description="factor on all these colours"
    )


class Circle(_Part):
    """A round obstacle."""

    shape: Literal["circle"] = Field(description="which kind of obstacle this is")
    x: AlongX
    z: AlongZ
    radius: Annotated[float, Field(ge=0.1, le=LARGEST_SIZE / 2)] = Field(
        description="m from its middle to its rim"
    )
    height: Height = 1.2


class Box(_Part):
    """A rectangular obstacle, turned about its middle by `angle`."""

    shape: Literal["box"] = Field(description="which kind of obstacle this is")
    x: AlongX
    z: AlongZ
    width: Extent = Field(description="m along x, before it is turned")
    depth: Extent = Field(description="m along z, before it is turned")
    angle: Annotated[float, Field(ge=-7.0, le=7.0)] = Field(
        default=0.0, description="radians from +x towards +z (clockwise as seen on the screen)"
    )
    height: Height = 1.2

    def corners(self) -> list[Point]:
        """Its four corners (x, z), in order."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        right, down = self.width / 2, self.depth / 2
        corners = ((-right, -down), (right, -down), (right, down), (-right, down))
        return [(self.x + cos * x - sin * z, self.z + sin * x + cos * z) for x, z in corners]


class Polygon(_Part):
    """An obstacle of any simple outline, concave ones included, wound either way."""

    shape: Literal["polygon"] = Field(description="which kind of obstacle this is")
    points: Annotated[tuple[Point, ...], Field(min_length=3, max_length=MAX_POLYGON_POINTS)] = (
        Field(description="corners [x, z] in m; the last joins the first by itself")
    )
    height: Height = 1.2


Obstacle = Annotated[Circle | Box | Polygon, Field(discriminator="shape")]


class Saw(_Part):
    """A blade on a track: there and back again, or round and round if the track is closed."""

    type: Literal["saw"] = Field(description="which kind of hazard this is")
    track: Track = Field(description="corners [x, z] in m, in the order of travel")
    closed: bool = Field(
        default=False,
        description="from the last corner straight on to the first, instead of back again",
    )
    speed: Annotated[float, Field(gt=0.0, le=12.0)] = Field(default=3.0, description="m/s")
    radius: Annotated[float, Field(ge=0.2, le=LARGEST_HAZARD)] = Field(
        default=0.85, description="m from its middle to its rim"
    )


_PHASE = Field(ge=0.1, le=60.0)


class Spikes(_Part):
    """A round plate of spikes that cycles down, warn, up, beginning `offset` into the cycle."""

    type: Literal["spikes"] = Field(description="which kind of hazard this is")
    x: AlongX
    z: AlongZ
    radius: Annotated[float, Field(ge=0.2, le=LARGEST_HAZARD)] = Field(
        default=0.9, description="m from its middle to its rim"
    )
    down: Annotated[float, _PHASE] = Field(default=2.0, description="s that they hide")
    warn: Annotated[float, _PHASE] = Field(
        default=0.5, description="s that they announce themselves"
    )
    up: Annotated[float, _PHASE] = Field(default=1.0, description="s that they hurt")
    offset: Seconds = Field(default=0.0, description="s into the cycle when the stage begins")


Hazard = Annotated[Saw | Spikes, Field(discriminator="type")]


class Zone(_Part):
    """A rectangle about (x, z), sides along the axes, in which enemies appear."""

    name: Name = Field(description="what waves' groups call it")
    x: AlongX
    z: AlongZ
    width: Extent = Field(description="m along x")
    depth: Extent = Field(description="m along z")


class Group(_Part):
    """Enemies of one type: `count` of them, `delay` after the wave begins, `spacing` apart."""

    type: Literal["swarmer", "shooter", "charger", "splitter", "bomber", "sentinel"] = Field(
        description="which enemy"
    )
    count: Annotated[int, Field(ge=1, le=MAX_ALIVE)] = Field(description="how many enemies")
    delay: Seconds = Field(
        default=0.0, description="s from the wave's beginning to the first of them"
    )
    spacing: Seconds = Field(default=0.3, description="s from one of them to the next")
    zone: Name = Field(description="name of the zone in which they appear")


class Wave(_Part):
    """Groups of enemies; the next wave begins when all are dead."""

    groups: Annotated[tuple[Group, ...], Field(min_length=1, max_length=MAX_GROUPS)] = Field(
        description=f"enemies; at most {MAX_ALIVE} may be alive at once, a splitter counts as 3"
    )


class Stage(_Part):
    """A stage file: an arena and its waves."""

    name: Name = Field(description="what people call the stage")
    size: Size = Field(description="the floor's sides")
    start: Start = Field(description="where the player begins, clear of everything")
    palette: Palette = Field(default=Palette(), description="colours, where the skin leaves them")
    obstacles: Annotated[tuple[Obstacle, ...], Field(max_length=MAX_OBSTACLES)] = Field(
        default=(), description="what stands on the floor: circles, boxes, polygons"
    )
    hazards: Annotated[tuple[Hazard, ...], Field(max_length=MAX_HAZARDS)] = Field(
        default=(), description="saws and spikes"
    )
    zones: Annotated[tuple[Zone, ...], Field(min_length=1, max_length=MAX_ZONES)] = Field(
        description="where enemies appear, each joined to the start on foot"
    )
    waves: Annotated[tuple[Wave, ...], Field(min_length=1, max_length=MAX_WAVES)] = Field(
        description="enemies in the order in which they come; after the last, the next stage"
    )


class StageError(FileError):
    """A stage file cannot be used; the message says which, where in it, and what was expected."""


def read_stage(text: bytes, *, file: str) -> Stage:
    """Reads the JSON text of a stage.

    Args:
        text: What the file holds, UTF-8.
        file: The file's name, for the error.

    Returns:
        The stage; `checks` says whether it can also be played.

    Raises:
        StageError: The text is not JSON, or not a stage.
    """
    plain = json_of(text)
    if isinstance(plain, Fault):
        raise StageError(file, [plain])
    try:
        # As JSON, not as Python's values: its lists are to become tuples, and nothing else.
        return Stage.model_validate_json(to_json(plain, inf_nan_mode="constants"))
    except ValidationError as error:
        raise StageError(file, faults_of(error, Stage)) from None


def edges_of(outline: Sequence[Corner]) -> list[tuple[Corner, Corner]]:
    """The edges in order, the last one back to the first corner."""
    return list(zip(outline, [*outline[1:], outline[0]], strict=True))


def area_of(outline: Sequence[Corner]) -> float:
    """Signed area, positive when wound from +x towards +z."""
    return 0.5 * sum(ax * bz - bx * az for (ax, az), (bx, bz) in edges_of(outline))


def crossing_edges(outline: Sequence[Corner]) -> tuple[int, int] | None:
    """The first two edges that meet anywhere but in the corner between neighbours, by index."""
    edges = edges_of(outline)
    for first, second in combinations(range(len(edges)), 2):
        if second - first == 1 or (first, second) == (0, len(edges) - 1):
            if _folds_back(edges, first, second):
                return first, second
        elif _meet(edges[first], edges[second]):
            return first, second
    return None


def triangles_of(outline: Sequence[Corner]) -> list[list[Corner]]:
    """Cuts a simple outline, wound either way, into triangles by clipping its ears.

    Chipmunk has a convex decomposition of its own, but that crashes the process on some
    simple outlines.
    """
    corners = list(outline) if area_of(outline) > 0.0 else list(reversed(outline))
    triangles = []
    while len(corners) > 3:
        index = _ear(corners)
        before, corner, after = corners[index - 1], corners[index], _after(corners, index)
        if _side(before, corner, after) > 0.0:  # else a corner on a straight edge, which goes too
            triangles.append([before, corner, after])
        del corners[index]
    return [*triangles, corners]


def _ear(corners: list[Corner]) -> int:
    """Index of a corner that can be cut off without touching the rest of the outline."""
    turns = [
        _side(corners[index - 1], corner, _after(corners, index))
        for index, corner in enumerate(corners)
    ]
    for index, turn in enumerate(turns):
        if turn == 0.0 or (turn > 0.0 and _is_free(corners, index)):
            return index
    # Only rounding leaves no ear; the flattest corner is then as thin as the rounding.
    return min(range(len(turns)), key=lambda index: abs(turns[index]))


def _is_free(corners: list[Corner], index: int) -> bool:
    """Whether the triangle of a corner and its neighbours holds no other corner."""
    a, b, c = corners[index - 1], corners[index], _after(corners, index)
    return not any(
        _side(a, b, point) >= 0.0 and _side(b, c, point) >= 0.0 and _side(c, a, point) >= 0.0
        for point in corners
        if point not in (a, b, c)
    )


def _after(corners: list[Corner], index: int) -> Corner:
    return corners[(index + 1) % len(corners)]


def _folds_back(edges: list[tuple[Corner, Corner]], first: int, second: int) -> bool:
    """Whether two neighbouring edges lie on each other."""
    if second - first != 1:
        first, second = second, first
    (before, corner), (_, after) = edges[first], edges[second]
    ahead = (after[0] - corner[0]) * (corner[0] - before[0])
    ahead += (after[1] - corner[1]) * (corner[1] - before[1])
    return _side(before, corner, after) == 0.0 and ahead < 0.0


def _meet(one: tuple[Corner, Corner], other: tuple[Corner, Corner]) -> bool:
    (a, b), (c, d) = one, other
    sides = _side(a, b, c), _side(a, b, d), _side(c, d, a), _side(c, d, b)
    if sides[0] * sides[1] > 0.0 or sides[2] * sides[3] > 0.0:
        return False
    if any(side != 0.0 for side in sides):
        return True
    # All four in one line: they meet if their boxes do.
    return all(
        max(min(a[axis], b[axis]), min(c[axis], d[axis]))
        <= min(max(a[axis], b[axis]), max(c[axis], d[axis]))
        for axis in (0, 1)
    )


def _side(a: Corner, b: Corner, point: Corner) -> float:
    """Which side of the line through a and b a point lies on: the sign; 0 on the line."""
    return (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])
