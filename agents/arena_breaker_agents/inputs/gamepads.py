"""`Gamepads`: any number of gamepads that come and go while the game is on.

Gamepads that SDL knows by name are read by their buttons' meaning. Others are read by number,
in the order that most have.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import pygame
from pygame._sdl2 import controller
from pygame.event import Event

from arena_breaker_agents.inputs.request import Request, Wish
from arena_breaker_agents.inputs.stick import Stick, longest, without_dead_zone

_FULL = 32767.0  # an axis's way on a known gamepad; on others it is 1
_MOVE, _AIM = (0, 1), (2, 3)  # as SDL numbers a known gamepad's axes

DASH_BUTTONS = frozenset({pygame.CONTROLLER_BUTTON_A, pygame.CONTROLLER_BUTTON_RIGHTSHOULDER})
WISHES: Mapping[int, Wish] = MappingProxyType(
    {
        pygame.CONTROLLER_BUTTON_A: Wish.CONFIRM,
        pygame.CONTROLLER_BUTTON_Y: Wish.AGAIN,
        pygame.CONTROLLER_BUTTON_START: Wish.PAUSE,
        pygame.CONTROLLER_BUTTON_BACK: Wish.MENU,
        pygame.CONTROLLER_BUTTON_DPAD_LEFT: Wish.BACK,
        pygame.CONTROLLER_BUTTON_DPAD_UP: Wish.BACK,
        pygame.CONTROLLER_BUTTON_DPAD_RIGHT: Wish.NEXT,
        pygame.CONTROLLER_BUTTON_DPAD_DOWN: Wish.NEXT,
    }
)

# A stranger's numbers, as known gamepads call what most strangers have there.
_STRANGERS_BUTTONS: Mapping[int, int] = MappingProxyType(
    {
        0: pygame.CONTROLLER_BUTTON_A,
        3: pygame.CONTROLLER_BUTTON_Y,
        5: pygame.CONTROLLER_BUTTON_RIGHTSHOULDER,
        6: pygame.CONTROLLER_BUTTON_BACK,
        7: pygame.CONTROLLER_BUTTON_START,
    }
)
_STRANGERS_AXES: Mapping[int, int] = MappingProxyType({0: 0, 1: 1, 2: 2, 3: 3})
_STRANGERS_AXES_WITH_TRIGGERS: Mapping[int, int] = MappingProxyType({0: 0, 1: 1, 3: 2, 4: 3})
_AXES_WITH_TRIGGERS = 5  # from so many on, the third and the last are triggers


class _Device(Protocol):
    """What is kept of an open gamepad: it goes deaf when nothing holds it."""

    def quit(self) -> None: ...


@dataclass
class _Pad:
    device: _Device
    axes: dict[int, float] = field(default_factory=dict)
    axis_of: Mapping[int, int] | None = None  # None: SDL knows it

    def stick(self, pair: tuple[int, int]) -> Stick:
        return without_dead_zone(self.axes.get(pair[0], 0.0), self.axes.get(pair[1], 0.0))


class Gamepads:
    """All gamepads at once: whichever stick is pushed farthest counts.

    Attributes:
        dashed: Whether a dash button has gone down since the last look; whoever looks clears it.
    """

    def __init__(self) -> None:
        """Listens for gamepads; those that are there come as events."""
        controller.init()
        pygame.joystick.init()
        self.dashed = False
        self._pads: dict[int, _Pad] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._pads)

    def heed(self, event: Event) -> Request | None:
        """Takes note of an event; returns what it asks for."""
        hand = _HANDS.get(event.type)
        return None if hand is None else hand(self, event)

    def move(self) -> Stick:
        """The left stick."""
        return longest(pad.stick(_MOVE) for pad in self._pads.values())

    def aim(self) -> Stick:
        """The right stick."""
        return longest(pad.stick(_AIM) for pad in self._pads.values())

    def close(self) -> None:
        """Lets go of all gamepads."""
        for pad in self._pads.values():
            pad.device.quit()
        self._pads.clear()

    def _come(self, event: Event) -> None:
        """A gamepad is plugged in; one that went meanwhile cannot be opened any more."""
        try:
            self._open(event.device_index)
        except pygame.error:
            return

    def _open(self, index: int) -> None:
        stick = pygame.joystick.Joystick(index)
        number = stick.get_instance_id()
        if number in self._pads:
            return
        if controller.is_controller(index):
            self._pads[number] = _Pad(controller.Controller(index))
            return
        with_triggers = stick.get_numaxes() >= _AXES_WITH_TRIGGERS
        axes = _STRANGERS_AXES_WITH_TRIGGERS if with_triggers else _STRANGERS_AXES
        self._pads[number] = _Pad(stick, axis_of=axes)

    def _go(self, event: Event) -> Request | None:
        pad = self._pads.pop(event.instance_id, None)
        return None if pad is None else Request(Wish.AWAY)

    def _push(self, event: Event) -> None:
        pad = self._pads.get(event.instance_id)
        if pad is not None and pad.axis_of is None:
            pad.axes[event.axis] = event.value / _FULL

    def _push_strangers(self, event: Event) -> None:
        pad = self._pads.get(event.instance_id)
        if pad is not None and pad.axis_of is not None and event.axis in pad.axis_of:
            pad.axes[pad.axis_of[event.axis]] = event.value

    def _press(self, event: Event) -> Request | None:
        pad = self._pads.get(event.instance_id)
        known = pad is not None and pad.axis_of is None
        return self._pressed(event.button) if known else None

    def _press_strangers(self, event: Event) -> Request | None:
        pad = self._pads.get(event.instance_id)
        strange = pad is not None and pad.axis_of is not None
        button = _STRANGERS_BUTTONS.get(event.button)
        return self._pressed(button) if strange and button is not None else None

    def _turn_strangers_hat(self, event: Event) -> Request | None:
        pad = self._pads.get(event.instance_id)
        if pad is None or pad.axis_of is None or event.value == (0, 0):
            return None
        right, up = event.value
        return Request(Wish.NEXT if right > 0 or up < 0 else Wish.BACK)

    def _pressed(self, button: int) -> Request | None:
        self.dashed = self.dashed or button in DASH_BUTTONS
        return Request(WISHES[button]) if button in WISHES else None


_HANDS: Mapping[int, Callable[[Gamepads, Event], Request | None]] = MappingProxyType(
    {
        pygame.JOYDEVICEADDED: Gamepads._come,
        pygame.JOYDEVICEREMOVED: Gamepads._go,
        pygame.CONTROLLERAXISMOTION: Gamepads._push,
        pygame.JOYAXISMOTION: Gamepads._push_strangers,
        pygame.CONTROLLERBUTTONDOWN: Gamepads._press,
        pygame.JOYBUTTONDOWN: Gamepads._press_strangers,
        pygame.JOYHATMOTION: Gamepads._turn_strangers_hat,
    }
)
