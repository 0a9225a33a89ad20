"""`HumanAgent`: a person with keyboard, mouse and gamepads, as an agent like any other."""

import math
from collections.abc import Sequence

import numpy as np
import pygame
from numpy.typing import NDArray
from pygame.event import Event

from arena_breaker_agents.inputs import (
    DASH,
    KEEP_FIRING,
    REST,
    Gamepads,
    InputRequest,
    Keyboard,
    Mouse,
    Stick,
    Wish,
    longest,
)
from arena_breaker_gym.rendering.camera import FORESHORTENING
from arena_breaker_gym.rollout.agent import Observations

# Steps for which a pressed dash is wanted: one pressed a moment too early still comes, and a
# button that stays down dashes once. Shorter than a dash's rest, so it never comes twice.
DASH_PATIENCE = 4
_TOUCHED = 0.5  # a gamepad's stick so far from rest tells that a person holds it


class HumanAgent:
    """Plays what a person does; it is told so by pygame's events and where the player is seen.

    Attributes:
        name: Stands in episodes and tables.
        player_at: Column and row of the window at which the player is seen, from which the
            mouse aims; the code that shows the game sets it.
        keeps_firing: Whether the gun fires at the mouse without its button.
        by_gamepad: Whether the person last used a gamepad rather than keyboard and mouse.
    """

    needs = ()

    def __init__(self, name: str = "human") -> None:
        """Listens; pygame's display must be initialised.

        Args:
            name: Who plays; another person: another name.
        """
        self.name = name
        self.player_at = (0.0, 0.0)
        self.keeps_firing = False
        self.by_gamepad = False
        self._keyboard = Keyboard()
        self._mouse = Mouse()
        self._gamepads = Gamepads()
        self._dash_steps = 0

    @property
    def points_at(self) -> tuple[int, int] | None:
        """Where the mouse points, pixels; None while it has not moved or a gamepad is used."""
        return None if self.by_gamepad else self._mouse.at

    @property
    def fires(self) -> bool:
        """Whether the mouse fires at this moment."""
        return self.keeps_firing or self._mouse.held

    def handle(self, event: Event) -> InputRequest | None:
        """Takes note of one of pygame's events; returns what it asks for besides playing."""
        if event.type == pygame.QUIT:
            return InputRequest(Wish.CLOSE)
        if event.type == pygame.WINDOWFOCUSLOST:
            self._let_go()
            return InputRequest(Wish.AWAY)
        self._note_dash_and_fire(event)
        request = self._keyboard.handle(event) or self._mouse.handle(event)
        if event.type in _BY_HAND:
            self.by_gamepad = False
        return request or self._handle_gamepads(event)

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """An episode begins, or goes on after a pause: what was pressed before is forgotten."""
        self._dash_steps = 0
        self._mouse.fires()

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.float32]:
        """What the person does now, (n, 5), the same in each arena."""
        move = longest((self._keyboard.stick(), self._gamepads.move()))
        aim = self._gamepads.aim()
        if aim == REST:
            aim = self._mouse_aim()
        dash = float(self._dash_steps > 0)
        self._dash_steps = max(self._dash_steps - 1, 0)
        return np.tile(np.array([*move, *aim, dash], dtype=np.float32), (len(arenas), 1))

    def close(self) -> None:
        """Lets go of the gamepads."""
        self._gamepads.close()

    def _mouse_aim(self) -> Stick:
        fires = self._mouse.fires() or (self.keeps_firing and not self.by_gamepad)
        return self._mouse.aim(self.player_at, FORESHORTENING) if fires else REST

    def _note_dash_and_fire(self, event: Event) -> None:
        if _dashes(event):
            self._dash_steps = DASH_PATIENCE
        elif event.type == pygame.KEYDOWN and event.key == KEEP_FIRING:
            self.keeps_firing = not self.keeps_firing

    def _handle_gamepads(self, event: Event) -> InputRequest | None:
        request = self._gamepads.handle(event)
        if self._gamepads.dashed:
            self._gamepads.dashed = False
            self._dash_steps = DASH_PATIENCE
        if event.type in _BY_STICK:
            pushed = longest((self._gamepads.move(), self._gamepads.aim()))
            self.by_gamepad = self.by_gamepad or math.hypot(*pushed) > _TOUCHED
        elif event.type in _BY_BUTTON:
            self.by_gamepad = True
        gone = request is not None and request.wish is Wish.AWAY
        return None if gone and not self.by_gamepad else request

    def _let_go(self) -> None:
        self._keyboard.let_go()
        self._mouse.let_go()


def _dashes(event: Event) -> bool:
    """Whether an event of keyboard or mouse asks for a dash."""
    if event.type == pygame.MOUSEBUTTONDOWN:
        return bool(event.button == pygame.BUTTON_RIGHT)
    return event.type == pygame.KEYDOWN and bool(event.key == DASH)


_BY_STICK = frozenset({pygame.CONTROLLERAXISMOTION, pygame.JOYAXISMOTION})
_BY_BUTTON = frozenset({pygame.CONTROLLERBUTTONDOWN, pygame.JOYBUTTONDOWN})
_BY_HAND = frozenset({pygame.KEYDOWN, pygame.MOUSEMOTION, pygame.MOUSEBUTTONDOWN})
