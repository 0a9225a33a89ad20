"""Shooter: keeps its distance with a clear line, telegraphs, fires an aimed shot."""

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import ArenaRecord, EnemyRecord, ticks
from arena_breaker_gym.engine.roster import SPEED, WALKING
from arena_breaker_gym.engine.shots import shoot
from arena_breaker_gym.engine.steering import chase, face, go, sees, stand
from arena_breaker_gym.stages.table import SHOOTER, StageRecord

TELEGRAPH = 1  # phase: stands, aims, about to fire

NEAREST, FARTHEST = 5.0, 7.0  # m: where it likes to stand
TELEGRAPH_TICKS = ticks(0.35)
RELOAD = ticks(1.2)
SHOT_SPEED = 8.0  # m/s
_FIRING_RANGE = 9.0  # m; our own value
_STRAFE = 0.5  # share of its speed while it circles at the right distance; our own value


@compiled
def act(arena: ArenaRecord, enemy: EnemyRecord, stage: StageRecord) -> None:
    """One tick of a shooter's mind."""
    player = arena.player
    if enemy.phase == TELEGRAPH:
        stand(enemy)
        face(enemy, player.x, player.z)
        if enemy.clock == 0:
            shoot(arena, enemy, enemy.heading_x, enemy.heading_z, SHOT_SPEED)
            enemy.phase = WALKING
            enemy.reload = RELOAD
    elif not sees(arena, enemy, player.x, player.z, stage):
        chase(arena, enemy, player.x, player.z, SPEED[SHOOTER], stage)
    else:
        distance = face(enemy, player.x, player.z)
        if enemy.reload == 0 and distance < _FIRING_RANGE:
            enemy.phase = TELEGRAPH
            enemy.clock = TELEGRAPH_TICKS
        else:
            _keep_distance(enemy, distance)


@compiled
def _keep_distance(enemy: EnemyRecord, distance: float) -> None:
    """Comes nearer, backs off or circles, always facing the player."""
    facing_x = enemy.heading_x
    facing_z = enemy.heading_z
    if distance > FARTHEST:
        go(enemy, facing_x, facing_z, SPEED[SHOOTER])
    elif distance < NEAREST:
        go(enemy, -facing_x, -facing_z, SPEED[SHOOTER])
    else:
        turn = 1.0 if enemy.serial % 2 == 0 else -1.0
        go(enemy, -turn * facing_z, turn * facing_x, _STRAFE * SPEED[SHOOTER])
    enemy.heading_x = facing_x
    enemy.heading_z = facing_z
