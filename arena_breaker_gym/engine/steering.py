"""How enemies walk: towards a place round obstacles, away from one, with some inertia."""

import numpy as np

from arena_breaker_gym.compiled import compiled
from arena_breaker_gym.engine.ground import Ground
from arena_breaker_gym.engine.roster.stats import RADIUS
from arena_breaker_gym.engine.space import in_sight, walk

_AGILITY = 0.15  # share of the wanted change of velocity made in one tick; our own value


@compiled
def sees(enemy: np.record, x: float, z: float, ground: Ground) -> bool:
    """Whether the enemy's body could go straight to (x, z)."""
    reach = 0.8 * RADIUS[enemy.kind]  # a little less, so that brushing a wall does not blind it
    return in_sight(ground.distance, ground.stage, enemy.x, enemy.z, x, z, reach)


@compiled
def chase(enemy: np.record, x: float, z: float, speed: float, ground: Ground) -> None:
    """Walks to (x, z): straight when the way is clear, else along the flow field."""
    dx = x - enemy.x
    dz = z - enemy.z
    length = np.sqrt(dx * dx + dz * dz)
    if length < 1e-9:
        return
    dx /= length
    dz /= length
    if not sees(enemy, x, z, ground):
        flow_x, flow_z = walk(ground.flow, ground.stage, enemy.x, enemy.z, x, z)
        if flow_x != 0.0 or flow_z != 0.0:
            dx = flow_x
            dz = flow_z
    go(enemy, dx, dz, speed)


@compiled
def go(enemy: np.record, dx: float, dz: float, speed: float) -> None:
    """Leans the velocity towards a unit direction at a speed, and faces that way."""
    enemy.vx += _AGILITY * (speed * dx - enemy.vx)
    enemy.vz += _AGILITY * (speed * dz - enemy.vz)
    if speed > 0.0:
        enemy.heading_x = dx
        enemy.heading_z = dz


@compiled
def stand(enemy: np.record) -> None:
    """Comes to rest."""
    enemy.vx -= 2.0 * _AGILITY * enemy.vx
    enemy.vz -= 2.0 * _AGILITY * enemy.vz


@compiled
def face(enemy: np.record, x: float, z: float) -> float:
    """Turns to (x, z) and returns the distance to it."""
    dx = x - enemy.x
    dz = z - enemy.z
    length = np.sqrt(dx * dx + dz * dz)
    if length > 1e-9:
        enemy.heading_x = dx / length
        enemy.heading_z = dz / length
    return length
