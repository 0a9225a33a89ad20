"""The order of things: one tick of one arena, and the beginning of an episode."""

import numpy as np

from arena_breaker_gym.compiled import compiled
from arena_breaker_gym.engine.arena import PLAYING
from arena_breaker_gym.engine.enemies import run_enemies
from arena_breaker_gym.engine.enemy_shots import fly_enemy_shots
from arena_breaker_gym.engine.ground import Ground
from arena_breaker_gym.engine.hazards import run_hazards
from arena_breaker_gym.engine.player import HP, move_player
from arena_breaker_gym.engine.record import Record
from arena_breaker_gym.engine.shots import fire, fly_shots
from arena_breaker_gym.engine.waves import advance, begin_stage, direct_wave
from arena_breaker_gym.stages.table import Campaign

ENGINE_VERSION = 1  # bumped by every change that alters play; stored with every episode


@compiled
def begin(arena: Record, stage: int, keys: np.ndarray, fix: bool, campaign: Campaign) -> None:
    """Begins an episode in a record that is all zeros; keys (2,) are 32-bit random keys."""
    arena.random.key0 = keys[0]
    arena.random.key1 = keys[1]
    arena.point_blank_fix = 1 if fix else 0
    arena.player.hp = HP
    arena.player.heading_z = 1.0
    begin_stage(arena, stage, campaign)


@compiled
def tick(arena: Record, action: np.ndarray, campaign: Campaign) -> None:
    """Moves an arena on by 1/60 s; after the end nothing moves any more.

    Args:
        arena: The arena's record.
        action: (5,) float64: move_x, move_z, aim_x, aim_z (sticks of length at most 1), dash.
        campaign: All stages.
    """
    if arena.outcome != PLAYING:
        return
    index = arena.stage
    ground = Ground(campaign.stages[index], campaign.distance[index], campaign.flow[index])
    arena.tick += 1
    arena.stage_tick += 1
    direct_wave(arena, ground)
    move_player(arena, action, ground)
    run_enemies(arena, ground)
    fire(arena, ground)
    fly_shots(arena, ground)
    fly_enemy_shots(arena, ground)
    run_hazards(arena, ground)
    if arena.outcome == PLAYING:
        advance(arena, ground, campaign)
