"""Whether a record may be played on: every number within what the rules themselves can write.

The rules look things up by what stands in a record (an enemy's kind, a saw's leg, a wave), so a
record from a damaged or foreign file could send them outside an array. Comparisons are written so
that NaN fails them.
"""

import numpy as np

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import (
    CAUSES,
    MAX_ENEMIES,
    PLAYER_HIT,
    PLAYING,
    VICTORY,
    ArenaRecord,
    EffectRecord,
    EnemyRecord,
    EnemyShotRecord,
    HazardRecord,
    RandomRecord,
    ShotRecord,
    Stages,
)
from arena_breaker_gym.engine.damage import FLASH, GRACE
from arena_breaker_gym.engine.hazards import UP
from arena_breaker_gym.engine.player import DASH_COOLDOWN, DASH_TICKS, HP
from arena_breaker_gym.engine.roster import HP as ENEMY_HP
from arena_breaker_gym.engine.roster import bomber, charger, sentinel, shooter
from arena_breaker_gym.engine.shots import ENEMY_SHOT_RANGE, RANGE, RELOAD
from arena_breaker_gym.engine.waves import FIRST_PAUSE, PAUSE
from arena_breaker_gym.stages.table import SAW, StageRecord

# What may be unsound, in the order in which it is looked at; 0 stands for nothing.
PARTS = (
    "",
    "clock",
    "random numbers",
    "player",
    "enemies",
    "shots",
    "enemy shots",
    "hazards",
    "effects",
    "wave",
    "statistics",
)

_LONG = 2**40  # ticks, counts: no game comes near, no sum overflows
_DRAWS = 2**31  # random numbers drawn: what their hash can count to
_WORD = 0xFFFFFFFF
_FAST = 100.0  # m/s: nothing is nearly as fast
_FAR = 100.0  # m: where what is gone may have been
_SIGHT = 32.0  # m along x or z from the player: the largest floor, and the state's bound
_EDGE = 0.5  # m: a shot that is stopped by the outer wall may have begun to enter it
_ROUNDING = 1e-6
_LONGEST_CLOCK = 100_000  # ticks; the longest phase is of spikes, a minute
_LAST_PHASE = np.array(
    [charger.STUNNED, 0, shooter.TELEGRAPH, charger.STUNNED, 0, bomber.FUSE, sentinel.TRIPLE]
)  # by enemy code; the first is of empty slots, which keep the last one's


@compiled
def fault_of(arena: ArenaRecord, campaign: Stages) -> int:
    """The first part of a record that no game on these stages can hold, of `PARTS`; 0: it is sound.

    Args:
        arena: Of dtype `engine.arena.ARENA`, with any numbers at all.
        campaign: (n,) all stages.
    """
    if not _sound_clock(arena, campaign.shape[0]):
        return 1
    stage = campaign[arena.stage]
    sound = (
        _sound_random(arena.random),
        _sound_player(arena, stage),
        _sound_enemies(arena, stage),
        _sound_shots(arena, stage),
        _sound_enemy_shots(arena, stage),
        _sound_hazards(arena, stage),
        _sound_effects(arena),
        _sound_wave(arena, stage),
        _sound_statistics(arena),
    )
    for part in range(len(sound)):
        if not sound[part]:
            return part + 2
    return 0


@compiled
def _within(value: float, most: float) -> bool:
    return -most <= value <= most


@compiled
def _sound_clock(arena: ArenaRecord, stages: int) -> bool:
    return (
        0 <= arena.stage < stages
        and 0 <= arena.stage_tick <= arena.tick < _LONG
        and PLAYING <= arena.outcome <= VICTORY
        and 0 <= arena.point_blank_fix <= 1
        and 0 <= arena.serial < _LONG
        and 0 <= arena.effect_count < _LONG
    )


@compiled
def _sound_random(random: RandomRecord) -> bool:
    keys = 0 <= random.key0 <= _WORD and 0 <= random.key1 <= _WORD
    return keys and 0 <= random.counter < _DRAWS


@compiled
def _sound_player(arena: ArenaRecord, stage: StageRecord) -> bool:
    player = arena.player
    place = _within(player.x, 0.5 * stage.width) and _within(player.z, 0.5 * stage.depth)
    speed = _within(player.vx, _FAST) and _within(player.vz, _FAST)
    push = _within(player.push_x, _FAST) and _within(player.push_z, _FAST)
    aim = _within(player.aim_x, 1.0 + _ROUNDING) and _within(player.aim_z, 1.0 + _ROUNDING)
    dash = _within(player.dash_x, 1.0 + _ROUNDING) and _within(player.dash_z, 1.0 + _ROUNDING)
    alive = player.hp >= 1 or (player.hp == 0 and arena.outcome != PLAYING)
    clocks = (
        0 <= player.grace <= GRACE
        and 0 <= player.reload <= RELOAD
        and 0 <= player.dash <= DASH_TICKS
        and 0 <= player.dash_cooldown <= DASH_COOLDOWN
    )
    ways = _is_way(player.heading_x, player.heading_z)
    alive = alive and player.hp <= HP
    return place and speed and push and aim and dash and ways and alive and clocks


@compiled
def _is_way(x: float, z: float) -> bool:
    return _within(x, 1.0 + _ROUNDING) and _within(z, 1.0 + _ROUNDING)


@compiled
def _sound_enemies(arena: ArenaRecord, stage: StageRecord) -> bool:
    sound = True
    for enemy in arena.enemies:
        sound = sound and _sound_enemy(arena, enemy, stage)
    return sound


@compiled
def _sound_shots(arena: ArenaRecord, stage: StageRecord) -> bool:
    for shot in arena.shots:
        if not 0 <= shot.passing < 1 << MAX_ENEMIES or not _sound_flight(arena, shot, stage, RANGE):
            return False
    return True


