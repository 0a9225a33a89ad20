"""`FeatureExtractor`: the state's tables as one vector of what a player needs; compiled.

All is seen from the player, and much of it per heading: how far the way is free, and how close
enemies, shots and hazards would come to a player who walked or dashed there. It is computed from
the tables and the stage's plan alone, so you can compute it from any state observation.
"""

import math
from typing import NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from arena_breaker_gym._runtime.jit import compiled, jit_cached
from arena_breaker_gym.batch.observation import (
    DISTANCE_SCALE,
    ENEMY_ROWS,
    ENEMY_SPEED_SCALE,
    HAZARD_ROWS,
    PROJECTILE_ROWS,
    PROJECTILE_SPEED_SCALE,
    SortBuffer,
    StateTables,
    file_in,
    sort_buffer,
)
from arena_breaker_gym.engine.arena import TICK, Stages
from arena_breaker_gym.engine.player import DASH_SPEED, DASH_TICKS
from arena_breaker_gym.engine.player import RADIUS as PLAYER_RADIUS
from arena_breaker_gym.engine.player import SPEED as WALK_SPEED
from arena_breaker_gym.engine.roster import RADIUS as ENEMY_RADIUS
from arena_breaker_gym.engine.shots import ENEMY_SHOT_RADIUS
from arena_breaker_gym.engine.space import sweep_walls
from arena_breaker_gym.stages.table import StageRecord
from arena_breaker_gym.wrappers.targets import (
    compass,
    hidden,
    lead,
    motion_of,
    place_of,
    rank_targets,
    stage_of,
)

HEADINGS = 16  # compass points, from +x towards +z
ENEMIES = 8  # rows, in the order of `targets`: those that the aim assist can be told to shoot
SHOTS = 6  # rows, nearest first
HAZARDS = 3  # rows, nearest first

COMPASS = compass(HEADINGS)

_SELF = 9
_ENEMY = 15
_SHOT = 6
_HAZARD = 5

# Where each part of the vector begins.
_FREE = _SELF
_WALK = _FREE + HEADINGS  # three numbers for each heading and for standing still
_DASH = _WALK + 3 * (HEADINGS + 1)
_CROWD = _DASH + HEADINGS
_ENEMY_ROWS = _CROWD + HEADINGS
_SHOT_ROWS = _ENEMY_ROWS + ENEMIES * _ENEMY
_HAZARD_ROWS = _SHOT_ROWS + SHOTS * _SHOT
LENGTH = _HAZARD_ROWS + HAZARDS * _HAZARD

_SIGHT = 6.0  # m up to which free ways are measured
_AHEAD = 0.5  # s for which a walk is followed
_AFTER = 0.25  # s for which what comes is followed after a dash
_DASH_SECONDS = DASH_TICKS * TICK
_DASH_LENGTH = DASH_SPEED * _DASH_SECONDS  # m
_ENEMY_BERTH = 2.0  # m of gap from which on an enemy does not matter
_SHOT_BERTH = 1.0  # m, likewise
_HAZARD_BERTH = 1.0  # m, likewise
_HARMLESS = 0.3  # how much spikes count that do not hurt just now
_CROWD_FADES = 5.0  # m
_BOUND = 4.0  # no number is larger


class _Scratch(NamedTuple):
    """Room to work in, for one arena at a time."""

    targets: SortBuffer  # rows of enemies, best target first
    dangers: NDArray[np.float32]  # (3,) by enemies, shots and hazards
    hazards: SortBuffer  # rows of hazards, nearest first


class _Way(NamedTuple):
    """Where the player would be: at an offset (m) from `begin` (s) on, moving for some seconds."""

    x: float
    z: float
    vx: float
    vz: float
    begin: float
    seconds: float


class FeatureExtractor:
    """Computes the vectors of n arenas at once.

    Attributes:
        space: Of one arena's vector: `Box` (LENGTH,) float32.
    """

    def __init__(self, campaign: Stages) -> None:
        """Makes one for arenas that play a campaign.

        Args:
            campaign: Its stages, as `Arenas.campaign`.
        """
        self.space = spaces.Box(-_BOUND, _BOUND, (LENGTH,), np.float32)
        self._campaign = campaign

    def __call__(self, tables: StateTables) -> NDArray[np.float32]:
        """A new array (n, LENGTH) of what n arenas' tables show.

        The numbers, in order: own state (9: place, velocity, hp, dash ready, dash cooldown, stage,
        wave); free way along each of 16 headings; danger by enemies, shots and hazards on a walk of
        0.5 s along each heading and standing still (17 × 3); danger after a dash along each
        heading; crowd of enemies by heading; 8 enemies, best target first (15 each: in sight,
        direction, nearness, distance, velocity, aim stick that meets it, hp, six flags less one);
        6 shots; 3 hazards.
        """
        out = np.zeros((len(tables.player), LENGTH), dtype=np.float32)
        scratch = _Scratch(sort_buffer(), np.zeros(3, np.float32), sort_buffer())
        _sense_batch(tables, self._campaign, out, scratch)
        return out


