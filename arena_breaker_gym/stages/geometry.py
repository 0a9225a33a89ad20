"""The stage as pymunk sees it, and the signed-distance field baked from that.

`build_space` is the one place where obstacles become shapes: the checks, the field and the
tests' judge all ask the same space. pymunk's y is our z.
"""

from __future__ import annotations

import math

import numpy as np
import pymunk
from numpy.typing import NDArray

from arena_breaker_gym.stages.model import Box, Circle, Polygon, Stage
from arena_breaker_gym.stages.outline import Point, triangles_of
from arena_breaker_gym.stages.table import DISTANCE_NODES

WALL_THICKNESS = 4.0  # m, outwards from the floor's edge

# Distances are rounded to this, so that compilers that differ in a last bit bake one field.
_GRAIN = 2.0**-12  # m, a quarter of a millimetre
_SAMPLES = 4  # surface samples a grid interval
_EVERYTHING = pymunk.ShapeFilter()

Places = NDArray[np.float64]  # (n, 2): x, z


def build_space(stage: Stage) -> pymunk.Space:
    """The stage's outer walls and obstacles as static shapes.

    Args:
        stage: A stage whose polygons are simple.

    Returns:
        A space that is never stepped. Each shape's `obstacle` attribute is the index of its
        obstacle in the stage, -1 for an outer wall.
    """
    space = pymunk.Space()
    for wall in _walls(stage):
        _add(space, pymunk.Poly(space.static_body, wall), -1)
    for index, obstacle in enumerate(stage.obstacles):
        for shape in _shapes(space.static_body, obstacle):
            _add(space, shape, index)
    return space


def _add(space: pymunk.Space, shape: pymunk.Shape, obstacle: int) -> None:
    shape.obstacle = obstacle
    space.add(shape)


def _walls(stage: Stage) -> list[list[Point]]:
    right, down = stage.size.width / 2, stage.size.depth / 2
    far_right, far_down = right + WALL_THICKNESS, down + WALL_THICKNESS
    return [
        _rectangle(-far_right, -far_down, far_right, -down),
        _rectangle(-far_right, down, far_right, far_down),
        _rectangle(-far_right, -far_down, -right, far_down),
        _rectangle(right, -far_down, far_right, far_down),
    ]


def _rectangle(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _shapes(body: pymunk.Body, obstacle: Circle | Box | Polygon) -> list[pymunk.Shape]:
    if isinstance(obstacle, Circle):
        return [pymunk.Circle(body, obstacle.radius, (obstacle.x, obstacle.z))]
    if isinstance(obstacle, Box):
        return [pymunk.Poly(body, obstacle.corners())]
    return [pymunk.Poly(body, piece) for piece in triangles_of(obstacle.points)]


def bake_distance(stage: Stage, space: pymunk.Space) -> NDArray[np.float32]:
    """Measures how far every node of the grid is from the nearest wall or obstacle.

    Args:
        stage: A stage that passed its checks.
        space: What `build_space` made of it.

    Returns:
        (193, 193) metres, negative inside; see `distance` in `table.STAGE`.
    """
    xs = np.linspace(-stage.size.width / 2, stage.size.width / 2, DISTANCE_NODES)
    zs = np.linspace(-stage.size.depth / 2, stage.size.depth / 2, DISTANCE_NODES)
    nodes = np.stack(np.meshgrid(xs, zs), axis=-1).reshape(-1, 2)
    interval = np.array([xs[1] - xs[0], zs[1] - zs[0]])
    distance, _ = _nearest_surface(space, nodes)
    inside = distance <= 0.0
    near = nodes[np.abs(distance) < math.hypot(*interval)]
    depth = _depth(nodes[inside], surface=_surface(space, near, interval))
    # Pieces that adjoin hide each other's surface, where pymunk still measures to it. Where
    # a sampled open surface is nowhere near, the node lies at such a seam.
    seam = depth + distance[inside] > interval.max() / _SAMPLES
    distance[inside] = np.where(seam, -depth, distance[inside])
    rounded = np.round(distance / _GRAIN) * _GRAIN + 0.0  # no negative zeros
    return rounded.reshape(DISTANCE_NODES, DISTANCE_NODES).astype(np.float32)


def _nearest_surface(space: pymunk.Space, places: Places) -> tuple[NDArray[np.float64], Places]:
    """Distance (n,) to the nearest shape, negative inside one, and the place (n, 2) there."""
    query = space.point_query_nearest
    table = np.empty((len(places), 3))
    for row, (x, z) in zip(table, places.tolist(), strict=True):
        answer = query((x, z), math.inf, _EVERYTHING)
        assert answer is not None  # the outer walls are always there
        row[:] = answer.distance, *answer.point
    return table[:, 0], table[:, 1:]


def _surface(space: pymunk.Space, near: Places, interval: NDArray[np.float64]) -> Places:
    """Samples (n, 2) of the surface as seen from open floor around nodes (m, 2) close to it."""
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    offsets = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(1, -1, 2) * interval
    distance, surface = _nearest_surface(space, (near[:, None] + offsets).reshape(-1, 2))
    surface = surface[distance > 0.0]
    grain = interval.min() / (2 * _SAMPLES)
    _, first = np.unique(np.round(surface / grain), axis=0, return_index=True)
    return surface[first]


def _depth(inside: Places, *, surface: Places) -> NDArray[np.float64]:
    """Distance (n,) from each place inside an obstacle to the nearest sample of the surface."""
    depth = np.empty(len(inside))
    for start in range(0, len(inside), 256):  # keeps the table of all pairs small
        block = inside[start : start + 256]
        apart = [block[:, None, axis] - surface[None, :, axis] for axis in (0, 1)]
        depth[start : start + 256] = np.sqrt((apart[0] ** 2 + apart[1] ** 2).min(axis=1))
    return depth
