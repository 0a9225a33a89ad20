"""Frames: `FrameCache` keeps them between drawings, how large they may be, and `png_of` one.

Beside each frame stands which scene lies under it and which boxes of it sprites have touched:
putting the backdrop back there is enough to begin again. The boxes of a frame are as many as
an arena has things, so the room for them is fixed.
"""

import io
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.plain import plain_int
from arena_breaker_gym._runtime.records import Record, dtype_of
from arena_breaker_gym.engine.arena import MAX_EFFECTS, MAX_ENEMIES, MAX_ENEMY_SHOTS, MAX_SHOTS
from arena_breaker_gym.stages.table import MAX_HAZARDS

# Sprites that stand: three for each enemy, two for each hazard, every shot, every burst, the
# player's eight.
MOST_STANDING = 3 * MAX_ENEMIES + MAX_SHOTS + MAX_ENEMY_SHOTS + 2 * MAX_HAZARDS + MAX_EFFECTS + 8
# Sprites on the floor: telegraph and shadow of each enemy, every hazard, the player's two.
MOST_ON_FLOOR = 2 * MAX_ENEMIES + MAX_HAZARDS + 2
MOST_SPRITES = MOST_STANDING + MOST_ON_FLOOR

UNKNOWN = -1  # scene of a frame that is to be drawn as a whole


class TouchedRecord(Record):
    """What is known of a frame: the scene under it, and the boxes that sprites have touched."""

    scene: int  # number of the scene that lies under the frame
    count: int  # boxes in use
    # Of each box: first pixel, width, rows.
    boxes: Annotated[NDArray[np.int32], "i4", (MOST_SPRITES, 3)]


class ScratchRecord(Record):
    """Room to draw one arena at a time in."""

    waiting: int  # sprites to be drawn
    lying: int  # how many of them lie on the floor
    sprites: Annotated[NDArray[np.int64], "i8", (MOST_SPRITES,)]  # the number of each in the sheet
    # Of each: x, z, height, and the depth that decides who covers whom (m).
    places: Annotated[NDArray[np.float64], "f8", (MOST_SPRITES, 4)]
    touched: TouchedRecord  # a place to note touched boxes in if nothing is kept


SMALLEST, LARGEST = 32, 1024
SMALLEST_RENDER = 64  # with a HUD that can be read


class FrameCache:
    """Frames of a batch of arenas, drawn by one renderer.

    Attributes:
        frames: (n, size, size, 3) uint8, read-only: what a caller drew would stay.
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

    def __reduce__(self) -> tuple[object, ...]:
        """A copy starts with empty frames; it is drawn like any other."""
        count, size = self.frames.shape[:2]
        return FrameCache, (count, size)


def frame_size(size: object) -> int:
    """The side of a renderer's frames.

    Raises:
        ValueError: If it is no whole number or out of range.
    """
    return plain_int("A frame's side", size, least=SMALLEST, most=LARGEST)


def render_size_of(size: object) -> int:
    """The side of the pictures that `render` gives.

    Raises:
        ValueError: If it is no whole number or out of range.
    """
    return plain_int("render_size", size, least=SMALLEST_RENDER, most=LARGEST)


def png_of(frame: NDArray[np.uint8]) -> bytes:
    """Encodes a frame without loss.

    Args:
        frame: (height, width, 3) uint8, RGB.
    """
    import pygame

    height, width, _ = frame.shape
    surface = pygame.image.frombuffer(frame.tobytes(), (width, height), "RGB")
    file = io.BytesIO()
    pygame.image.save(surface, file, "frame.png")
    return file.getvalue()


TOUCHED = dtype_of(TouchedRecord)
SCRATCH = dtype_of(ScratchRecord)
