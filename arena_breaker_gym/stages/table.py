"""The compiled form of a campaign: read-only records and fields that the engine looks up.

Nothing here reads JSON or asks pymunk; `loader` and `fields` fill these tables.
Lengths are metres, times are ticks (1/60 s), angles do not occur. The baked fields lie inside
the record, so that a rule is handed one pointer for all that it may look up.

The code 0 means "nothing here"; a type's code is its place in the tuple. Stage files,
the engine, the snapshot and the renderer all take their codes from here.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.records import Record, Rows, dtype_of

MAX_WAVES = 12
MAX_GROUPS = 8  # a wave
MAX_ZONES = 12
MAX_HAZARDS = 16
MAX_TRACK_POINTS = 12

DISTANCE_NODES = 193  # nodes a side of the signed-distance field, edges of the stage included
FLOW_CELLS = 32  # cells a side of the flow field's grid

LARGEST_HAZARD = 2.0  # m, of a saw's or a spike plate's radius; the observation's bound, too

# Of enemies, in metres: what the checks need to know of them.
RADII = {
    "swarmer": 0.35,
    "shooter": 0.45,
    "charger": 0.55,
    "splitter": 0.65,
    "bomber": 0.45,
    "sentinel": 0.80,
}


class GroupRecord(Record):
    """Enemies of one type that a wave sends in through one zone."""

    kind: int  # index into `ENEMY_TYPES`
    count: int
    delay: int  # ticks from the wave's start to the first spawn
    spacing: int  # ticks between spawns
    zone: int  # index into the stage's zones


class WaveRecord(Record):
    """The groups of a wave."""

    group_count: int
    groups: Annotated[Rows[GroupRecord], GroupRecord, (MAX_GROUPS,)]


class ZoneRecord(Record):
    """An axis-aligned rectangle; enemies appear anywhere in it."""

    x: float
    z: float
    half_width: float
    half_depth: float


class HazardPlanRecord(Record):
    """A saw or spikes as the stage has planned them."""

    kind: int  # index into `HAZARD_TYPES`
    radius: float
    # A saw follows its track, there and back again unless the track is closed.
    point_count: int
    track: Annotated[
        NDArray[np.float64], "f8", (MAX_TRACK_POINTS, 2)
    ]  # corners (x, z); spikes use the first
    closed: int  # 1: from the last corner straight on to the first
    speed: float  # m/s along the track
    # Spikes cycle down, warn, up.
    down: int
    warn: int
    up: int
    offset: int  # ticks into the cycle when the stage begins


class StageRecord(Record):
    """A whole stage: sizes, waves, zones, hazards, and the baked fields."""

    width: float  # along x; the floor spans [-width/2, width/2]
    depth: float  # along z; the floor spans [-depth/2, depth/2]
    # Of the distance field, so that look-ups need not divide:
    columns_per_metre: float
    rows_per_metre: float
    cell_diagonal: float  # m
    start_x: float
    start_z: float
    wave_count: int
    waves: Annotated[Rows[WaveRecord], WaveRecord, (MAX_WAVES,)]
    zone_count: int
    zones: Annotated[Rows[ZoneRecord], ZoneRecord, (MAX_ZONES,)]
    hazard_count: int
    hazards: Annotated[Rows[HazardPlanRecord], HazardPlanRecord, (MAX_HAZARDS,)]
    # Metres to the nearest wall or obstacle, negative inside one; node [row, column]
    # lies at x = -width/2 + column·width/192, z = -depth/2 + row·depth/192.
    distance: Annotated[NDArray[np.float32], "f4", (DISTANCE_NODES, DISTANCE_NODES)]
    # [target, cell] is the direction 0..7 (steps of 45° from +x towards +z) of the first
    # step of a shortest walk from `cell` to `target`; -1 where there is none or cell is
    # target. A cell's index is row·32 + column on a 32×32 grid over the floor.
    flow: Annotated[NDArray[np.int8], "i1", (FLOW_CELLS**2, FLOW_CELLS**2)]


ENEMY_TYPES = ("", "swarmer", "shooter", "charger", "splitter", "bomber", "sentinel")
SWARMER, SHOOTER, CHARGER, SPLITTER, BOMBER, SENTINEL = range(1, 7)

HAZARD_TYPES = ("", "saw", "spikes")
SAW, SPIKES = range(1, 3)

STAGE = dtype_of(StageRecord)
