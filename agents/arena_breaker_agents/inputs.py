"""What a person holds: `Keyboard`, `Mouse` and `Gamepads`, each fed with pygame's events.

None of them needs a window. `request` is what a person asks for besides playing.

Gamepads that SDL knows by name are read by their buttons' meaning. Others are read by number,
in the order that most have.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Protocol

import pygame
from pygame._sdl2 import controller
from pygame.event import Event

Stick = tuple[float, float]  # x right, z towards the viewer (down on the screen)

REST: Stick = (0.0, 0.0)
DEAD_ZONE = 0.2  # share of a stick's way; our own value, about that of common consoles
_FULL_ZONE = 0.97  # worn sticks never quite reach their rim

_NEAR = 4.0  # pixels from the player: nearer, a hand's tremble would turn the gun about


def stick_of(directions: Iterable[Stick]) -> Stick:
    """The stick that all these directions pull at once: opposite ones cancel.

    Returns:
        A stick of length 0 or 1, so that a diagonal is no faster than a straight line.
    """
    sums = [sum(parts) for parts in zip(*directions, strict=True)] or REST
    length = math.hypot(*sums)
    return (sums[0] / length, sums[1] / length) if length > 0.0 else REST


def without_dead_zone(x: float, z: float) -> Stick:
    """A gamepad's stick as the hand means it.

    Args:
        x: Its right, -1 to 1, as the gamepad says.
        z: Its down, likewise.

    Returns:
        Rest inside the round dead zone; beyond it the length grows from 0 to 1, and the
        direction stays.
    """
    length = math.hypot(x, z)
    if length <= DEAD_ZONE:
        return REST
    wanted = min((length - DEAD_ZONE) / (_FULL_ZONE - DEAD_ZONE), 1.0)
    return (x * wanted / length, z * wanted / length)


def longest(sticks: Iterable[Stick]) -> Stick:
    """The stick that is pushed farthest; rest if there is none."""
    return max(sticks, key=lambda stick: math.hypot(*stick), default=REST)


class Wish(Enum):
    """What may be asked for."""

    PAUSE = auto()
    """Halt, or go on."""
    RESTART = auto()
    """Begin the stage again, even in the middle of play."""
    AGAIN = auto()
    """Begin the stage again, from a screen that asks what to do."""
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
    """The person is away: the window has lost the keyboard, or a gamepad has gone."""


@dataclass(frozen=True)
class InputRequest:
    """A wish, with what belongs to it.

    Attributes:
        wish: What is asked for.
        stage: With STAGE: which, from 1.
        at: With POINT: column and row in the window, pixels.
    """

    wish: Wish
    stage: int = 0
    at: tuple[int, int] = (0, 0)


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

KEY_WISHES: Mapping[int, Wish] = MappingProxyType(
    {
        pygame.K_p: Wish.PAUSE,
        pygame.K_ESCAPE: Wish.PAUSE,
        pygame.K_r: Wish.RESTART,
        pygame.K_m: Wish.MENU,
        pygame.K_RETURN: Wish.CONFIRM,
        pygame.K_KP_ENTER: Wish.CONFIRM,
        pygame.K_q: Wish.QUIT,
        # These also move; the caller knows which of the two is meant.
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

    def handle(self, event: Event) -> InputRequest | None:
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


def _request(key: int) -> InputRequest | None:
    if pygame.K_1 <= key <= pygame.K_9:
        return InputRequest(Wish.STAGE, stage=key - pygame.K_0)
    return InputRequest(KEY_WISHES[key]) if key in KEY_WISHES else None


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

    def handle(self, event: Event) -> InputRequest | None:
        """Takes note of an event; returns what it asks for."""
        if event.type == pygame.MOUSEMOTION:
            self.at = event.pos
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == pygame.BUTTON_LEFT:
            self.at = event.pos
            self._held = self._clicked = True
            return InputRequest(Wish.POINT, at=event.pos)
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
            The direction; the last one while the pointer is on the player, and rest before
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


_FULL = 32767.0  # an axis's way on a known gamepad; on others it is 1
_MOVE, _AIM = (0, 1), (2, 3)  # as SDL numbers a known gamepad's axes

DASH_BUTTONS = frozenset({pygame.CONTROLLER_BUTTON_A, pygame.CONTROLLER_BUTTON_RIGHTSHOULDER})
BUTTON_WISHES: Mapping[int, Wish] = MappingProxyType(
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
        dashed: Whether a dash button has gone down since the last look; the caller clears it.
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

    def handle(self, event: Event) -> InputRequest | None:
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

    def _go(self, event: Event) -> InputRequest | None:
        pad = self._pads.pop(event.instance_id, None)
        return None if pad is None else InputRequest(Wish.AWAY)

    def _push(self, event: Event) -> None:
        pad = self._pads.get(event.instance_id)
        if pad is not None and pad.axis_of is None:
            pad.axes[event.axis] = event.value / _FULL

    def _push_strangers(self, event: Event) -> None:
        pad = self._pads.get(event.instance_id)
        if pad is not None and pad.axis_of is not None and event.axis in pad.axis_of:
            pad.axes[pad.axis_of[event.axis]] = event.value

    def _press(self, event: Event) -> InputRequest | None:
        pad = self._pads.get(event.instance_id)
        known = pad is not None and pad.axis_of is None
        return self._pressed(event.button) if known else None

    def _press_strangers(self, event: Event) -> InputRequest | None:
        pad = self._pads.get(event.instance_id)
        strange = pad is not None and pad.axis_of is not None
        button = _STRANGERS_BUTTONS.get(event.button)
        return self._pressed(button) if strange and button is not None else None

    def _turn_strangers_hat(self, event: Event) -> InputRequest | None:
        pad = self._pads.get(event.instance_id)
        if pad is None or pad.axis_of is None or event.value == (0, 0):
            return None
        right, up = event.value
        return InputRequest(Wish.NEXT if right > 0 or up < 0 else Wish.BACK)

    def _pressed(self, button: int) -> InputRequest | None:
        self.dashed = self.dashed or button in DASH_BUTTONS
        return InputRequest(BUTTON_WISHES[button]) if button in BUTTON_WISHES else None


_HANDS: Mapping[int, Callable[[Gamepads, Event], InputRequest | None]] = MappingProxyType(
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
