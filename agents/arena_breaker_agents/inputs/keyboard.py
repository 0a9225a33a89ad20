"""`Keyboard`: WASD or arrows move, and keys ask for all else."""

from collections.abc import Mapping
from types import MappingProxyType

import pygame
from pygame.event import Event

from arena_breaker_agents.inputs.request import Request, Wish
from arena_breaker_agents.inputs.stick import Stick, stick_of

MOVES: Mapping[int, Stick] = MappingProxyType(
    {
        pygame.K_w: (0.0, -1.0),
        pygame.K_UP: (0.0, -1.0),
        pygame.K_s: (0.0, 1.0),
        pygame.K_DOWN: (0.0, 1.0),
        pygame.K_a: (-1.0, 0.0),
        pygame.K_LEFT: (-1.0, 0.0),
        pygame.K_d: (1.0, 0.0),
        pygame.K_RIGHT: (1.0, 0.0),
    }
)
DASH = pygame.K_SPACE
KEEP_FIRING = pygame.K_f

WISHES: Mapping[int, Wish] = MappingProxyType(
    {
        pygame.K_p: Wish.PAUSE,
        pygame.K_ESCAPE: Wish.PAUSE,
        pygame.K_r: Wish.RESTART,
        pygame.K_m: Wish.MENU,
        pygame.K_RETURN: Wish.CONFIRM,
        pygame.K_KP_ENTER: Wish.CONFIRM,
        pygame.K_q: Wish.QUIT,
        # These also move; whoever asks knows which of both is meant.
        pygame.K_LEFT: Wish.BACK,
        pygame.K_UP: Wish.BACK,
        pygame.K_RIGHT: Wish.NEXT,
        pygame.K_DOWN: Wish.NEXT,
    }
)


class Keyboard:
    """Which keys are held."""

    def __init__(self) -> None:
        """Holds no key."""
        self._held: set[int] = set()
        self._tapped: set[int] = set()

    def heed(self, event: Event) -> Request | None:
        """Takes note of an event; returns what it asks for."""
        if event.type == pygame.KEYUP:
            self._held.discard(event.key)
        elif event.type == pygame.KEYDOWN:
            if event.key in MOVES:
                self._held.add(event.key)
                self._tapped.add(event.key)
            return _request(event.key)
        return None

    def stick(self) -> Stick:
        """Where the held keys pull; a key that was only tapped since the last call counts."""
        pulled = self._held | self._tapped
        self._tapped.clear()
        return stick_of({MOVES[key] for key in pulled})

    def let_go(self) -> None:
        """Forgets all keys, as when the window no longer hears of their release."""
        self._held.clear()
        self._tapped.clear()


def _request(key: int) -> Request | None:
    if pygame.K_1 <= key <= pygame.K_9:
        return Request(Wish.STAGE, stage=key - pygame.K_0)
    return Request(WISHES[key]) if key in WISHES else None
