"""`Mouse`: where it points and whether its button is held."""

import math

import pygame
from pygame.event import Event

from arena_breaker_agents.inputs.request import Request, Wish
from arena_breaker_agents.inputs.stick import REST, Stick

_NEAR = 4.0  # pixels from the player: nearer, a hand's tremble would turn the gun about


class Mouse:
    """The mouse over the window.

    Attributes:
        at: Column and row, pixels; None before it has moved.
    """

    def __init__(self) -> None:
        """Points nowhere yet."""
        self.at: tuple[int, int] | None = None
        self._held = False
        self._clicked = False
        self._last = REST

    @property
    def held(self) -> bool:
        """Whether the left button is held."""
        return self._held

    def heed(self, event: Event) -> Request | None:
        """Takes note of an event; returns what it asks for."""
        if event.type == pygame.MOUSEMOTION:
            self.at = event.pos
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == pygame.BUTTON_LEFT:
            self.at = event.pos
            self._held = self._clicked = True
            return Request(Wish.POINT, at=event.pos)
        elif event.type == pygame.MOUSEBUTTONUP and event.button == pygame.BUTTON_LEFT:
            self._held = False
        return None

    def fires(self) -> bool:
        """Whether the button is held, or was clicked since the last call."""
        fires = self._held or self._clicked
        self._clicked = False
        return fires

    def aim(self, player: tuple[float, float], foreshortening: float) -> Stick:
        """The direction on the floor from the player to the pointer, of length 1.

        Args:
            player: Column and row at which the player is seen, pixels.
            foreshortening: How many metres across a metre of depth looks.

        Returns:
            The direction; the last one while the pointer is upon the player, and rest before
            the mouse has moved.
        """
        if self.at is None:
            return REST
        dx, dz = self.at[0] - player[0], (self.at[1] - player[1]) / foreshortening
        length = math.hypot(dx, dz)
        if length >= _NEAR:
            self._last = (dx / length, dz / length)
        return self._last

    def let_go(self) -> None:
        """Forgets the button."""
        self._held = self._clicked = False
