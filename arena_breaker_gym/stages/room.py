"""Whether there is room to move: no gap that somebody would be squeezed in, a way to everywhere.

Everything is read off the baked distance field, which is all that the rules know of walls.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.json_file import Fault
from arena_breaker_gym.stages.model import Stage
from arena_breaker_gym.stages.table import DISTANCE_NODES, FLOW_CELLS, RADII

PLAYER_ROOM = 0.4  # m: the player's radius
_BROOD = {"splitter": "swarmer"}
_NODES = (DISTANCE_NODES - 1) // FLOW_CELLS  # grid intervals a flow cell
_SEEP = 0.05  # m: what is nearer to a wall counts as wall where floors are told apart
_FLAT = 0.5  # slope of the distance below which walls stand on both sides, under 60 degrees
_OVERLAP = 0.1  # of a radius: so far one may stand in a wall

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]


def room_faults(stage: Stage, distance: Field, flow: NDArray[np.int8]) -> list[Fault]:
    """Where somebody who is in a stage does not fit, or finds no way to the player.

    Args:
        stage: A stage without faults of shapes and places.
        distance: (193, 193) metres to the nearest wall.
        flow: Its flow field, (1024, 1024).
    """
    floor = _joined(distance > _SEEP, _node_of(stage, stage.start.x, stage.start.z))
    for name, radius in _who(stage):
        faults = [
            *_gaps(stage, distance, floor, name, radius),
            *_parts(stage, floor & (distance >= radius), name, radius),
        ]
        if faults:  # whoever is smaller would only echo it
            return faults
    return [*_ways(stage, floor & (distance >= PLAYER_ROOM), flow)]


def _who(stage: Stage) -> list[tuple[str, float]]:
    """Everybody who may be in the stage, the largest first."""
    types: set[str] = {group.type for wave in stage.waves for group in wave.groups}
    types |= {_BROOD[one] for one in types & _BROOD.keys()}
    enemies = [(f"a {name}", RADII[name]) for name in types]
    return sorted([("the player", PLAYER_ROOM), *enemies], key=lambda one: (-one[1], one[0]))


def _gaps(stage: Stage, distance: Field, floor: Mask, name: str, radius: float) -> Iterator[Fault]:
    narrow = floor & (distance < (1.0 - _OVERLAP) * radius) & _between_walls(stage, distance)
    if narrow.any():
        row, column = np.unravel_index(np.where(narrow, distance, -1.0).argmax(), distance.shape)
        yield Fault(
            "obstacles",
            f"a gap or corner at {_place(stage, int(row), int(column))} that is "
            f"{2.0 * float(distance[row, column]):.2g} m wide, in which {name} would be stuck",
            f"gaps of at least {2.0 * radius:g} m, and corners of at least 60 degrees",
        )


def _between_walls(stage: Stage, distance: Field) -> Mask:
    """Where walls stand on both sides: the distance is at its largest there, and hardly slopes."""
    steps = stage.size.depth / (DISTANCE_NODES - 1), stage.size.width / (DISTANCE_NODES - 1)
    down, right = np.gradient(distance.astype(np.float64), *steps)
    padded = np.pad(distance.astype(np.float64), 1, mode="edge")
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    between: Mask = (np.hypot(down, right) < _FLAT) & (around < 4.0 * distance)
    return between


def _parts(stage: Stage, room: Mask, name: str, radius: float) -> Iterator[Fault]:
    """Whoever fits somewhere must be able to get there, from wherever else he fits."""
    if not room.any():
        return
    first = np.unravel_index(room.argmax(), room.shape)
    apart = room & ~_joined(room, (int(first[0]), int(first[1])))
    if apart.any():
        row, column = np.unravel_index(apart.argmax(), apart.shape)
        yield Fault(
            "obstacles",
            f"a place at {_place(stage, int(row), int(column))} to which {name} has no way",
            f"gaps of at least {2.0 * radius:g} m all the way",
        )


def _ways(stage: Stage, room: Mask, flow: NDArray[np.int8]) -> Iterator[Fault]:
    """Between any two cells in which the player can stand, enemies must know a way."""
    blocks = np.lib.stride_tricks.sliding_window_view(room, (_NODES + 1, _NODES + 1))
    cells = np.flatnonzero(blocks[::_NODES, ::_NODES].any(axis=(-1, -2)))
    lost = (flow[np.ix_(cells, cells)] < 0) & ~np.eye(len(cells), dtype=bool)
    if lost.any():
        row, column = divmod(int(cells[lost.any(axis=1).argmax()]), FLOW_CELLS)
        middle = _NODES // 2
        place = _place(stage, row * _NODES + middle, column * _NODES + middle)
        yield Fault(
            "obstacles",
            f"a place at {place} to which enemies know no way",
            "gaps of at least 2 m between walls all the way",
        )


def _joined(open_: Mask, start: tuple[int, int]) -> Mask:
    """What is joined to a node by open nodes, step by step in eight directions."""
    joined = np.zeros_like(open_)
    joined[start] = True
    before = 0
    while (count := int(joined.sum())) != before:
        before = count
        for _ in range(8):
            joined |= _spread(joined) & open_
    return joined & open_


def _spread(mask: Mask) -> Mask:
    padded = np.pad(mask, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    spread: Mask = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    return spread


def _node_of(stage: Stage, x: float, z: float) -> tuple[int, int]:
    row = round((z / stage.size.depth + 0.5) * (DISTANCE_NODES - 1))
    column = round((x / stage.size.width + 0.5) * (DISTANCE_NODES - 1))
    return row, column


def _place(stage: Stage, row: int, column: int) -> str:
    x = (column / (DISTANCE_NODES - 1) - 0.5) * stage.size.width
    z = (row / (DISTANCE_NODES - 1) - 0.5) * stage.size.depth
    return f"x = {x:.1f}, z = {z:.1f}"
