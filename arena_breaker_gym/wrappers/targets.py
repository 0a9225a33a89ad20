"""Whom a shot can reach, and where to point so that it meets them; compiled, from the tables alone.

Targets are the rows of the `enemies` table in another order: whoever no wall hides comes first,
nearest first among those. Walls are looked up in the stage that `progress` names.
"""

import math

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.compiled import compiled
from arena_breaker_gym.engine.record import Record, Stages
from arena_breaker_gym.engine.shots import RADIUS as SHOT_RADIUS
from arena_breaker_gym.engine.shots import RANGE, SPEED
from arena_breaker_gym.engine.space import sweep_walls
from arena_breaker_gym.observation import (
    DISTANCE_SCALE,
    ENEMY_ROWS,
    ENEMY_SPEED_SCALE,
    StateTables,
)

_HIDDEN = 100.0  # m farther that a target behind a wall counts: behind all that are in sight
_ROUNDS = 2  # of the fixed-point search for the meeting point


@compiled
def stage_of(tables: StateTables, row: int, campaign: Stages) -> int:
    """Index of the stage that an arena is on."""
    count: int = campaign.shape[0]
    return max(0, min(count - 1, int(tables.progress[row, 0] * count + 0.5) - 1))


@compiled
def place_of(tables: StateTables, row: int, stage: Record) -> tuple[float, float]:
    """The player's x and z in metres."""
    x = tables.player[row, 0] * 0.5 * stage.width
    z = tables.player[row, 1] * 0.5 * stage.depth
    return x, z


@compiled
def rank_targets(
    tables: StateTables,
    row: int,
    stage: Record,
    order: NDArray[np.int64],
    keys: NDArray[np.float64],
) -> int:
    """Writes the rows of one arena's enemies into `order`, best target first.

    Args:
        tables: The state of n arenas.
        row: Which arena.
        stage: The stage that it is on.
        order: (16,) rows, written.
        keys: (16,) their distances in metres, written; 100 more for those behind a wall.

    Returns:
        How many there are.
    """
    x, z = place_of(tables, row, stage)
    enemies = tables.enemies[row]
    count = 0
    for index in range(ENEMY_ROWS):
        if enemies[index, 0] == 0.0:
            break
        dx = enemies[index, 1] * DISTANCE_SCALE
        dz = enemies[index, 2] * DISTANCE_SCALE
        key = math.sqrt(dx * dx + dz * dz)
        if sweep_walls(stage, x, z, dx, dz, SHOT_RADIUS) < 1.0:
            key += _HIDDEN
        place = count
        while place > 0 and keys[place - 1] > key:
            keys[place] = keys[place - 1]
            order[place] = order[place - 1]
            place -= 1
        keys[place] = key
        order[place] = index
        count += 1
    return count


@compiled
def hidden(key: float) -> bool:
    """Whether a target with such a key stands behind a wall."""
    return key >= _HIDDEN


@compiled
def lead(enemy: NDArray[np.float32]) -> tuple[float, float]:
    """The unit stick (x, z) that points to where a shot fired now would meet an enemy."""
    dx = enemy[1] * DISTANCE_SCALE
    dz = enemy[2] * DISTANCE_SCALE
    vx = enemy[3] * ENEMY_SPEED_SCALE
    vz = enemy[4] * ENEMY_SPEED_SCALE
    x, z = dx, dz
    for _ in range(_ROUNDS):
        seconds = min(math.sqrt(x * x + z * z), RANGE) / SPEED
        x = dx + vx * seconds
        z = dz + vz * seconds
    length = math.sqrt(x * x + z * z)
    if length < 1e-6:
        return 1.0, 0.0
    return x / length, z / length