@compiled
def _sound_enemy_shots(arena: ArenaRecord, stage: StageRecord) -> bool:
    for shot in arena.enemy_shots:
        if not _is_from(shot) or not _sound_flight(arena, shot, stage, ENEMY_SHOT_RANGE):
            return False
    return True


@compiled
def _sound_hazards(arena: ArenaRecord, stage: StageRecord) -> bool:
    for index in range(arena.hazards.shape[0]):
        if not _sound_hazard(arena.hazards[index], stage, index):
            return False
    return True


@compiled
def _sound_effects(arena: ArenaRecord) -> bool:
    sound = True
    for mark in arena.effects:
        sound = sound and _sound_effect(arena, mark)
    return sound


@compiled
def _sound_enemy(arena: ArenaRecord, enemy: EnemyRecord, stage: StageRecord) -> bool:
    kind = enemy.kind
    if not 0 <= kind < ENEMY_HP.shape[0]:
        return False
    if kind != 0:
        seen = _is_seen(arena, enemy.x, enemy.z, stage, 0.0)
        life = 1 <= enemy.hp <= ENEMY_HP[kind]
    else:
        seen = _within(enemy.x, _FAR) and _within(enemy.z, _FAR)
        life = _within(enemy.hp, _FAR)
    speed = _within(enemy.vx, _FAST) and _within(enemy.vz, _FAST)
    clocks = (
        0 <= enemy.clock <= _LONGEST_CLOCK
        and 0 <= enemy.reload <= _LONGEST_CLOCK
        and 0 <= enemy.flash <= FLASH
    )
    counted = 0 <= enemy.serial <= arena.serial and 0 <= enemy.sight <= 1
    phase = 0 <= enemy.phase <= _LAST_PHASE[kind]
    return seen and life and speed and clocks and counted and phase and _faces(enemy)


@compiled
def _faces(enemy: EnemyRecord) -> bool:
    return _is_way(enemy.heading_x, enemy.heading_z)


@compiled
def _is_seen(arena: ArenaRecord, x: float, z: float, stage: StageRecord, beyond: float) -> bool:
    """Whether a place lies on the floor, or `beyond` metres off it, and near enough to observe."""
    on_floor = _within(x, 0.5 * stage.width + beyond) and _within(z, 0.5 * stage.depth + beyond)
    return on_floor and _within(x - arena.player.x, _SIGHT) and _within(z - arena.player.z, _SIGHT)


@compiled
def _sound_flight(
    arena: ArenaRecord, shot: ShotRecord | EnemyShotRecord, stage: StageRecord, most: float
) -> bool:
    if not 0 <= shot.live <= 1:
        return False
    place = _within(shot.x, _FAR) and _within(shot.z, _FAR)
    if shot.live == 1:
        place = _is_seen(arena, shot.x, shot.z, stage, _EDGE)
    speed = _within(shot.vx, _FAST) and _within(shot.vz, _FAST)
    return place and speed and _within(shot.reach, most)


@compiled
def _is_from(shot: EnemyShotRecord) -> bool:
    return shot.live <= shot.kind < len(ENEMY_HP)


@compiled
def _sound_hazard(hazard: HazardRecord, stage: StageRecord, index: int) -> bool:
    if index >= stage.hazard_count:
        return hazard.kind == 0
    plan = stage.hazards[index]
    if hazard.kind != plan.kind or hazard.radius != plan.radius:
        return False
    speed = _within(hazard.vx, _FAST) and _within(hazard.vz, _FAST)
    clocks = 0 <= hazard.phase <= UP and 0 <= hazard.clock <= _LONGEST_CLOCK
    way = abs(hazard.way) == 1
    if hazard.kind == SAW:
        place = _within(hazard.x, 0.5 * stage.width) and _within(hazard.z, 0.5 * stage.depth)
        way = way and 0 <= hazard.leg < plan.point_count
    else:
        place = hazard.x == plan.track[0, 0] and hazard.z == plan.track[0, 1]
    return place and speed and clocks and way


@compiled
def _sound_effect(arena: ArenaRecord, mark: EffectRecord) -> bool:
    place = _within(mark.x, _FAR) and _within(mark.z, _FAR)
    return place and 0 <= mark.kind <= PLAYER_HIT and 0 <= mark.tick <= arena.tick


@compiled
def _sound_wave(arena: ArenaRecord, stage: StageRecord) -> bool:
    director = arena.director
    if not (-1 <= director.wave < stage.wave_count and 0 <= director.clock <= arena.tick):
        return False
    if not 0 <= director.pause <= max(FIRST_PAUSE, PAUSE):
        return False
    for sent in director.spawned:
        if not 0 <= sent <= MAX_ENEMIES:
            return False
    # A pause leads to the next wave, which there must be; without a pause there is one under way.
    sound = director.wave >= 0
    if director.pause > 0:
        sound = director.wave + 1 < stage.wave_count
    return sound


@compiled
def _sound_statistics(arena: ArenaRecord) -> bool:
    statistics = arena.statistics
    for killed in statistics.kills_by_type:
        if not 0 <= killed <= statistics.kills:
            return False
    return (
        0 <= statistics.cause_of_death < len(CAUSES)
        and 0 <= statistics.score < _LONG
        and 0 <= statistics.kills < _LONG
        and 0 <= statistics.hits <= statistics.shots_fired < _LONG
        and 0 <= statistics.dashes < _LONG
        and 0 <= statistics.damage_taken < _LONG
        and 0 <= statistics.waves_cleared <= statistics.waves_begun < _LONG
        and 0 <= statistics.firing_ticks <= arena.tick
        and 0.0 <= statistics.aim_length <= arena.tick * (1.0 + _ROUNDING)
    )
