"""Shots of enemies: fired straight, stopped by walls, hurting the player only."""

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import MAX_ENEMY_SHOTS, TICK, Record
from arena_breaker_gym.engine.damage import damage_player
from arena_breaker_gym.engine.player import RADIUS as PLAYER_RADIUS
from arena_breaker_gym.engine.roster import RADIUS as ENEMY_RADIUS
from arena_breaker_gym.engine.space import sweep_circle, sweep_walls

RADIUS = 0.18  # m; our own value
RANGE = 16.0  # m; our own value
DAMAGE = 1


@compiled
def shoot(arena: Record, enemy: Record, dx: float, dz: float, speed: float) -> None:
    """Fires from an enemy's rim along a unit direction; nothing when 64 shots are in the air."""
    for shot in arena.enemy_shots:
        if shot.live == 0:
            rim = ENEMY_RADIUS[enemy.kind]
            shot.live = 1
            shot.x = enemy.x + rim * dx
            shot.z = enemy.z + rim * dz
            shot.vx = speed * dx
            shot.vz = speed * dz
            shot.reach = RANGE / speed
            shot.kind = enemy.kind
            return


@compiled
def fly_enemy_shots(arena: Record, stage: Record) -> None:
    """Moves every enemy shot by one tick; a wall, its range or the player ends it."""
    for index in range(MAX_ENEMY_SHOTS):
        shot = arena.enemy_shots[index]
        if shot.live != 0:
            _fly(arena, shot, stage)


@compiled
def _fly(arena: Record, shot: Record, stage: Record) -> None:
    player = arena.player
    dx = shot.vx * TICK
    dz = shot.vz * TICK
    free = sweep_walls(stage, shot.x, shot.z, dx, dz, RADIUS)
    share = sweep_circle(shot.x, shot.z, dx, dz, player.x, player.z, RADIUS + PLAYER_RADIUS)
    if share <= free and player.dash == 0:  # a dash goes through shots
        damage_player(arena, DAMAGE, shot.kind, shot.vx, shot.vz)
        shot.live = 0
    elif free < 1.0:
        shot.live = 0
    shot.x += dx
    shot.z += dz
    shot.reach -= TICK
    if shot.reach <= 0.0:
        shot.live = 0
