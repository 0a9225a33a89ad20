"""Sentinel: slow elite; a ring of twelve shots every 2.5 s, aimed triples between."""

import numpy as np

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import ArenaRecord, EnemyRecord, ticks
from arena_breaker_gym.engine.roster import SPEED, WALKING
from arena_breaker_gym.engine.shots import shoot
from arena_breaker_gym.engine.steering import chase, face, sees, stand
from arena_breaker_gym.stages.table import SENTINEL, StageRecord

RING, TRIPLE = 1, 2  # phases: about to fire a ring, or a triple

RING_PERIOD = ticks(2.5)
RING_TICKS = ticks(0.5)  # of telegraph; our own value
TRIPLE_TICKS = ticks(0.33)  # of telegraph; our own value
_TRIPLE_AT = RING_PERIOD // 2  # the triple falls half-way between two rings; our own value
RING_SPEED = 5.0  # m/s; our own value
TRIPLE_SPEED = 8.0  # m/s; our own value

DIRECTIONS = np.array(  # the twelve directions, 30 degrees apart
    [
        (1.0, 0.0),
        (0.8660254037844386, 0.5),
        (0.5, 0.8660254037844386),
        (0.0, 1.0),
        (-0.5, 0.8660254037844386),
        (-0.8660254037844386, 0.5),
        (-1.0, 0.0),
        (-0.8660254037844386, -0.5),
        (-0.5, -0.8660254037844386),
        (0.0, -1.0),
        (0.5, -0.8660254037844386),
        (0.8660254037844386, -0.5),
    ]
)
_SPREAD_COS, _SPREAD_SIN = 0.9659258262890683, 0.25881904510252074  # of 15 degrees


@compiled
def act(arena: ArenaRecord, enemy: EnemyRecord, stage: StageRecord) -> None:
    """One tick of a sentinel's mind; `reload` runs down from one ring to the next."""
    player = arena.player
    if enemy.phase == WALKING:
        chase(arena, enemy, player.x, player.z, SPEED[SENTINEL], stage)
        _make_ready(arena, enemy, stage)
        return
    stand(enemy)
    face(enemy, player.x, player.z)
    if enemy.clock == 0:
        if enemy.phase == RING:
            _fire_ring(arena, enemy)
            enemy.reload = RING_PERIOD - RING_TICKS
        else:
            _fire_triple(arena, enemy)
        enemy.phase = WALKING


@compiled
def _make_ready(arena: ArenaRecord, enemy: EnemyRecord, stage: StageRecord) -> None:
    if enemy.reload == 0:
        enemy.phase = RING
        enemy.clock = RING_TICKS
    elif enemy.reload == _TRIPLE_AT and sees(arena, enemy, arena.player.x, arena.player.z, stage):
        enemy.phase = TRIPLE
        enemy.clock = TRIPLE_TICKS


@compiled
def _fire_ring(arena: ArenaRecord, enemy: EnemyRecord) -> None:
    for index in range(DIRECTIONS.shape[0]):
        shoot(arena, enemy, DIRECTIONS[index, 0], DIRECTIONS[index, 1], RING_SPEED)


@compiled
def _fire_triple(arena: ArenaRecord, enemy: EnemyRecord) -> None:
    x = enemy.heading_x
    z = enemy.heading_z
    shoot(arena, enemy, x, z, TRIPLE_SPEED)
    left_x = _SPREAD_COS * x + _SPREAD_SIN * z
    left_z = _SPREAD_COS * z - _SPREAD_SIN * x
    shoot(arena, enemy, left_x, left_z, TRIPLE_SPEED)
    right_x = _SPREAD_COS * x - _SPREAD_SIN * z
    right_z = _SPREAD_COS * z + _SPREAD_SIN * x
    shoot(arena, enemy, right_x, right_z, TRIPLE_SPEED)
