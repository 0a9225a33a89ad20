"""`Window`: pygame's one window, resizable, on the whole screen and back."""

import warnings
from collections.abc import Callable
from typing import Any

import pygame
from pygame._sdl2 import video

from arena_breaker_gym.play.icon import icon
from arena_breaker_gym.play.layout import largest_side, window_of

SMALLEST = 320  # pixels a side: below, the words are too small to be read
USUAL = 768
_AROUND = 120  # pixels of a desktop that title bar and panels take


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
        self._shown: Any = None

    @property
    def surface(self) -> pygame.Surface:
        """What to draw on, of the window's present size."""
        return pygame.display.get_surface()

    def open(self, draw: Callable[[], None], *, full_screen: bool) -> None:
        """Opens it.

        Args:
            draw: Draws what it shows first, so that nobody sees it empty.
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
