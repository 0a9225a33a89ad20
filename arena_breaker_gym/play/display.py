"""`require_display`: whether there is a screen that somebody could look at, asked at once."""

import pygame

from arena_breaker_gym.play.hush import hush

UNSEEN = frozenset({"dummy", "offscreen"})  # SDL's drivers that draw where nobody looks


def require_display() -> None:
    """Looks for a screen; it needs pygame alone, so it comes before anything slow.

    Raises:
        OSError: If there is none, or SDL would draw where nobody can see it.
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
