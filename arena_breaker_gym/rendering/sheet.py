"""The sheet: which sprite stands where, so that compiled code finds each by its number.

A sheet is one long row of sprites in blocks. Within a block, sprites that have headings come
in runs of `HEADINGS`: number = block + variant · HEADINGS + heading.
"""

from itertools import accumulate

HEADINGS = 32  # heading h points at h/32 of a turn from +x towards +z
SHADOWS = 7  # the player's, then one an enemy code
DASH_RINGS = 9  # 0 just dashed … 8 ready
PLAYER_VARIANTS = 2  # dash cooling, dash ready
SWARMER_STEPS = 2  # of its wings
SHOOTER_VARIANTS = 2  # calm, about to fire
CHARGER_VARIANTS = 4  # by its phase
SPLITTER_STEPS = 8  # of its lobes' turning
BOMBER_VARIANTS = 3  # calm, lit and dark, lit and bright
SENTINEL_VARIANTS = 5  # calm, three levels of charge, about to fire aimed shots
MUZZLE_GLOWS = 3  # growing
MUZZLE_FLASHES = 2  # at full size, dying away
MUZZLE_FLASH_TICKS = 4  # how long they are shown after a shot
BLAST_MARKS = 2  # blinking
RING_MARKS = 3  # growing
STAR_STEPS = 4
ENEMY_SHOT_SPEEDS = (3.0, 5.0, 8.0, 12.0)  # m/s that a trail's length stands for
EFFECT_KINDS = 8  # enemy codes 1 to 6, then the bomber's blast, then a hit on the player
EFFECT_STEPS = 10
EFFECT_TICKS = 20  # how long a burst is shown

SAW_STEPS = 6  # of its turning, within one tooth
# Spikes: plate with spikes down, warning dim, warning bright, plate with spikes up, and the
# rear and the front half of the spikes themselves.
SPIKES_DOWN, SPIKES_WARN, SPIKES_UP, SPIKES_REAR, SPIKES_FRONT = 0, 1, 3, 4, 5
SPIKE_SPRITES = 6
SAW_SPRITES = 1 + SAW_STEPS  # its shadow first

ENEMY_COUNTS = {
    "swarmer": SWARMER_STEPS * HEADINGS,
    "shooter": SHOOTER_VARIANTS * HEADINGS,
    "charger": CHARGER_VARIANTS * HEADINGS,
    "splitter": SPLITTER_STEPS,
    "bomber": BOMBER_VARIANTS,
    "sentinel": SENTINEL_VARIANTS,
}
ENEMY_SPRITES = sum(ENEMY_COUNTS.values())
COUNTS = {
    **ENEMY_COUNTS,
    "flash": ENEMY_SPRITES,  # every enemy sprite again, as it looks when hit
    "shadow": SHADOWS,
    "player": PLAYER_VARIANTS * HEADINGS,
    "dash_ring": DASH_RINGS,
    "shell": 1,
    "dash": HEADINGS,
    "muzzle_flash": MUZZLE_FLASHES * HEADINGS,
    "muzzle_glow": MUZZLE_GLOWS,
    "arrow": HEADINGS,
    "blast_mark": BLAST_MARKS,
    "ring_mark": RING_MARKS,
    "stars": STAR_STEPS,
    "shot": HEADINGS,
    "enemy_shot": len(ENEMY_SHOT_SPEEDS) * HEADINGS,
    "burst": EFFECT_KINDS * EFFECT_STEPS,
}
_starts = dict(zip(COUNTS, accumulate(COUNTS.values(), initial=0), strict=False))
SPRITES = sum(COUNTS.values())

SWARMER_AT = _starts["swarmer"]
SHOOTER_AT = _starts["shooter"]
CHARGER_AT = _starts["charger"]
SPLITTER_AT = _starts["splitter"]
BOMBER_AT = _starts["bomber"]
SENTINEL_AT = _starts["sentinel"]
FLASH_AT = _starts["flash"]
SHADOW_AT = _starts["shadow"]
PLAYER_AT = _starts["player"]
DASH_RING_AT = _starts["dash_ring"]
SHELL_AT = _starts["shell"]
DASH_AT = _starts["dash"]
MUZZLE_FLASH_AT = _starts["muzzle_flash"]
MUZZLE_GLOW_AT = _starts["muzzle_glow"]
ARROW_AT = _starts["arrow"]
BLAST_MARK_AT = _starts["blast_mark"]
RING_MARK_AT = _starts["ring_mark"]
STARS_AT = _starts["stars"]
SHOT_AT = _starts["shot"]
ENEMY_SHOT_AT = _starts["enemy_shot"]
EFFECT_AT = _starts["burst"]
