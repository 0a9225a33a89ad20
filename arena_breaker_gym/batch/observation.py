"""The state observation: fixed tables of float32 numbers, nearest first, written in compiled code.

Row layouts and scales stand in `TABLES`; pixels are `rendering`'s business, the JSON
snapshot is `snapshot`'s.
"""

import math
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym._runtime.records import Record, Rows, dtype_of
from arena_breaker_gym.engine.arena import (
    MAX_ENEMIES,
    MAX_ENEMY_SHOTS,
    ArenaRecord,
    HazardRecord,
    PlayerRecord,
    Stages,
)
from arena_breaker_gym.engine.hazards import UP, WARNING
from arena_breaker_gym.engine.player import DASH_COOLDOWN, DASH_SPEED, HP
from arena_breaker_gym.engine.roster import HP as ENEMY_HP
from arena_breaker_gym.stages.table import LARGEST_HAZARD, MAX_HAZARDS, SPIKES, StageRecord

ENEMY_ROWS = 16
PROJECTILE_ROWS = 24
HAZARD_ROWS = 12

DISTANCE_SCALE = 16.0  # m; half of the largest stage, so offsets lie within [-2, 2]
ENEMY_SPEED_SCALE = 11.0  # m/s, a charge
PROJECTILE_SPEED_SCALE = 8.0  # m/s, a shooter's shot
SCORE_SCALE = 1000.0


class StateTables(NamedTuple):
    """State observations of n arenas, all float32.

    Attributes:
        player: (n, 9): x, z (shares of the half floor), vx, vz (of 20 m/s, the dash), hp (of 5),
            dash ready (0 or 1), dash cooldown (share left), aim_x, aim_z (the stick).
        enemies: (n, 16, 12), nearest first: present, dx, dz (of 16 m), vx, vz (of 11 m/s), hp
            (share of the type's), then six flags: swarmer, shooter, charger, splitter,
            bomber, sentinel.
        enemy_projectiles: (n, 24, 5), nearest first: present, dx, dz (of 16 m), vx, vz (of 8 m/s).
        hazards: (n, 12, 6), in the stage's order: present, saw, spikes, dx, dz (of 16 m), radius in
            metres: positive while it hurts, -radius while spikes are down, -radius / 2 while
            they warn.
        progress: (n, 4): stage (share of the campaign's stages), wave (share of the stage's
            waves), score (of 1000), time left (share of the standard
            3,600 steps, whatever limit a wrapper sets).
    """

    player: NDArray[np.float32]
    enemies: NDArray[np.float32]
    enemy_projectiles: NDArray[np.float32]
    hazards: NDArray[np.float32]
    progress: NDArray[np.float32]


class NearRecord(Record):
    """Of a thing near the player: its slot, and the distance or its square that sorts it."""

    slot: int
    key: float


# (24,): what the longest table is sorted in.
SortBuffer: TypeAlias = Rows[NearRecord]


# For each table: the shape of one arena's and the bound of its numbers.
TABLES: dict[str, tuple[tuple[int, ...], float]] = {
    "player": ((9,), 1.0),
    "enemies": ((ENEMY_ROWS, 12), 2.0),
    "enemy_projectiles": ((PROJECTILE_ROWS, 5), 2.0),
    "hazards": ((HAZARD_ROWS, 6), LARGEST_HAZARD),
    "progress": ((4,), 1.0),
}


# Float32 numbers in the state of one arena.
STATE_NUMBERS = sum(math.prod(shape) for shape, _ in TABLES.values())


def tables_in(block: NDArray[np.float32], count: int) -> StateTables:
    """The tables of `count` arenas as views of one block, in which they lie one after the other.

    Args:
        block: (count · `STATE_NUMBERS`,) float32.
        count: How many arenas.
    """
    enemies = 9 * count
    projectiles = enemies + 12 * ENEMY_ROWS * count
    hazards = projectiles + 5 * PROJECTILE_ROWS * count
    progress = hazards + 6 * HAZARD_ROWS * count
    return StateTables(
        block[:enemies].reshape(count, 9),
        block[enemies:projectiles].reshape(count, ENEMY_ROWS, 12),
        block[projectiles:hazards].reshape(count, PROJECTILE_ROWS, 5),
        block[hazards:progress].reshape(count, HAZARD_ROWS, 6),
        block[progress:].reshape(count, 4),
    )


compiled_tables_in = compiled(tables_in)

# Of one arena: where each table begins in the block, and its shape.
_PLACES = tuple(
    (name, start, shape)
    for (name, (shape, _)), start in zip(
        TABLES.items(),
        accumulate((math.prod(shape) for shape, _ in TABLES.values()), initial=0),
        strict=False,  # the last sum is where the block ends
    )
)


