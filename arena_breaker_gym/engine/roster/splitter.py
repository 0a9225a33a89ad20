"""Splitter: slow and sturdy; its death (see `damage`) leaves a brood of three swarmers."""

import numpy as np

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import ArenaRecord, EnemyRecord
from arena_breaker_gym.engine.roster import SPEED
from arena_breaker_gym.engine.steering import chase
from arena_breaker_gym.stages.table import SPLITTER, StageRecord

# Where its three swarmers appear, in metres from its centre: an equilateral triangle.
BROOD = np.array([(0.0, -0.4), (0.35, 0.2), (-0.35, 0.2)])


@compiled
def act(arena: ArenaRecord, enemy: EnemyRecord, stage: StageRecord) -> None:
    """One tick of a splitter's mind."""
    chase(arena, enemy, arena.player.x, arena.player.z, SPEED[SPLITTER], stage)
