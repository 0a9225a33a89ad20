"""The record that holds one whole arena; a batch is an array of such records."""

from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.records import Record, Rows, dtype_of
from arena_breaker_gym.stages.table import (
    ENEMY_TYPES,
    HAZARD_TYPES,
    MAX_GROUPS,
    MAX_HAZARDS,
    StageRecord,
)

TICKS_PER_SECOND = 60
TICK = 1.0 / TICKS_PER_SECOND  # s

MAX_ENEMIES = 24
MAX_SHOTS = 48
MAX_ENEMY_SHOTS = 64
MAX_EFFECTS = 16

# All stages of a campaign: (n,) of dtype `stages.table.STAGE`.
Stages: TypeAlias = Rows[StageRecord]


def ticks(seconds: float) -> int:
    """The whole number of ticks nearest to a time in seconds."""
    return round(seconds * TICKS_PER_SECOND)


# How an episode stands: the field `outcome`.
PLAYING, DEFEAT, VICTORY = 0, 1, 2

# What may cost the player a life: an enemy (by touch, shot or blast), by its code, or a hazard.
CAUSES = (*ENEMY_TYPES, *HAZARD_TYPES[1:])
FIRST_HAZARD_CAUSE = len(ENEMY_TYPES) - 1  # a hazard's cause is this plus its code

# Kinds of burst beyond the six enemies' deaths.
BLAST, PLAYER_HIT = 7, 8


class PlayerRecord(Record):
    """The player."""

    x: float
    z: float
    vx: float
    vz: float
    aim_x: float  # the aim stick as given, length at most 1
    aim_z: float
    heading_x: float  # unit vector: where the body points
    heading_z: float
    hp: int
    grace: int  # ticks left in which nothing hurts, after a hit
    reload: int  # ticks until the next shot may leave
    dash: int  # ticks left of the dash under way
    dash_cooldown: int  # ticks until the dash is ready again
    dash_x: float  # unit vector of the dash under way
    dash_z: float
    push_x: float  # m/s: what is left of the shove of the last hit
    push_z: float


class EnemyRecord(Record):
    """A slot for an enemy."""

    kind: int  # index into `ENEMY_TYPES`; 0: an empty slot
    x: float
    z: float
    vx: float
    vz: float
    heading_x: float  # unit vector: where it faces, charges or aims
    heading_z: float
    hp: int
    phase: int  # what it is doing: the constants of its file in `roster`
    clock: int  # ticks left of this phase
    reload: int  # ticks until its next attack
    flash: int  # ticks left of the white flash after a hit
    sight: int  # 1: its way was clear when it last looked
    serial: int  # 1, 2, 3 … in order of birth in this episode


class ShotRecord(Record):
    """A slot for one of the player's shots."""

    live: int
    x: float
    z: float
    vx: float
    vz: float
    reach: float  # metres it may still fly
    passing: int  # bit i: goes through the enemy in slot i (the point-blank bug)


class EnemyShotRecord(Record):
    """A slot for an enemy's shot."""

    live: int
    x: float
    z: float
    vx: float
    vz: float
    reach: float  # seconds it may still fly
    kind: int  # who fired it: an index into `ENEMY_TYPES`


class HazardRecord(Record):
    """A saw or spikes as they are now."""

    kind: int
    x: float
    z: float
    radius: float
    vx: float  # a saw's velocity along its track
    vz: float
    leg: int  # a saw heads for corner `leg` of its track
    way: int  # +1 forward, -1 back
    phase: int  # spikes: 0 down, 1 warning, 2 up
    clock: int  # spikes: ticks left of this phase


class EffectRecord(Record):
    """A death or blast for the renderer to show; play never reads it."""

    kind: int
    x: float
    z: float
    tick: int


class DirectorRecord(Record):
    """What sends the wave's enemies in."""

    wave: int  # index of the wave under way; -1 before the first
    clock: int  # ticks since the wave began
    pause: int  # ticks until the next wave begins
    spawned: Annotated[NDArray[np.int64], "i8", (MAX_GROUPS,)]  # how many of each group have come


class RandomRecord(Record):
    """The keys and the counter of the game's random numbers."""

    key0: int
    key1: int
    counter: int


class StatisticsRecord(Record):
    """Running counts; the environment's rewards and metrics are their differences."""

    score: int
    kills: int
    shots_fired: int
    hits: int
    dashes: int
    damage_taken: int
    waves_begun: int
    waves_cleared: int
    firing_ticks: int  # ticks with the aim stick past the fire threshold
    aim_length: float  # sum over ticks of the aim stick's length
    kills_by_type: Annotated[NDArray[np.int64], "i8", (7,)]  # by enemy code
    cause_of_death: int  # index into `CAUSES`; 0 while alive


class ArenaRecord(Record):
    """A whole arena."""

    tick: int  # ticks since reset
    stage: int  # index into the campaign's stages
    stage_tick: int  # ticks since this stage began
    outcome: int
    point_blank_fix: int
    serial: int  # enemies born so far
    random: RandomRecord
    player: PlayerRecord
    enemies: Annotated[Rows[EnemyRecord], EnemyRecord, (MAX_ENEMIES,)]
    shots: Annotated[Rows[ShotRecord], ShotRecord, (MAX_SHOTS,)]
    enemy_shots: Annotated[Rows[EnemyShotRecord], EnemyShotRecord, (MAX_ENEMY_SHOTS,)]
    hazards: Annotated[Rows[HazardRecord], HazardRecord, (MAX_HAZARDS,)]
    effects: Annotated[Rows[EffectRecord], EffectRecord, (MAX_EFFECTS,)]
    effect_count: int  # effects ever; slot = count modulo MAX_EFFECTS
    director: DirectorRecord
    statistics: StatisticsRecord


PLAYER = dtype_of(PlayerRecord)
RANDOM = dtype_of(RandomRecord)
ARENA = dtype_of(ArenaRecord)
