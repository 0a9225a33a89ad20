"""`Request`: what a person asks of the game besides playing it."""

from dataclasses import dataclass
from enum import Enum, auto


class Wish(Enum):
    """What may be asked for."""

    PAUSE = auto()
    """Halt, or go on."""
    RESTART = auto()
    """Begin the stage anew, even from the midst of play."""
    AGAIN = auto()
    """Begin the stage anew, from a screen that asks what to do."""
    MENU = auto()
    """Choose a stage, or leave that choice again."""
    STAGE = auto()
    """Begin on the stage that the request names."""
    BACK = auto()
    """The choice before this one, or the next."""
    NEXT = auto()
    CONFIRM = auto()
    POINT = auto()
    """Whatever stands at the request's place in the window."""
    QUIT = auto()
    """Leave from a screen that asks what to do."""
    CLOSE = auto()
    """The window is closed: leave at once."""
    AWAY = auto()
    """Nobody is at the controls: the window has lost the keyboard, or a gamepad has gone."""


@dataclass(frozen=True)
class Request:
    """A wish, with what belongs to it.

    Attributes:
        wish: What is asked for.
        stage: With STAGE: which, from 1.
        at: With POINT: column and row in the window, pixels.
    """

    wish: Wish
    stage: int = 0
    at: tuple[int, int] = (0, 0)
