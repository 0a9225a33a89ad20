"""`Window`: pygame's one window, resizable, on the whole screen and back."""

import pygame

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

    @property
    def surface(self) -> pygame.Surface:
        """What to draw on, of the window's present size."""
        return pygame.display.get_surface()

    def open(self, *, full_screen: bool) -> None:
        """Opens it.

        Raises:
            pygame.error: If there is no screen to open it on.
        """
        pygame.display.set_icon(icon())
        pygame.display.set_caption("Arena Breaker")
        pygame.display.set_mode(self._size, pygame.RESIZABLE)
        if full_screen:
            self.turn()

    def turn(self) -> None:
        """Takes the whole screen, or goes back to the size it had before."""
        self._full = not self._full
        if self._full:
            self._size = self.surface.get_size()
            pygame.display.set_mode((0, 0), pygame.FULLSCREEN)
        else:
            pygame.display.set_mode(self._size, pygame.RESIZABLE)


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
