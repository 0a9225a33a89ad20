"""The words for what a stage may hold: enemy types and hazard types, in the order of their codes.

The code 0 means "nothing here"; a type's code is its place in the tuple. Stage files,
the engine, the snapshot and the renderer all take their codes from here.
"""

ENEMY_TYPES = ("", "swarmer", "shooter", "charger", "splitter", "bomber", "sentinel")
SWARMER, SHOOTER, CHARGER, SPLITTER, BOMBER, SENTINEL = range(1, 7)

HAZARD_TYPES = ("", "saw", "spikes")
SAW, SPIKES = range(1, 3)
