"""The record that holds one whole arena; a batch is an array of such records."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.stages.table import ENEMY_TYPES, HAZARD_TYPES, MAX_GROUPS, MAX_HAZARDS

TICKS_PER_SECOND = 60
TICK = 1.0 / TICKS_PER_SECOND  # s

MAX_ENEMIES = 24
MAX_SHOTS = 48
MAX_ENEMY_SHOTS = 64
MAX_EFFECTS = 16

# A `np.record` whose fields are read and written by name; what type a field has stands in the
# dtypes of `engine.arena` and `stages.table`, where no static checker can see it.
Record: TypeAlias = Any

# All stages of a campaign: (n,) of dtype `stages.table.STAGE`.
Stages: TypeAlias = NDArray[np.void]


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

PLAYER = np.dtype(
    (
        np.record,
        [
            ("x", "f8"),
            ("z", "f8"),
            ("vx", "f8"),
            ("vz", "f8"),
            ("aim_x", "f8"),  # the aim stick as given, length at most 1
            ("aim_z", "f8"),
            ("heading_x", "f8"),  # unit vector: where the body points
            ("heading_z", "f8"),
            ("hp", "i8"),
            ("grace", "i8"),  # ticks left in which nothing hurts, after a hit
            ("reload", "i8"),  # ticks until the next shot may leave
            ("dash", "i8"),  # ticks left of the dash under way
            ("dash_cooldown", "i8"),  # ticks until the dash is ready again
            ("dash_x", "f8"),  # unit vector of the dash under way
            ("dash_z", "f8"),
            ("push_x", "f8"),  # m/s: what is left of the shove of the last hit
            ("push_z", "f8"),
        ],
    )
)
ENEMY = np.dtype(
    (
        np.record,
        [
            ("kind", "i8"),  # code of `stages.names`; 0: an empty slot
            ("x", "f8"),
            ("z", "f8"),
            ("vx", "f8"),
            ("vz", "f8"),
            ("heading_x", "f8"),  # unit vector: where it faces, charges or aims
            ("heading_z", "f8"),
            ("hp", "i8"),
            ("phase", "i8"),  # what it is doing: the constants of its file in `roster`
            ("clock", "i8"),  # ticks left of this phase
            ("reload", "i8"),  # ticks until its next attack
            ("flash", "i8"),  # ticks left of the white flash after a hit
            ("sight", "i8"),  # 1: its way was clear when it last looked
            ("serial", "i8"),  # 1, 2, 3 … in order of birth in this episode
        ],
    )
)
SHOT = np.dtype(
    (
        np.record,
        [
            ("live", "i8"),
            ("x", "f8"),
            ("z", "f8"),
            ("vx", "f8"),
            ("vz", "f8"),
            ("reach", "f8"),  # metres it may still fly
            ("passing", "i8"),  # bit i: goes through the enemy in slot i (the point-blank bug)
        ],
    )
)
ENEMY_SHOT = np.dtype(
    (
        np.record,
        [
            ("live", "i8"),
            ("x", "f8"),
            ("z", "f8"),
            ("vx", "f8"),
            ("vz", "f8"),
            ("reach", "f8"),  # seconds it may still fly
            ("kind", "i8"),  # who fired it: a code of `stages.names`
        ],
    )
)
HAZARD = np.dtype(
    (
        np.record,
        [
            ("kind", "i8"),
            ("x", "f8"),
            ("z", "f8"),
            ("radius", "f8"),
            ("vx", "f8"),  # a saw's velocity along its track
            ("vz", "f8"),
            ("leg", "i8"),  # a saw heads for corner `leg` of its track
            ("way", "i8"),  # +1 forward, -1 back
            ("phase", "i8"),  # spikes: 0 down, 1 warning, 2 up
            ("clock", "i8"),  # spikes: ticks left of this phase
        ],
    )
)
EFFECT = np.dtype(  # a death or blast for the renderer to show; play never reads it
    (np.record, [("kind", "i8"), ("x", "f8"), ("z", "f8"), ("tick", "i8")])
)
DIRECTOR = np.dtype(  # sends the wave's enemies in
    (
        np.record,
        [
            ("wave", "i8"),  # index of the wave under way; -1 before the first
            ("clock", "i8"),  # ticks since the wave began
            ("pause", "i8"),  # ticks until the next wave begins
            ("spawned", "i8", (MAX_GROUPS,)),  # how many of each group have come
        ],
    )
)
RANDOM = np.dtype((np.record, [("key0", "i8"), ("key1", "i8"), ("counter", "i8")]))
STATISTICS = (
    np.dtype(  # running counts; the environment's rewards and metrics are their differences
        (
            np.record,
            [
                ("score", "i8"),
                ("kills", "i8"),
                ("shots_fired", "i8"),
                ("hits", "i8"),
                ("dashes", "i8"),
                ("damage_taken", "i8"),
                ("waves_begun", "i8"),
                ("waves_cleared", "i8"),
                ("firing_ticks", "i8"),  # ticks with the aim stick past the fire threshold
                ("aim_length", "f8"),  # sum over ticks of the aim stick's length
                ("kills_by_type", "i8", (7,)),  # by enemy code
                ("cause_of_death", "i8"),  # index into `CAUSES`; 0 while alive
            ],
        )
    )
)
ARENA = np.dtype(
    (
        np.record,
        [
            ("tick", "i8"),  # ticks since reset
            ("stage", "i8"),  # index into the campaign's stages
            ("stage_tick", "i8"),  # ticks since this stage began
            ("outcome", "i8"),
            ("point_blank_fix", "i8"),
            ("serial", "i8"),  # enemies born so far
            ("random", RANDOM),
            ("player", PLAYER),
            ("enemies", ENEMY, (MAX_ENEMIES,)),
            ("shots", SHOT, (MAX_SHOTS,)),
            ("enemy_shots", ENEMY_SHOT, (MAX_ENEMY_SHOTS,)),
            ("hazards", HAZARD, (MAX_HAZARDS,)),
            ("effects", EFFECT, (MAX_EFFECTS,)),
            ("effect_count", "i8"),  # effects ever; slot = count modulo MAX_EFFECTS
            ("director", DIRECTOR),
            ("statistics", STATISTICS),
        ],
    )
)
