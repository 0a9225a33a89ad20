"""Shots: fire, flight, hits, and the point-blank bug beside its cure; those of enemies likewise.

The article's student found that shots fired at an enemy that overlaps the muzzle pass
through it. With `point_blank_fix` a shot is swept from the player's centre through the
muzzle, so the first enemy touched is hit; without it a shot is born at the muzzle, and an
enemy that it overlaps there is never entered.

Shots of enemies fly straight, are stopped by walls, and hurt the player only.
"""

import numpy as np

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import (
    MAX_ENEMIES,
    MAX_ENEMY_SHOTS,
    MAX_SHOTS,
    TICK,
    ArenaRecord,
    EnemyRecord,
    EnemyShotRecord,
    ShotRecord,
    ticks,
)
from arena_breaker_gym.engine.damage import damage_player, wound
from arena_breaker_gym.engine.player import FIRE_THRESHOLD
from arena_breaker_gym.engine.player import RADIUS as PLAYER_RADIUS
from arena_breaker_gym.engine.roster import RADIUS as ENEMY_RADIUS
from arena_breaker_gym.engine.space import NEVER, sweep_circle, sweep_walls
from arena_breaker_gym.stages.table import StageRecord

RADIUS = 0.1  # m; slim, so that sprayed fire misses more than aimed fire
SPEED = 18.0  # m/s
DAMAGE = 1
RANGE = 14.0  # m from the muzzle
MUZZLE = 0.6  # m from the player's centre; our own value
RELOAD = ticks(0.18)  # 11 ticks


@compiled
def fire(arena: ArenaRecord, stage: StageRecord) -> None:
    """Lets a shot leave when the aim stick is past the threshold and the gun is loaded."""
    player = arena.player
    length = np.sqrt(player.aim_x * player.aim_x + player.aim_z * player.aim_z)
    if length < FIRE_THRESHOLD or player.reload > 0:
        return
    for shot in arena.shots:
        if shot.live == 0:
            player.reload = RELOAD
            arena.statistics.shots_fired += 1
            _leave_muzzle(arena, shot, stage)
            return


@compiled
def _leave_muzzle(arena: ArenaRecord, shot: ShotRecord, stage: StageRecord) -> None:
    player = arena.player
    shot.live = 1
    shot.x = player.x
    shot.z = player.z
    shot.vx = SPEED * player.heading_x
    shot.vz = SPEED * player.heading_z
    shot.reach = RANGE
    shot.passing = 0
    dx = MUZZLE * player.heading_x
    dz = MUZZLE * player.heading_z
    if arena.point_blank_fix != 0:
        _sweep(arena, shot, dx, dz, stage)
    elif sweep_walls(stage, shot.x, shot.z, dx, dz, RADIUS) < 1.0:
        shot.live = 0
    else:
        shot.x += dx
        shot.z += dz
        shot.passing = _overlapped(arena, shot)


@compiled
def _overlapped(arena: ArenaRecord, shot: ShotRecord) -> int:
    """Bits of the enemy slots that a newborn shot overlaps: the bug."""
    bits = 0
    for slot in range(MAX_ENEMIES):
        enemy = arena.enemies[slot]
        if enemy.kind != 0:
            dx = enemy.x - shot.x
            dz = enemy.z - shot.z
            reach = RADIUS + ENEMY_RADIUS[enemy.kind]
            if dx * dx + dz * dz <= reach * reach:
                bits |= 1 << slot
    return bits


@compiled
def fly_shots(arena: ArenaRecord, stage: StageRecord) -> None:
    """Moves every shot by one tick; walls, range and the first enemy met end it."""
    for index in range(MAX_SHOTS):
        shot = arena.shots[index]
        if shot.live != 0:
            _sweep(arena, shot, shot.vx * TICK, shot.vz * TICK, stage)
            shot.reach -= SPEED * TICK
            if shot.reach <= 0.0:
                shot.live = 0


@compiled
def _sweep(arena: ArenaRecord, shot: ShotRecord, dx: float, dz: float, stage: StageRecord) -> None:
    free = sweep_walls(stage, shot.x, shot.z, dx, dz, RADIUS)
    slot, share = _first_enemy(arena, shot, dx, dz)
    if slot >= 0 and share <= free:
        shot.live = 0
        arena.statistics.hits += 1
        wound(arena, slot, DAMAGE, True)
    elif free < 1.0:
        shot.live = 0
    shot.x += dx
    shot.z += dz


@compiled
def _first_enemy(arena: ArenaRecord, shot: ShotRecord, dx: float, dz: float) -> tuple[int, float]:
    """The slot of the first enemy on the way and the share of the way to it; (-1, 2.0): none."""
    first = -1
    nearest = NEVER
    length = abs(dx) + abs(dz)
    for slot in range(MAX_ENEMIES):
        enemy = arena.enemies[slot]
        reach = RADIUS + ENEMY_RADIUS[enemy.kind]
        too_far = abs(enemy.x - shot.x) > reach + length or abs(enemy.z - shot.z) > reach + length
        if too_far or enemy.kind == 0 or (shot.passing >> slot) & 1:
            continue
        share = sweep_circle(shot.x, shot.z, dx, dz, enemy.x, enemy.z, reach)
        if share < nearest:
            nearest = share
            first = slot
    return first, nearest


ENEMY_SHOT_RADIUS = 0.18  # m; our own value
ENEMY_SHOT_RANGE = 16.0  # m; our own value
ENEMY_SHOT_DAMAGE = 1


@compiled
def shoot(arena: ArenaRecord, enemy: EnemyRecord, dx: float, dz: float, speed: float) -> None:
    """Fires from an enemy's rim along a unit direction; nothing when 64 shots are in the air."""
    for shot in arena.enemy_shots:
        if shot.live == 0:
            rim = ENEMY_RADIUS[enemy.kind]
            shot.live = 1
            shot.x = enemy.x + rim * dx
            shot.z = enemy.z + rim * dz
            shot.vx = speed * dx
            shot.vz = speed * dz
            shot.reach = ENEMY_SHOT_RANGE / speed
            shot.kind = enemy.kind
            return


@compiled
def fly_enemy_shots(arena: ArenaRecord, stage: StageRecord) -> None:
    """Moves every enemy shot by one tick; a wall, its range or the player ends it."""
    for index in range(MAX_ENEMY_SHOTS):
        shot = arena.enemy_shots[index]
        if shot.live != 0:
            _fly_at_player(arena, shot, stage)


@compiled
def _fly_at_player(arena: ArenaRecord, shot: EnemyShotRecord, stage: StageRecord) -> None:
    player = arena.player
    dx = shot.vx * TICK
    dz = shot.vz * TICK
    free = sweep_walls(stage, shot.x, shot.z, dx, dz, ENEMY_SHOT_RADIUS)
    reach = ENEMY_SHOT_RADIUS + PLAYER_RADIUS
    share = sweep_circle(shot.x, shot.z, dx, dz, player.x, player.z, reach)
    if share <= free and player.dash == 0:  # a dash goes through shots
        damage_player(arena, ENEMY_SHOT_DAMAGE, shot.kind, shot.vx, shot.vz)
        shot.live = 0
    elif free < 1.0:
        shot.live = 0
    shot.x += dx
    shot.z += dz
    shot.reach -= TICK
    if shot.reach <= 0.0:
        shot.live = 0
