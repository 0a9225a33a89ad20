"""Charger: winds up in sight, charges in a straight line, is stunned if it meets a wall."""

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import TICK, ArenaRecord, EnemyRecord, ticks
from arena_breaker_gym.engine.roster import RADIUS, SPEED, WALKING
from arena_breaker_gym.engine.space import sweep_walls
from arena_breaker_gym.engine.steering import chase, face, sees, stand
from arena_breaker_gym.stages.table import CHARGER, StageRecord

WIND_UP, CHARGE, STUNNED = 1, 2, 3  # phases

WIND_UP_TICKS = ticks(0.6)
CHARGE_TICKS = ticks(0.7)
STUNNED_TICKS = ticks(0.8)
CHARGE_SPEED = 11.0  # m/s
_SIGHT = 7.0  # m; our own value
_AIM_TICKS = ticks(0.2)  # its aim is fixed for the last part of the wind-up; our own value
_REST = ticks(1.0)  # between charges; our own value


@compiled
def act(arena: ArenaRecord, enemy: EnemyRecord, stage: StageRecord) -> None:
    """One tick of a charger's mind."""
    if enemy.phase == WIND_UP:
        _wind_up(arena, enemy)
    elif enemy.phase == CHARGE:
        _charge(enemy, stage)
    elif enemy.phase == STUNNED:
        stand(enemy)
        if enemy.clock == 0:
            _walk_again(enemy)
    else:
        _hunt(arena, enemy, stage)


@compiled
def _hunt(arena: ArenaRecord, enemy: EnemyRecord, stage: StageRecord) -> None:
    player = arena.player
    chase(arena, enemy, player.x, player.z, SPEED[CHARGER], stage)
    dx = player.x - enemy.x
    dz = player.z - enemy.z
    near = dx * dx + dz * dz < _SIGHT * _SIGHT
    if enemy.reload == 0 and near and sees(arena, enemy, player.x, player.z, stage):
        enemy.phase = WIND_UP
        enemy.clock = WIND_UP_TICKS


@compiled
def _wind_up(arena: ArenaRecord, enemy: EnemyRecord) -> None:
    stand(enemy)
    if enemy.clock >= _AIM_TICKS:
        face(enemy, arena.player.x, arena.player.z)
    if enemy.clock == 0:
        enemy.phase = CHARGE
        enemy.clock = CHARGE_TICKS


@compiled
def _charge(enemy: EnemyRecord, stage: StageRecord) -> None:
    enemy.vx = CHARGE_SPEED * enemy.heading_x
    enemy.vz = CHARGE_SPEED * enemy.heading_z
    dx = enemy.vx * TICK
    dz = enemy.vz * TICK
    skin = 0.9 * RADIUS[CHARGER]  # it stands against a wall at its full radius
    if sweep_walls(stage, enemy.x, enemy.z, dx, dz, skin) < 1.0:
        enemy.phase = STUNNED
        enemy.clock = STUNNED_TICKS
        enemy.vx = 0.0
        enemy.vz = 0.0
    elif enemy.clock == 0:
        _walk_again(enemy)


@compiled
def _walk_again(enemy: EnemyRecord) -> None:
    enemy.phase = WALKING
    enemy.reload = _REST
