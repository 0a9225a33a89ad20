"""The order of things: one tick of one arena, and the beginning of an episode."""

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import PLAYING, ArenaRecord, Stages
from arena_breaker_gym.engine.enemies import run_enemies
from arena_breaker_gym.engine.hazards import run_hazards
from arena_breaker_gym.engine.player import HP, move_player
from arena_breaker_gym.engine.shots import fire, fly_enemy_shots, fly_shots
from arena_breaker_gym.engine.waves import advance, begin_stage, direct_wave

ENGINE_VERSION = 1  # bumped by every change that alters play; stored with every episode


@compiled
def begin(
    arena: ArenaRecord, stage: int, keys: NDArray[np.int64], fix: bool, campaign: Stages
) -> None:
    """Begins an episode in a record that is all zeros; keys (2,) are 32-bit random keys."""
    arena.random.key0 = keys[0]
    arena.random.key1 = keys[1]
    arena.point_blank_fix = 1 if fix else 0
    arena.player.hp = HP
    arena.player.heading_z = 1.0
    begin_stage(arena, stage, campaign)


@compiled
def tick(arena: ArenaRecord, action: NDArray[np.float64], campaign: Stages) -> None:
    """Moves an arena on by 1/60 s; after the end nothing moves any more.

    Args:
        arena: The arena's record.
        action: (5,) float64: move_x, move_z, aim_x, aim_z (sticks of length at most 1), dash.
        campaign: (n,) all stages, of dtype `stages.table.STAGE`.
    """
    if arena.outcome != PLAYING:
        return
    stage = campaign[arena.stage]
    arena.tick += 1
    arena.stage_tick += 1
    direct_wave(arena, stage)
    move_player(arena, action, stage)
    run_enemies(arena, stage)
    fire(arena, stage)
    fly_shots(arena, stage)
    fly_enemy_shots(arena, stage)
    run_hazards(arena, stage)
    if arena.outcome == PLAYING:
        advance(arena, stage, campaign)
