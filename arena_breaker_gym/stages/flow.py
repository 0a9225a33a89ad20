"""The flow field: from any cell of a stage, the first step of a shortest walk to any other.

Walks go from cell to cell in eight directions, cut no corner, and keep off the walls.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.stages.table import DISTANCE_NODES, FLOW_CELLS

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
