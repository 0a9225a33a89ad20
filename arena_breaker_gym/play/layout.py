"""`Layout`: where arena and help line lie in a window of any shape."""

from dataclasses import dataclass
from typing import Self

import pygame

STRIP = 18  # the arena's side is so many times as high as the line below it
_LEAST = 32  # pixels a side: a window can be dragged smaller, where nothing is to be read


@dataclass(frozen=True)
class Layout:
    """A square arena with a line below, in the middle of a window, as large as it has room for.

    Attributes:
        side: Of the arena, pixels.
        left: Column of the window at which the arena begins.
        top: Its row.
    """

    side: int
    left: int
    top: int

    @classmethod
    def of(cls, window: tuple[int, int]) -> Self:
        """The layout of a window so wide and tall, pixels."""
        width, tall = window
        side = max(_LEAST, min(width, largest_side(tall)))
        strip = side // STRIP
        return cls(side, max(0, (width - side) // 2), max(0, (tall - side - strip) // 2))

    @property
    def whole(self) -> pygame.Rect:
        """Arena and line, in the window."""
        return pygame.Rect(self.left, self.top, *window_of(self.side))

    @property
    def strip(self) -> pygame.Rect:
        """The line, in `whole`."""
        return pygame.Rect(0, self.side, self.side, self.side // STRIP)

    def inside(self, at: tuple[int, int]) -> tuple[int, int]:
        """A place of the window, in `whole`."""
        return at[0] - self.left, at[1] - self.top

    def outside(self, at: tuple[float, float]) -> tuple[float, float]:
        """A place of `whole`, in the window."""
        return at[0] + self.left, at[1] + self.top


def window_of(side: int) -> tuple[int, int]:
    """How wide and tall a window is that an arena of some side fills."""
    return side, side + side // STRIP


def largest_side(tall: int) -> int:
    """The side of the largest arena that has room, with its line, in a height."""
    side = tall * STRIP // (STRIP + 1) + 1
    while side + side // STRIP > tall:
        side -= 1
    return side
