"""The compiled form of a campaign: read-only records and fields that the engine looks up.

Nothing here reads JSON or asks pymunk; `loader` and `geometry` fill these tables.
Lengths are metres, times are ticks (1/60 s), angles do not occur. The baked fields lie inside
the record, so that a rule is handed one pointer for all that it may look up.

The code 0 means "nothing here"; a type's code is its place in the tuple. Stage files,
the engine, the snapshot and the renderer all take their codes from here.
"""

import numpy as np

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

GROUP = np.dtype(
    (
        np.record,
        [
            ("kind", "i8"),  # an enemy code of `names`
            ("count", "i8"),
            ("delay", "i8"),  # ticks from the wave's start to the first spawn
            ("spacing", "i8"),  # ticks between spawns
            ("zone", "i8"),  # index into the stage's zones
        ],
    )
)
WAVE = np.dtype((np.record, [("group_count", "i8"), ("groups", GROUP, (MAX_GROUPS,))]))
ZONE = np.dtype(  # an axis-aligned rectangle; enemies appear anywhere in it
    (np.record, [("x", "f8"), ("z", "f8"), ("half_width", "f8"), ("half_depth", "f8")])
)
HAZARD_PLAN = np.dtype(
    (
        np.record,
        [
            ("kind", "i8"),  # a hazard code of `names`
            ("radius", "f8"),
            # A saw follows its track, there and back again unless the track is closed.
            ("point_count", "i8"),
            ("track", "f8", (MAX_TRACK_POINTS, 2)),  # corners (x, z); spikes use the first
            ("closed", "i8"),  # 1: from the last corner straight on to the first
            ("speed", "f8"),  # m/s along the track
            # Spikes cycle down, warn, up.
            ("down", "i8"),
            ("warn", "i8"),
            ("up", "i8"),
            ("offset", "i8"),  # ticks into the cycle when the stage begins
        ],
    )
)
STAGE = np.dtype(
    (
        np.record,
        [
            ("width", "f8"),  # along x; the floor spans [-width/2, width/2]
            ("depth", "f8"),  # along z; the floor spans [-depth/2, depth/2]
            # Of the distance field, so that look-ups need not divide:
            ("columns_per_metre", "f8"),
            ("rows_per_metre", "f8"),
            ("cell_diagonal", "f8"),  # m
            ("start_x", "f8"),
            ("start_z", "f8"),
            ("wave_count", "i8"),
            ("waves", WAVE, (MAX_WAVES,)),
            ("zone_count", "i8"),
            ("zones", ZONE, (MAX_ZONES,)),
            ("hazard_count", "i8"),
            ("hazards", HAZARD_PLAN, (MAX_HAZARDS,)),
            # Metres to the nearest wall or obstacle, negative inside one; node [row, column]
            # lies at x = -width/2 + column·width/192, z = -depth/2 + row·depth/192.
            ("distance", "f4", (DISTANCE_NODES, DISTANCE_NODES)),
            # [target, cell] is the direction 0..7 (steps of 45° from +x towards +z) of the first
            # step of a shortest walk from `cell` to `target`; -1 where there is none or cell is
            # target. A cell's index is row·32 + column on a 32×32 grid over the floor.
            ("flow", "i1", (FLOW_CELLS**2, FLOW_CELLS**2)),
        ],
    )
)

ENEMY_TYPES = ("", "swarmer", "shooter", "charger", "splitter", "bomber", "sentinel")
SWARMER, SHOOTER, CHARGER, SPLITTER, BOMBER, SENTINEL = range(1, 7)

HAZARD_TYPES = ("", "saw", "spikes")
SAW, SPIKES = range(1, 3)