def tables_of_one(block: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """One arena's tables by name, without a leading axis, as views of one block.

    Args:
        block: (`STATE_NUMBERS`,) float32.
    """
    return {name: np.ndarray(shape, np.float32, block, 4 * start) for name, start, shape in _PLACES}


def sort_buffer() -> SortBuffer:
    """Room for one arena at a time."""
    return np.empty(PROJECTILE_ROWS, dtype_of(NearRecord))


@compiled
def observe_arena(
    arena: ArenaRecord,
    tables: StateTables,
    row: int,
    campaign: Stages,
    limit: int,
    nearest: SortBuffer,
) -> None:
    """Writes the state of an arena into a row of the tables; `limit` is the standard's ticks."""
    stage = campaign[arena.stage]
    _observe_player(arena.player, tables.player[row], stage)
    _observe_enemies(arena, tables.enemies[row], nearest)
    _observe_projectiles(arena, tables.enemy_projectiles[row], nearest)
    _observe_hazards(arena, tables.hazards[row])
    progress = tables.progress[row]
    progress[0] = (arena.stage + 1) / campaign.shape[0]
    progress[1] = (arena.director.wave + 1) / stage.wave_count
    progress[2] = min(arena.statistics.score / SCORE_SCALE, 1.0)
    progress[3] = max(1.0 - arena.tick / limit, 0.0)


@compiled
def _clip(value: float, bound: float) -> float:
    return max(-bound, min(bound, value))


@compiled
def _observe_player(player: PlayerRecord, out: NDArray[np.float32], stage: StageRecord) -> None:
    out[0] = player.x / (0.5 * stage.width)
    out[1] = player.z / (0.5 * stage.depth)
    out[2] = _clip(player.vx / DASH_SPEED, 1.0)
    out[3] = _clip(player.vz / DASH_SPEED, 1.0)
    out[4] = player.hp / HP
    out[5] = 1.0 if player.dash_cooldown == 0 else 0.0
    out[6] = player.dash_cooldown / DASH_COOLDOWN
    # Sticks are at most 1 long, but rounding to float32 may carry a last bit beyond.
    out[7] = _clip(player.aim_x, 1.0)
    out[8] = _clip(player.aim_z, 1.0)


@compiled
def _squared(player: PlayerRecord, x: float, z: float) -> float:
    dx = x - player.x
    dz = z - player.z
    return dx * dx + dz * dz


@compiled
def file_in(nearest: SortBuffer, filled: int, most: int, slot: int, key: float) -> int:
    """Files a slot by rising key, keeping `most`; ties keep slot order.

    Args:
        nearest: What is filed already, in its first rows.
        filled: How many those are.
        most: How many are kept.
        slot: What to file.
        key: By which.

    Returns:
        How many are filed now.
    """
    place = min(filled, most - 1)
    if filled == most and key >= nearest[place].key:
        return filled
    while place > 0 and nearest[place - 1].key > key:
        nearest[place].slot = nearest[place - 1].slot
        nearest[place].key = nearest[place - 1].key
        place -= 1
    nearest[place].slot = slot
    nearest[place].key = key
    return min(filled + 1, most)


@compiled
def _observe_enemies(arena: ArenaRecord, out: NDArray[np.float32], nearest: SortBuffer) -> None:
    filled = 0
    for slot in range(MAX_ENEMIES):
        enemy = arena.enemies[slot]
        if enemy.kind != 0:
            key = _squared(arena.player, enemy.x, enemy.z)
            filled = file_in(nearest, filled, ENEMY_ROWS, slot, key)
    out[:] = 0.0
    for row in range(filled):
        enemy = arena.enemies[nearest[row].slot]
        out[row, 0] = 1.0
        out[row, 1] = (enemy.x - arena.player.x) / DISTANCE_SCALE
        out[row, 2] = (enemy.z - arena.player.z) / DISTANCE_SCALE
        out[row, 3] = _clip(enemy.vx / ENEMY_SPEED_SCALE, 2.0)
        out[row, 4] = _clip(enemy.vz / ENEMY_SPEED_SCALE, 2.0)
        out[row, 5] = enemy.hp / ENEMY_HP[enemy.kind]
        out[row, 5 + enemy.kind] = 1.0


@compiled
def _observe_projectiles(arena: ArenaRecord, out: NDArray[np.float32], nearest: SortBuffer) -> None:
    filled = 0
    for slot in range(MAX_ENEMY_SHOTS):
        shot = arena.enemy_shots[slot]
        if shot.live != 0:
            key = _squared(arena.player, shot.x, shot.z)
            filled = file_in(nearest, filled, PROJECTILE_ROWS, slot, key)
    out[:] = 0.0
    for row in range(filled):
        shot = arena.enemy_shots[nearest[row].slot]
        out[row, 0] = 1.0
        out[row, 1] = (shot.x - arena.player.x) / DISTANCE_SCALE
        out[row, 2] = (shot.z - arena.player.z) / DISTANCE_SCALE
        out[row, 3] = _clip(shot.vx / PROJECTILE_SPEED_SCALE, 2.0)
        out[row, 4] = _clip(shot.vz / PROJECTILE_SPEED_SCALE, 2.0)


@compiled
def _observe_hazards(arena: ArenaRecord, out: NDArray[np.float32]) -> None:
    out[:] = 0.0
    row = 0
    for index in range(MAX_HAZARDS):
        hazard = arena.hazards[index]
        if hazard.kind == 0 or row == HAZARD_ROWS:
            continue
        out[row, 0] = 1.0
        out[row, hazard.kind] = 1.0
        out[row, 3] = (hazard.x - arena.player.x) / DISTANCE_SCALE
        out[row, 4] = (hazard.z - arena.player.z) / DISTANCE_SCALE
        out[row, 5] = _signed_radius(hazard)
        row += 1


@compiled
def _signed_radius(hazard: HazardRecord) -> float:
    if hazard.kind != SPIKES or hazard.phase == UP:
        return hazard.radius
    return -0.5 * hazard.radius if hazard.phase == WARNING else -hazard.radius
