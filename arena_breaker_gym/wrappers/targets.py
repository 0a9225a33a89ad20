"""Which enemies a shot can reach, and where to aim to hit them; compiled, from the tables alone.

Targets are the rows of the `enemies` table in another order: those that no wall hides come first,
the nearest of them at the top. Walls are looked up in the stage that `progress` names.
"""

import math

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.batch.observation import (
    DISTANCE_SCALE,
    ENEMY_ROWS,
    ENEMY_SPEED_SCALE,
    SortBuffer,
    StateTables,
    file_in,
)
from arena_breaker_gym.engine.arena import Stages
from arena_breaker_gym.engine.shots import RADIUS as SHOT_RADIUS
from arena_breaker_gym.engine.shots import RANGE, SPEED
from arena_breaker_gym.engine.space import sweep_walls
from arena_breaker_gym.stages.table import StageRecord

_HIDDEN = 100.0  # m farther that a target behind a wall counts: behind all that are in sight
_ROUNDS = 2  # of the fixed-point search for the meeting point


@compiled
def stage_of(tables: StateTables, row: int, campaign: Stages) -> int:
    """Index of the stage that an arena is on."""
    count: int = campaign.shape[0]
    return max(0, min(count - 1, int(tables.progress[row, 0] * count + 0.5) - 1))


@compiled
def place_of(tables: StateTables, row: int, stage: StageRecord) -> tuple[float, float]:
    """The player's x and z in metres."""
    x = tables.player[row, 0] * 0.5 * stage.width
    z = tables.player[row, 1] * 0.5 * stage.depth
    return x, z


@compiled
def rank_targets(tables: StateTables, row: int, stage: StageRecord, targets: SortBuffer) -> int:
    """Files the rows of one arena's enemies, best target first.

    Args:
        tables: The state of n arenas.
        row: Which arena.
        stage: The stage that it is on.
        targets: Written: rows, and as keys their distances in metres, 100 more for those behind
            a wall.

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
        count = file_in(targets, count, ENEMY_ROWS, index, key)
    return count


@compiled
def motion_of(thing: NDArray[np.float32], speed_scale: float) -> tuple[float, float, float, float]:
    """Offset x, z (m) and velocity x, z (m/s) of a row of the enemies' or the shots' table."""
    dx = thing[1] * DISTANCE_SCALE
    dz = thing[2] * DISTANCE_SCALE
    return dx, dz, thing[3] * speed_scale, thing[4] * speed_scale


@compiled
def hidden(key: float) -> bool:
    """Whether a target with such a key stands behind a wall."""
    return key >= _HIDDEN


@compiled
def lead(enemy: NDArray[np.float32]) -> tuple[float, float]:
    """The unit stick (x, z) that points to where a shot fired now would meet an enemy."""
    dx, dz, vx, vz = motion_of(enemy, ENEMY_SPEED_SCALE)
    x, z = dx, dz
    for _ in range(_ROUNDS):
        seconds = min(math.sqrt(x * x + z * z), RANGE) / SPEED
        x = dx + vx * seconds
        z = dz + vz * seconds
    length = math.sqrt(x * x + z * z)
    if length < 1e-6:
        return 1.0, 0.0
    return x / length, z / length


def compass(headings: int) -> NDArray[np.float64]:
    """Unit vectors (headings, 2) all round, the first along +x, the second towards +z of it."""
    angles = 2.0 * np.pi * np.arange(headings) / headings
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).round(12)
