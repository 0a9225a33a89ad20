"""What all enemies share: the turn to act, motion, elbow room, walls, touching the player."""

import numpy as np

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import MAX_ENEMIES, TICK, ArenaRecord, EnemyRecord
from arena_breaker_gym.engine.damage import damage_player
from arena_breaker_gym.engine.player import RADIUS as PLAYER_RADIUS
from arena_breaker_gym.engine.roster import (
    RADIUS,
    bomber,
    charger,
    sentinel,
    shooter,
    splitter,
    swarmer,
)
from arena_breaker_gym.engine.space import push_out
from arena_breaker_gym.stages.table import (
    BOMBER,
    CHARGER,
    SENTINEL,
    SHOOTER,
    SPLITTER,
    SWARMER,
    StageRecord,
)

CONTACT_DAMAGE = 1
_TOUCH = 0.03  # m between rims that still counts as contact; our own value


@compiled
def run_enemies(arena: ArenaRecord, stage: StageRecord) -> None:
    """One tick of every enemy: decide, move, make room, touch."""
    for slot in range(MAX_ENEMIES):
        enemy = arena.enemies[slot]
        if enemy.kind != 0:
            _run_clocks(enemy)
            _act(arena, slot, stage)
            enemy.x += enemy.vx * TICK
            enemy.z += enemy.vz * TICK
    _make_room(arena)
    for slot in range(MAX_ENEMIES):
        enemy = arena.enemies[slot]
        if enemy.kind != 0:
            _touch_player(arena, enemy)
            enemy.x, enemy.z = push_out(stage, enemy.x, enemy.z, RADIUS[enemy.kind])


@compiled
def _run_clocks(enemy: EnemyRecord) -> None:
    enemy.clock = max(enemy.clock - 1, 0)
    enemy.reload = max(enemy.reload - 1, 0)
    enemy.flash = max(enemy.flash - 1, 0)


@compiled
def _act(arena: ArenaRecord, slot: int, stage: StageRecord) -> None:
    enemy = arena.enemies[slot]
    kind = enemy.kind
    if kind == SWARMER:
        swarmer.act(arena, enemy, stage)
    elif kind == SHOOTER:
        shooter.act(arena, enemy, stage)
    elif kind == CHARGER:
        charger.act(arena, enemy, stage)
    elif kind == SPLITTER:
        splitter.act(arena, enemy, stage)
    elif kind == BOMBER:
        bomber.act(arena, slot, stage)
    elif kind == SENTINEL:
        sentinel.act(arena, enemy, stage)


@compiled
def _make_room(arena: ArenaRecord) -> None:
    """Moves overlapping enemies apart, half the overlap each."""
    for first in range(MAX_ENEMIES - 1):
        one = arena.enemies[first]
        if one.kind == 0:
            continue
        for second in range(first + 1, MAX_ENEMIES):
            other = arena.enemies[second]
            if other.kind != 0:
                _part(one, other)


@compiled
def _part(one: EnemyRecord, other: EnemyRecord) -> None:
    dx = other.x - one.x
    dz = other.z - one.z
    reach = RADIUS[one.kind] + RADIUS[other.kind]
    squared = dx * dx + dz * dz
    if squared >= reach * reach:
        return
    distance = np.sqrt(squared)
    if distance < 1e-6:  # one on the other: any direction will do, but always the same
        dx, dz, distance = 1e-6, 0.0, 1e-6
    share = 0.5 * (reach - distance) / distance
    one.x -= share * dx
    one.z -= share * dz
    other.x += share * dx
    other.z += share * dz


@compiled
def _touch_player(arena: ArenaRecord, enemy: EnemyRecord) -> None:
    """An enemy at the player's rim hurts, and never stands inside the player."""
    player = arena.player
    dx = player.x - enemy.x
    dz = player.z - enemy.z
    distance = np.sqrt(dx * dx + dz * dz)
    reach = PLAYER_RADIUS + RADIUS[enemy.kind]
    if distance >= reach + _TOUCH:
        return
    damage_player(arena, CONTACT_DAMAGE, enemy.kind, dx, dz)
    if 1e-6 < distance < reach:
        enemy.x = player.x - dx / distance * reach
        enemy.z = player.z - dz / distance * reach
