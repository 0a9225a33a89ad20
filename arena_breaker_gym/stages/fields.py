"""The stage as pymunk sees it, and what is baked from that: distance field and flow field.

`build_space` is the one place where obstacles become shapes: the checks, the field and the
tests' judge all ask the same space. pymunk's y is our z.

Walks go from cell to cell in eight directions, cut no corner, and keep off the walls.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import pymunk
from numpy.typing import NDArray

from arena_breaker_gym.stages.model import Box, Circle, Corner, Polygon, Stage, triangles_of
from arena_breaker_gym.stages.table import DISTANCE_NODES, FLOW_CELLS

WALL_THICKNESS = 4.0  # m, outwards from the floor's edge

# Distances are rounded to this, so that compilers that differ in a last bit bake one field.
_GRAIN = 2.0**-12  # m, a quarter of a millimetre
_SAMPLES = 4  # surface samples a grid interval
_EVERYTHING = pymunk.ShapeFilter()

Places = NDArray[np.float64]  # (n, 2): x, z

CLEARANCE = 0.5  # m; a cell whose middle is closer to a wall is not walked through
COMFORT = 1.0  # m; closer than that to a wall, a step costs more
CROWDED = 1.5  # times as much

# Steps (column, row) of the directions 0..7, from +x towards +z.
STEPS = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))

_CELLS = FLOW_CELLS**2
_MOVES = np.array([right + FLOW_CELLS * down for right, down in STEPS])  # in cell indices
_NODES = (DISTANCE_NODES - 1) // FLOW_CELLS  # grid intervals of the distance field a cell
_PROBES = np.linspace(0.0, 1.0, 7)  # where a straight way is probed for walls

Field = NDArray[np.float32]
_T = TypeVar("_T", bound=np.generic)


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


def _walls(stage: Stage) -> list[list[Corner]]:
    right, down = stage.size.width / 2, stage.size.depth / 2
    far_right, far_down = right + WALL_THICKNESS, down + WALL_THICKNESS
    return [
        _rectangle(-far_right, -far_down, far_right, -down),
        _rectangle(-far_right, down, far_right, far_down),
        _rectangle(-far_right, -far_down, -right, far_down),
        _rectangle(right, -far_down, far_right, far_down),
    ]


def _rectangle(left: float, top: float, right: float, bottom: float) -> list[Corner]:
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


def bake_flow(distance: Field, *, width: float, depth: float) -> NDArray[np.int8]:
    """Directions of the first steps of all shortest walks.

    A cell too close to a wall to walk through (a margin) is left for the nearest walkable
    one, and reached from those next to it.

    Args:
        distance: (193, 193) metres to the nearest wall.
        width: Of the floor, along x.
        depth: Of the floor, along z.

    Returns:
        (1024, 1024) int8, target by cell; see `flow` in `table.STAGE`.
    """
    size = np.array([width, depth]) / FLOW_CELLS
    edges = _edges(distance, size)
    flow = _first_steps(_all_lengths(walkable_cells(distance), edges), edges)
    _join_margins(flow, distance, size)
    return flow


def walkable_cells(distance: Field) -> NDArray[np.bool_]:
    """Whether each cell (row, column) may be walked through, (32, 32)."""
    return _middles(distance) >= CLEARANCE


def _middles(distance: Field) -> Field:
    return distance[_NODES // 2 :: _NODES, _NODES // 2 :: _NODES]


def _edges(distance: Field, size: NDArray[np.float64]) -> Field:
    """Cost of a step in each direction from each cell, infinite where barred, (8, 32, 32)."""
    walkable = walkable_cells(distance)
    weight = np.where(_middles(distance) < COMFORT, CROWDED, 1.0).astype(np.float32)
    edges = np.full((8, FLOW_CELLS, FLOW_CELLS), np.inf, np.float32)
    for edge, (right, down) in zip(edges, STEPS, strict=True):
        free = walkable & _shifted(walkable, right, down, beyond=False)
        free &= _shifted(walkable, right, 0, beyond=False)
        free &= _shifted(walkable, 0, down, beyond=False)
        mean = 0.5 * (weight + _shifted(weight, right, down, beyond=1.0))
        edge[free] = mean[free] * math.sqrt((right * size[0]) ** 2 + (down * size[1]) ** 2)
    return edges


def _shifted(values: NDArray[_T], right: int, down: int, *, beyond: float) -> NDArray[_T]:
    """What each cell's neighbour in that direction holds, over the first two axes."""
    shifted = np.full_like(values, beyond)
    rows, columns = values.shape[:2]
    shifted[max(-down, 0) : rows - max(down, 0), max(-right, 0) : columns - max(right, 0)] = values[
        max(down, 0) : rows + min(down, 0), max(right, 0) : columns + min(right, 0)
    ]
    return shifted


def _all_lengths(walkable: NDArray[np.bool_], edges: Field) -> Field:
    """Length of a shortest walk from each cell to each target, (row, column, target)."""
    table = np.full((_CELLS, _CELLS), np.inf, np.float32)
    np.fill_diagonal(table, np.where(walkable.ravel(), 0.0, np.inf))
    lengths = table.reshape(FLOW_CELLS, FLOW_CELLS, _CELLS)
    before = np.empty_like(lengths)
    while not np.array_equal(before, lengths):
        before[:] = lengths
        for edge, (right, down) in zip(edges, STEPS, strict=True):
            onward = _shifted(lengths, right, down, beyond=np.inf)
            np.minimum(lengths, edge[:, :, None] + onward, out=lengths)
    return lengths


