"""How enemies walk: towards a place round obstacles, away from one, with some inertia."""

import numpy as np

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import ArenaRecord, EnemyRecord
from arena_breaker_gym.engine.roster import RADIUS
from arena_breaker_gym.engine.space import in_sight, walk
from arena_breaker_gym.stages.table import StageRecord

_AGILITY = 0.15  # share of the wanted change of velocity made in one tick; our own value
_LOOK_EVERY = 4  # ticks; each enemy looks in its own tick, by its serial; our own value


@compiled
def sees(arena: ArenaRecord, enemy: EnemyRecord, x: float, z: float, stage: StageRecord) -> bool:
    """Whether the enemy's body could go straight to (x, z), as of its last look."""
    if (arena.tick + enemy.serial) % _LOOK_EVERY == 0:
        reach = 0.8 * RADIUS[enemy.kind]  # a little less, so that brushing a wall does not blind it
        clear = in_sight(stage, enemy.x, enemy.z, x, z, reach)
        enemy.sight = 1 if clear else 0
    return enemy.sight != 0


@compiled
def chase(
    arena: ArenaRecord, enemy: EnemyRecord, x: float, z: float, speed: float, stage: StageRecord
) -> None:
    """Walks to (x, z): straight when the way is clear, else along the flow field."""
    if sees(arena, enemy, x, z, stage):
        dx = x - enemy.x
        dz = z - enemy.z
        length = np.sqrt(dx * dx + dz * dz)
        if length > 1e-9:
            go(enemy, dx / length, dz / length, speed)
    else:
        dx, dz = walk(stage, enemy.x, enemy.z, x, z)
        if dx != 0.0 or dz != 0.0:
            go(enemy, dx, dz, speed)


@compiled
def go(enemy: EnemyRecord, dx: float, dz: float, speed: float) -> None:
    """Leans the velocity towards a unit direction at a speed, and faces that way."""
    enemy.vx += _AGILITY * (speed * dx - enemy.vx)
    enemy.vz += _AGILITY * (speed * dz - enemy.vz)
    if speed > 0.0:
        enemy.heading_x = dx
        enemy.heading_z = dz


@compiled
def stand(enemy: EnemyRecord) -> None:
    """Comes to rest."""
    enemy.vx -= 2.0 * _AGILITY * enemy.vx
    enemy.vz -= 2.0 * _AGILITY * enemy.vz


@compiled
def face(enemy: EnemyRecord, x: float, z: float) -> float:
    """Turns to (x, z) and returns the distance to it."""
    dx = x - enemy.x
    dz = z - enemy.z
    length: float = np.sqrt(dx * dx + dz * dz)
    if length > 1e-9:
        enemy.heading_x = dx / length
        enemy.heading_z = dz / length
    return length