@jit_cached
def _sense_batch(
    tables: StateTables, campaign: Stages, out: NDArray[np.float32], scratch: _Scratch
) -> None:
    for row in range(out.shape[0]):
        stage = campaign[stage_of(tables, row, campaign)]
        _sense(tables, row, stage, out[row], scratch)


@compiled
def _sense(
    tables: StateTables, row: int, stage: StageRecord, out: NDArray[np.float32], scratch: _Scratch
) -> None:
    for index in range(7):
        out[index] = tables.player[row, index]
    out[7] = tables.progress[row, 0]
    out[8] = tables.progress[row, 1]
    enemies = rank_targets(tables, row, stage, scratch.targets)
    _sense_ways(tables, row, stage, out, scratch)
    _sense_crowd(tables.enemies[row], out)
    for place in range(min(enemies, ENEMIES)):
        target = scratch.targets[place]
        enemy = tables.enemies[row, target.slot]
        _sense_enemy(enemy, hidden(target.key), out[_ENEMY_ROWS + place * _ENEMY :])
    for place in range(SHOTS):
        _sense_shot(tables.enemy_projectiles[row, place], out[_SHOT_ROWS + place * _SHOT :])
    _sense_hazards(tables.hazards[row], out, scratch.hazards)
    for index in range(LENGTH):
        out[index] = max(-_BOUND, min(_BOUND, out[index]))


@compiled
def _sense_ways(
    tables: StateTables, row: int, stage: StageRecord, out: NDArray[np.float32], scratch: _Scratch
) -> None:
    """What each heading would bring, on foot and by a dash."""
    x, z = place_of(tables, row, stage)
    for heading in range(HEADINGS):
        ux, uz = COMPASS[heading, 0], COMPASS[heading, 1]
        free = sweep_walls(stage, x, z, ux * _SIGHT, uz * _SIGHT, PLAYER_RADIUS) * _SIGHT
        out[_FREE + heading] = free / _SIGHT
        along = min(free / _AHEAD, WALK_SPEED)
        walk = _Way(0.0, 0.0, ux * along, uz * along, 0.0, _AHEAD)
        _sense_way(tables, row, walk, out[_WALK + 3 * heading :])
        leap = min(free, _DASH_LENGTH)
        landed = _Way(ux * leap, uz * leap, 0.0, 0.0, _DASH_SECONDS, _AFTER)
        _sense_way(tables, row, landed, scratch.dangers)
        out[_DASH + heading] = scratch.dangers[0] + scratch.dangers[1] + scratch.dangers[2]
    rest = _Way(0.0, 0.0, 0.0, 0.0, 0.0, _AHEAD)
    _sense_way(tables, row, rest, out[_WALK + 3 * HEADINGS :])


@compiled
def _sense_way(tables: StateTables, row: int, way: _Way, out: NDArray[np.float32]) -> None:
    """Danger by enemies, shots and hazards on a way.

    Everything is taken to keep its velocity. Danger by one thing grows from 0 at its berth to 1
    where it touches, and is summed over all things.
    """
    out[0] = _danger_of_enemies(tables.enemies[row], way)
    out[1] = _danger_of_shots(tables.enemy_projectiles[row], way)
    out[2] = _danger_of_hazards(tables.hazards[row], way)


@compiled
def _danger_of_enemies(enemies: NDArray[np.float32], way: _Way) -> float:
    danger = 0.0
    for index in range(ENEMY_ROWS):
        enemy = enemies[index]
        if enemy[0] == 0.0:
            break
        dx, dz, vx, vz = motion_of(enemy, ENEMY_SPEED_SCALE)
        danger += _danger(_closest(dx, dz, vx, vz, way) - _girth(enemy), _ENEMY_BERTH)
    return danger


@compiled
def _danger_of_shots(shots: NDArray[np.float32], way: _Way) -> float:
    danger = 0.0
    for index in range(PROJECTILE_ROWS):
        shot = shots[index]
        if shot[0] == 0.0:
            break
        dx, dz, vx, vz = motion_of(shot, PROJECTILE_SPEED_SCALE)
        danger += _danger(_closest(dx, dz, vx, vz, way) - ENEMY_SHOT_RADIUS, _SHOT_BERTH)
    return danger


