"""Swarmer: runs at the player; a crowd comes from all sides."""

import numpy as np

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import ArenaRecord, EnemyRecord
from arena_breaker_gym.engine.roster import SPEED
from arena_breaker_gym.engine.steering import chase
from arena_breaker_gym.stages.table import SWARMER, StageRecord

# Each swarmer aims at its own side of the player, by its serial number (eight sides), and
# the nearer it is, the less it leads round: our own way to surround without a formation.
_DIAGONAL = 0.7071067811865476
_SIDES = np.array(
    [
        (1.0, 0.0),
        (-1.0, 0.0),
        (0.0, 1.0),
        (0.0, -1.0),
        (_DIAGONAL, _DIAGONAL),
        (-_DIAGONAL, -_DIAGONAL),
        (_DIAGONAL, -_DIAGONAL),
        (-_DIAGONAL, _DIAGONAL),
    ]
)
_LEAD = 0.6  # m of lead round the player for each metre of distance
_LONGEST_LEAD = 3.0  # m


@compiled
def act(arena: ArenaRecord, enemy: EnemyRecord, stage: StageRecord) -> None:
    """One tick of a swarmer's mind."""
    player = arena.player
    dx = player.x - enemy.x
    dz = player.z - enemy.z
    distance = np.sqrt(dx * dx + dz * dz)
    lead = min(_LEAD * max(distance - 1.0, 0.0), _LONGEST_LEAD)
    side = _SIDES[enemy.serial % _SIDES.shape[0]]
    chase(arena, enemy, player.x + lead * side[0], player.z + lead * side[1], SPEED[SWARMER], stage)