def _first_steps(lengths: Field, edges: Field) -> NDArray[np.int8]:
    """The direction in which each walk is shortest, the lowest of equals, (target, cell)."""
    best = np.full_like(lengths, np.inf)
    steps = np.full(lengths.shape, -1, np.int8)
    for direction, (right, down) in enumerate(STEPS):
        total = edges[direction][:, :, None] + _shifted(lengths, right, down, beyond=np.inf)
        steps[total < best] = direction
        np.minimum(best, total, out=best)
    steps[lengths == 0.0] = -1
    return np.ascontiguousarray(steps.reshape(_CELLS, _CELLS).T)


def _join_margins(flow: NDArray[np.int8], distance: Field, size: NDArray[np.float64]) -> None:
    """Fills in the cells that are not walkable, as starts and as targets."""
    walkable = walkable_cells(distance).ravel()
    if not walkable.any():
        return
    spans = _spans(distance, size)
    steps, exits = _ways_out(spans, walkable, size)
    reached = (flow >= 0) | np.eye(_CELLS, dtype=bool)
    joined = reached[np.ix_(exits, exits)]
    margins = np.flatnonzero(~walkable)
    flow[margins] = flow[exits[margins]]
    flow[:, margins] = np.where(joined[:, margins], steps[margins], -1)
    # Next door to a margin, the walk is a step straight across, whichever way it came.
    directions, cells = np.nonzero(np.isfinite(spans))
    neighbours = cells + _MOVES[directions]
    beside = ~(walkable[cells] & walkable[neighbours])
    flow[neighbours[beside], cells[beside]] = directions[beside]
    np.fill_diagonal(flow, -1)


def _ways_out(
    spans: NDArray[np.float64], walkable: NDArray[np.bool_], size: NDArray[np.float64]
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """For each cell, the first step to the nearest walkable one, and that cell, (1024,) each."""
    cells = np.arange(_CELLS)
    neighbours = np.clip(cells + _MOVES[:, None], 0, _CELLS - 1)
    spans = np.where(walkable[neighbours], spans, np.inf)
    steps = spans.argmin(axis=0)
    exits = np.where(walkable, cells, neighbours[steps, cells])
    shut = np.flatnonzero(~walkable & ~np.isfinite(spans.min(axis=0)))
    exits[shut], steps[shut] = _nearest_walkable(shut, walkable, size)
    return steps.astype(np.int8), exits


def _spans(distance: Field, size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Metres straight to each neighbour, infinite if a wall stands between, (8, 1024)."""
    rows, columns = np.indices((FLOW_CELLS, FLOW_CELLS))
    middles = np.stack([columns, rows], axis=-1) + 0.5
    places = np.where(walkable_cells(distance)[..., None], middles, _open_places(distance))
    spans = np.full((8, FLOW_CELLS, FLOW_CELLS), np.inf)
    for span, (right, down) in zip(spans, STEPS, strict=True):
        goal = _shifted(places, right, down, beyond=np.nan)
        free = np.isfinite(goal[..., 0])
        free[free] = _is_clear(distance, places[free], goal[free])
        span[free] = np.hypot(*((goal - places)[free] * size).T)
    return spans.reshape(8, _CELLS)


def _open_places(distance: Field) -> NDArray[np.float64]:
    """The place (x, z) in each cell, counted in cells, that is farthest from walls, (32, 32, 2)."""
    blocks = np.lib.stride_tricks.sliding_window_view(distance, (_NODES + 1, _NODES + 1))
    blocks = blocks[::_NODES, ::_NODES].reshape(FLOW_CELLS, FLOW_CELLS, -1)
    down, right = np.divmod(blocks.argmax(axis=-1), _NODES + 1)
    rows, columns = np.indices((FLOW_CELLS, FLOW_CELLS))
    return np.stack([columns + right / _NODES, rows + down / _NODES], axis=-1)


def _is_clear(
    distance: Field, start: NDArray[np.float64], goal: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether no wall stands between two places (…, 2), counted in cells."""
    way = start[..., None, :] + (goal - start)[..., None, :] * _PROBES[:, None]
    nodes = np.clip(np.round(way * _NODES).astype(np.int64), 0, DISTANCE_NODES - 1)
    clear: NDArray[np.bool_] = np.all(distance[nodes[..., 1], nodes[..., 0]] > 0.0, axis=-1)
    return clear


def _nearest_walkable(
    cells: NDArray[np.int64], walkable: NDArray[np.bool_], size: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The walkable cell nearest to each of some cells as the crow flies, and the step there."""
    goals = np.flatnonzero(walkable)
    right = goals % FLOW_CELLS - cells[:, None] % FLOW_CELLS
    down = goals // FLOW_CELLS - cells[:, None] // FLOW_CELLS
    nearest = ((right * size[0]) ** 2 + (down * size[1]) ** 2).argmin(axis=1)
    rows = np.arange(len(cells))
    towards = np.sign(np.stack([right[rows, nearest], down[rows, nearest]], axis=-1))
    steps = (towards[:, None] == np.array(STEPS)).all(axis=-1).argmax(axis=-1)
    return goals[nearest], steps