@compiled
def _danger_of_hazards(hazards: NDArray[np.float32], way: _Way) -> float:
    danger = 0.0
    for index in range(HAZARD_ROWS):
        hazard = hazards[index]
        if hazard[0] == 0.0:
            break
        dx = hazard[3] * DISTANCE_SCALE
        dz = hazard[4] * DISTANCE_SCALE
        gap = _closest(dx, dz, 0.0, 0.0, way) - abs(hazard[5])
        danger += _danger(gap, _HAZARD_BERTH) * (1.0 if hazard[5] > 0.0 else _HARMLESS)
    return danger


@compiled
def _closest(dx: float, dz: float, vx: float, vz: float, way: _Way) -> float:
    """The least gap on a way between the player's rim and a thing at an offset with a velocity."""
    dx = dx + vx * way.begin - way.x
    dz = dz + vz * way.begin - way.z
    vx = vx - way.vx
    vz = vz - way.vz
    squared = vx * vx + vz * vz
    when = 0.0
    if squared > 0.0:
        when = max(0.0, min(way.seconds, -(dx * vx + dz * vz) / squared))
    x = dx + vx * when
    z = dz + vz * when
    return math.sqrt(x * x + z * z) - PLAYER_RADIUS


@compiled
def _danger(gap: float, berth: float) -> float:
    near = max(0.0, min(1.0, 1.0 - gap / berth))
    return near * near


@compiled
def _girth(enemy: NDArray[np.float32]) -> float:
    """An enemy's radius in metres, by the flags of its type."""
    for kind in range(1, ENEMY_RADIUS.shape[0]):
        if enemy[5 + kind] != 0.0:
            return float(ENEMY_RADIUS[kind])
    return 0.0


@compiled
def _offset(x: float, z: float) -> tuple[float, float, float]:
    """An offset of a table in metres, and its length, which is never 0."""
    dx = x * DISTANCE_SCALE
    dz = z * DISTANCE_SCALE
    return dx, dz, math.sqrt(dx * dx + dz * dz) + 1e-6


@compiled
def _sense_crowd(enemies: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """How much of the crowd stands along each heading; the near count more."""
    for index in range(ENEMY_ROWS):
        if enemies[index, 0] == 0.0:
            break
        dx, dz, distance = _offset(enemies[index, 1], enemies[index, 2])
        weight = math.exp(-distance / _CROWD_FADES) / distance
        for heading in range(HEADINGS):
            along = (dx * COMPASS[heading, 0] + dz * COMPASS[heading, 1]) * weight
            out[_CROWD + heading] += max(along, 0.0)


@compiled
def _sense_enemy(enemy: NDArray[np.float32], unseen: bool, out: NDArray[np.float32]) -> None:
    dx, dz, distance = _offset(enemy[1], enemy[2])
    out[0] = 0.5 if unseen else 1.0
    out[1] = dx / distance
    out[2] = dz / distance
    out[3] = math.exp(-distance / 3.0)
    out[4] = distance / 10.0
    out[5] = enemy[3] * 2.0
    out[6] = enemy[4] * 2.0
    out[7], out[8] = lead(enemy)
    out[9] = enemy[5]
    for kind in range(5):
        out[10 + kind] = enemy[6 + kind]


@compiled
def _sense_shot(shot: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    if shot[0] == 0.0:
        return
    dx, dz, distance = _offset(shot[1], shot[2])
    out[0] = dx / distance
    out[1] = dz / distance
    out[2] = math.exp(-distance / 3.0)
    out[3] = shot[3]
    out[4] = shot[4]
    out[5] = -(dx * shot[3] + dz * shot[4]) / distance  # how fast it closes in


@compiled
def _sense_hazards(
    hazards: NDArray[np.float32], out: NDArray[np.float32], nearest: SortBuffer
) -> None:
    count = 0
    for index in range(HAZARD_ROWS):
        if hazards[index, 0] == 0.0:
            break
        dx = hazards[index, 3] * DISTANCE_SCALE
        dz = hazards[index, 4] * DISTANCE_SCALE
        gap = math.sqrt(dx * dx + dz * dz) - abs(hazards[index, 5])
        count = file_in(nearest, count, HAZARDS, index, gap)
    for place in range(count):
        near = nearest[place]
        _sense_hazard(hazards[near.slot], near.key, out[_HAZARD_ROWS + place * _HAZARD :])


@compiled
def _sense_hazard(hazard: NDArray[np.float32], gap: float, out: NDArray[np.float32]) -> None:
    dx, dz, distance = _offset(hazard[3], hazard[4])
    out[0] = dx / distance
    out[1] = dz / distance
    out[2] = math.exp(-max(gap, 0.0) / 2.0)
    out[3] = hazard[5]
    out[4] = hazard[1]
