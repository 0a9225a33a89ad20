"""`Canvas`: frames that are kept, so that a new drawing need only change what has changed.

Beside each frame stands which scene lies under it and which boxes of it sprites have touched:
putting the backdrop back there is enough to begin anew. The boxes of a frame are as many as
an arena has things, so the room for them is fixed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.engine.arena import MAX_BURSTS, MAX_ENEMIES, MAX_ENEMY_SHOTS, MAX_SHOTS
from arena_breaker_gym.stages.table import MAX_HAZARDS

# Sprites that stand: three for each enemy, two for each hazard, every shot, every burst, the
# player's eight.
MOST_STANDING = 3 * MAX_ENEMIES + MAX_SHOTS + MAX_ENEMY_SHOTS + 2 * MAX_HAZARDS + MAX_BURSTS + 8
# Sprites on the floor: telegraph and shadow of each enemy, every hazard, the player's two.
MOST_ON_FLOOR = 2 * MAX_ENEMIES + MAX_HAZARDS + 2
MOST_SPRITES = MOST_STANDING + MOST_ON_FLOOR

UNKNOWN = -1  # scene of a frame that is to be drawn as a whole
TOUCHED = np.dtype(
    (
        np.record,
        [
            ("scene", "i8"),  # number of the scene that lies under the frame
            ("count", "i8"),  # boxes in use
            # Of each box: first pixel, width, rows.
            ("boxes", "i4", (MOST_SPRITES, 3)),
        ],
    )
)
# Room to draw one arena at a time in: how many sprites wait to be drawn, and how many of them lie
# on the floor; the number of each in the sheet; its x, z, height, and the depth that decides who
# covers whom (m); and a place to note touched boxes in if nothing is kept.
DESK = np.dtype(
    (
        np.record,
        [
            ("waiting", "i8"),
            ("lying", "i8"),
            ("sprites", "i8", (MOST_SPRITES,)),
            ("places", "f8", (MOST_SPRITES, 4)),
            ("touched", TOUCHED),
        ],
    )
)


class Canvas:
    """Frames of a batch of arenas, drawn by one renderer.

    Attributes:
        frames: (n, size, size, 3) uint8, read-only: a stroke of somebody else's would stay.
        pixels: The same, for the composer.
        touched: (n,) records of dtype `TOUCHED`.
    """

    def __init__(self, count: int, size: int) -> None:
        """Makes empty frames of `count` arenas."""
        self.pixels: NDArray[np.uint8] = np.zeros((count, size, size, 3), dtype=np.uint8)
        self.frames = self.pixels.view()
        self.frames.flags.writeable = False
        self.touched: NDArray[np.void] = np.zeros(count, dtype=TOUCHED)
        self.touched["scene"] = UNKNOWN

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy starts with empty frames; it is drawn like any other."""
        count, size = self.frames.shape[:2]
        return Canvas, (count, size)
