"""The six enemies: their figures by enemy code; one file each says what it does.

All values are our own, tuned by play.
"""

import numpy as np

#                   none  swarmer  shooter  charger  splitter  bomber  sentinel
HP = np.array(      [0,   3,       4,       8,       9,        4,      36])  # fmt: skip
RADIUS = np.array(  [0.0, 0.35,    0.45,    0.55,    0.65,     0.45,   0.80])  # m  # fmt: skip
SPEED = np.array(   [0.0, 5.6,     3.0,     3.0,     2.4,      4.6,    1.6])  # m/s  # fmt: skip
VALUE = np.array(   [0,   10,      10,      20,      20,       10,     50])  # score  # fmt: skip

WALKING = 0  # the phase that all share; the others are named in each enemy's own file
