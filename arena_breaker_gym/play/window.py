"""`Window`: pygame's one window, resizable, on the whole screen and back."""

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pygame
from pygame._sdl2 import video

STRIP = 18  # the arena's side is so many times as high as the line below it
_LEAST = 32  # pixels a side: a window can be dragged smaller, where nothing is to be read

_SIDE, _FINE = 64, 4  # pixels, and fine pixels a pixel: shapes have no smooth edges of their own
_TILE, _EDGE = (18, 22, 36), (70, 84, 112)
_RING, _BODY, _BARREL, _FLASH = (72, 220, 255), (38, 96, 190), (226, 234, 246), (255, 184, 60)

SMALLEST = 320  # pixels a side: below, the words are too small to be read
USUAL = 768
_AROUND = 120  # pixels of a desktop that title bar and panels take

UNSEEN = frozenset({"dummy", "offscreen"})  # SDL's drivers that draw where a user cannot look


@dataclass(frozen=True)
class WindowLayout:
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


def icon() -> pygame.Surface:
    """The player with their gun, in their ring, on a dark tile: 64 pixels a side."""
    fine = pygame.Surface((_SIDE * _FINE,) * 2, pygame.SRCALPHA)
    _round(fine, _TILE, (0, 0, 64, 64), 14)
    _round(fine, _EDGE, (0, 0, 64, 64), 14, 2)
    _disc(fine, _RING, (28, 36), 20, 4)
    pygame.draw.line(fine, _BARREL, _at(28, 36), _at(46, 18), 8 * _FINE)
    _disc(fine, _BODY, (28, 36), 12)
    _disc(fine, _FLASH, (50, 14), 6)
    return pygame.transform.smoothscale(fine, (_SIDE, _SIDE))


def _at(x: float, y: float) -> tuple[float, float]:
    return x * _FINE, y * _FINE


def _disc(
    fine: pygame.Surface,
    colour: tuple[int, int, int],
    at: tuple[float, float],
    radius: int,
    line: int = 0,
) -> None:
    pygame.draw.circle(fine, colour, _at(*at), radius * _FINE, line * _FINE)


def _round(
    fine: pygame.Surface,
    colour: tuple[int, int, int],
    box: tuple[int, int, int, int],
    corner: int,
    line: int = 0,
) -> None:
    place = pygame.Rect(*(part * _FINE for part in box))
    pygame.draw.rect(fine, colour, place, line * _FINE, border_radius=corner * _FINE)


class Window:
    """The window in which the game is shown; it is not there before it is opened."""

    def __init__(self, side: int) -> None:
        """Plans a window.

        Args:
            side: Of the arena in it, pixels.
        """
        self._size = window_of(side)
        self._full = False
        # Held as long as the window is: pygame's events point to it, whether it lives or not.
        self._shown: object = None

    @property
    def surface(self) -> pygame.Surface:
        """What to draw on, of the window's present size."""
        return pygame.display.get_surface()

    def open(self, draw: Callable[[], None], *, full_screen: bool) -> None:
        """Opens it.

        Args:
            draw: Draws what it shows first, so that it is never seen empty.
            full_screen: Whether it takes the whole screen at once.

        Raises:
            pygame.error: If there is no screen to open it on.
        """
        pygame.display.set_icon(icon())
        pygame.display.set_caption("Arena Breaker")
        pygame.display.set_mode(self._size, pygame.RESIZABLE | pygame.HIDDEN)
        draw()
        self._as_sdl_has_it().show()
        draw()  # what was drawn while it was hidden may be lost
        if full_screen:  # a hidden window would wait for it for ever
            self.turn()
        pygame.event.pump()

    def turn(self) -> None:
        """Takes the whole screen, or goes back to the size it had before.

        The window stays the same one: a new one would lose the keyboard for a moment.
        """
        self._full = not self._full
        window = self._as_sdl_has_it()
        if self._full:
            self._size = window.size
            window.set_fullscreen(True)  # the desktop's own resolution
            return
        window.set_windowed()
        if window.size != self._size:  # not all of SDL's drivers see to it
            window.size = self._size

    def _as_sdl_has_it(self) -> Any:
        """The window that pygame's display module has opened; itself, it cannot keep it."""
        with warnings.catch_warnings():
            # pygame-ce would rather have windows of a kind that pygame does not know.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._shown = getattr(pygame, "Window", video.Window).from_display_module()
        return self._shown


def side_of(size: int | None) -> int:
    """The side of the arena in a window that has room on the smallest desktop.

    Args:
        size: What is asked for, pixels; None: the usual one.
    """
    room = min(
        min(width, largest_side(tall - _AROUND))
        for width, tall in pygame.display.get_desktop_sizes()
    )
    return min(USUAL if size is None else size, max(SMALLEST, room))


def whole_side() -> int:
    """The side of the arena on the whole of the first desktop, pixels."""
    width, tall = pygame.display.get_desktop_sizes()[0]
    return min(width, largest_side(tall))


@contextlib.contextmanager
def hush() -> Iterator[None]:
    """Lets nothing through to standard error until the block ends; Python's errors are raised."""
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, AttributeError):  # there is no standard error
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def require_display() -> None:
    """Looks for a screen; it needs pygame alone, so it comes before anything slow.

    Raises:
        OSError: If there is none, or SDL would draw where a user cannot see it.
    """
    try:
        with hush():
            pygame.display.init()
        driver = pygame.display.get_driver()
    except pygame.error as error:
        raise no_window(str(error)) from None
    if driver in UNSEEN:
        pygame.display.quit()
        raise no_window(f"SDL's driver {driver!r} shows nothing")


def no_window(why: str) -> OSError:
    """What is said where no window can be opened."""
    return OSError(f"No window can be opened here ({why}): play needs a screen.")
