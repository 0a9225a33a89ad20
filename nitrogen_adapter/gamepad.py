"""The 25 numbers of a gamepad row by name, and how the arena's five-number actions map to them.

A row is what NitroGen predicts: 21 buttons (down above 0.5) and two sticks stored as (v + 1) / 2,
so that 0.5 is neutral. The right stick aims and the left one moves; the arena's +z, down the
screen, is the stick's +y.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

BUTTONS = (
    "BACK",
    "DPAD_DOWN",
    "DPAD_LEFT",
    "DPAD_RIGHT",
    "DPAD_UP",
    "EAST",
    "GUIDE",
    "LEFT_SHOULDER",
    "LEFT_THUMB",
    "LEFT_TRIGGER",
    "NORTH",
    "RIGHT_BOTTOM",
    "RIGHT_LEFT",
    "RIGHT_RIGHT",
    "RIGHT_SHOULDER",
    "RIGHT_THUMB",
    "RIGHT_TRIGGER",
    "RIGHT_UP",
    "SOUTH",
    "START",
    "WEST",
)
"""The buttons in the order of a row's 21 button numbers."""

UNUSED_BUTTONS = ("RIGHT_BOTTOM", "RIGHT_LEFT", "RIGHT_RIGHT", "RIGHT_UP")
"""Places in a row that no button of a real gamepad fills."""

USABLE_BUTTONS = tuple(name for name in BUTTONS if name not in UNUSED_BUTTONS)
"""The buttons that a player can press."""

STICKS = ("LEFT_X", "LEFT_Y", "RIGHT_X", "RIGHT_Y")
"""The sticks in the order of a row's four stick numbers."""

ROW = len(BUTTONS) + len(STICKS)
"""Numbers in a row."""

XBOX: Mapping[str, str] = MappingProxyType(
    {
        "BACK": "View (Back)",
        "DPAD_DOWN": "d-pad down",
        "DPAD_LEFT": "d-pad left",
        "DPAD_RIGHT": "d-pad right",
        "DPAD_UP": "d-pad up",
        "EAST": "B",
        "GUIDE": "Xbox (Guide)",
        "LEFT_SHOULDER": "LB",
        "LEFT_THUMB": "left stick pressed",
        "LEFT_TRIGGER": "LT",
        "NORTH": "Y",
        "RIGHT_SHOULDER": "RB",
        "RIGHT_THUMB": "right stick pressed",
        "RIGHT_TRIGGER": "RT",
        "SOUTH": "A",
        "START": "Menu (Start)",
        "WEST": "X",
        "LEFT_X": "left stick, x",
        "LEFT_Y": "left stick, y",
        "RIGHT_X": "right stick, x",
        "RIGHT_Y": "right stick, y",
    }
)
"""What an Xbox gamepad calls each number; leftovers have no name."""

ACTION = ("move_x", "move_z", "aim_x", "aim_z", "dash")
"""The arena's action, in order."""

DOWN = 0.5
"""A button, and the arena's dash, is pressed above this."""


class Layout(NamedTuple):
    """Where a row keeps its parts.

    Attributes:
        names: the row's 25 numbers by name, in order.
        buttons: where the 21 buttons are.
        left: where the left stick's x and y are.
        right: where the right stick's x and y are.
    """

    names: tuple[str, ...]
    buttons: slice
    left: slice
    right: slice


_SWAPPED = (*range(21), 23, 24, 21, 22)  # the columns of a plain row with its sticks swapped

NEW_LAYOUT = Layout((*BUTTONS, *STICKS), slice(0, 21), slice(21, 23), slice(23, 25))
OLD_LAYOUT = Layout((*STICKS, *BUTTONS), slice(4, 25), slice(0, 2), slice(2, 4))


class Place(NamedTuple):
    """Where a number lies in a row.

    Attributes:
        column: its place, from 0.
        name: the number of the gamepad that it is there, which another one is with sticks swapped.
        inverted: whether it is stored the other way round.
    """

    column: int
    name: str
    inverted: bool


def layout(*, old_layout: bool = False) -> Layout:
    """Return where a row keeps its parts: buttons first, or with `old_layout` sticks first."""
    return OLD_LAYOUT if old_layout else NEW_LAYOUT


@dataclass(frozen=True, kw_only=True)
class GamepadSettings:
    """How a game's actions lie on a gamepad.

    Attributes:
        dash_button: the button that dashes. The default is our own choice, since the article names
            none: a shoulder is what a player can press with both thumbs on the sticks.
        dead_zone: a stick shorter than this reads as centred, in [0, 1). The default 0 plays
            exactly what a model says.
        old_layout: whether rows have their sticks first.
        inverted: the axes, of `STICKS`, that a row stores the other way round, as for a game that
            takes stick up for down.
        swap_sticks: whether a row's right stick does what the left one usually does, and the left
            one what the right one does.
        key_dead_zone: where a game has keys instead of sticks, a stick must be pushed further than
            this to press them, in [0, 1). Half a push by default, as half presses a button.
    """

    dash_button: str = "RIGHT_SHOULDER"
    dead_zone: float = 0.0
    old_layout: bool = False
    inverted: tuple[str, ...] = ()
    swap_sticks: bool = False
    key_dead_zone: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a button or axis that a gamepad lacks and a dead zone that leaves no stick.

        Raises:
            ValueError: if so, saying what was expected.
        """
        if self.dash_button not in USABLE_BUTTONS:
            raise ValueError(
                f"dash_button is {self.dash_button!r}; expected one of {', '.join(USABLE_BUTTONS)}."
            )
        if not set(self.inverted) <= set(STICKS):
            raise ValueError(
                f"inverted is {self.inverted!r}; expected a tuple with some of {', '.join(STICKS)}."
            )
        for zone in ("dead_zone", "key_dead_zone"):
            if not 0.0 <= getattr(self, zone) < 1.0:
                raise ValueError(
                    f"{zone} is {getattr(self, zone)}; expected 0 or more and below 1."
                )

    @property
    def layout(self) -> Layout:
        """Where a row keeps its parts."""
        return layout(old_layout=self.old_layout)

    @property
    def dash_index(self) -> int:
        """Place of the dash button in a row."""
        return self.layout.names.index(self.dash_button)

    def place_of(self, number: str) -> Place:
        """Return where a number of a plain row lies in a row.

        Args:
            number: a name of `NEW_LAYOUT`.
        """
        if self.swap_sticks and number in STICKS:
            number = STICKS[STICKS.index(number) - 2]
        return Place(self.layout.names.index(number), number, number in self.inverted)


DEFAULT_GAMEPAD = GamepadSettings()


def pack(actions: ArrayLike, settings: GamepadSettings = DEFAULT_GAMEPAD) -> NDArray[np.float32]:
    """Turn the arena's actions into gamepad rows.

    Args:
        actions: (..., 5) move_x, move_z, aim_x, aim_z in [-1, 1] and dash, pressed above 0.5.
        settings: how actions lie on the gamepad.

    Returns:
        (..., 25) rows in [0, 1]; buttons are 0 or 1.

    Raises:
        ValueError: if the last axis is not five long or a number is not finite.
    """
    given = _checked(actions, width=len(ACTION), what="Actions")
    rows = at_rest(given.shape[:-1])
    rows[..., NEW_LAYOUT.left] = (within_circle(given[..., 0:2]) + 1.0) / 2.0
    rows[..., NEW_LAYOUT.right] = (within_circle(given[..., 2:4]) + 1.0) / 2.0
    rows[..., BUTTONS.index(settings.dash_button)] = given[..., 4] > DOWN
    return arranged(rows, settings)


def unpack(rows: ArrayLike, settings: GamepadSettings = DEFAULT_GAMEPAD) -> NDArray[np.float32]:
    """Turn gamepad rows, as a model predicts them, into the arena's actions.

    Args:
        rows: (..., 25) finite numbers; sticks beyond the circle are brought back to its edge.
        settings: how actions lie on the gamepad.

    Returns:
        (..., 5) sticks no longer than 1, dash 0 or 1.

    Raises:
        ValueError: if the last axis is not 25 long or a number is not finite.
    """
    given = plain(rows, settings)
    actions = np.empty((*given.shape[:-1], len(ACTION)), dtype=np.float32)
    actions[..., 0:2] = _stick(given[..., NEW_LAYOUT.left], settings.dead_zone)
    actions[..., 2:4] = _stick(given[..., NEW_LAYOUT.right], settings.dead_zone)
    actions[..., 4] = given[..., BUTTONS.index(settings.dash_button)] > DOWN
    return actions


def at_rest(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return plain rows (*shape, 25) of a gamepad that is not touched."""
    rows = np.zeros((*shape, ROW), dtype=np.float32)
    rows[..., len(BUTTONS) :] = 0.5
    return rows


def arranged(rows: NDArray[np.float32], settings: GamepadSettings) -> NDArray[np.float32]:
    """Lay plain rows out as the settings say.

    Args:
        rows: (..., 25) plain rows: buttons first, the left stick moves, x to the right and y down.
        settings: how they are to lie.

    Returns:
        (..., 25) rows: sticks swapped, then inverted, then put first, each if the settings say so.
    """
    if settings.swap_sticks:
        rows = rows[..., _SWAPPED]
    rows = _inverted(rows, settings)
    return np.roll(rows, len(STICKS), axis=-1) if settings.old_layout else rows


def plain(rows: ArrayLike, settings: GamepadSettings) -> NDArray[np.float32]:
    """Undo `arranged`, for rows that may come from a model.

    Raises:
        ValueError: if the last axis is not 25 long or a number is not finite.
    """
    given = _checked(rows, width=ROW, what="Gamepad rows")
    given = _inverted(new_layout(given, old_layout=settings.old_layout), settings)
    return given[..., _SWAPPED] if settings.swap_sticks else given


def new_layout(rows: NDArray[np.float32], *, old_layout: bool) -> NDArray[np.float32]:
    """Return rows (..., 25) with their buttons first, whichever layout they are in."""
    return np.roll(rows, -len(STICKS), axis=-1) if old_layout else rows


def centred(rows: NDArray[np.float32], dead_zone: float) -> NDArray[np.float32]:
    """Return plain rows (..., 25) in which sticks shorter than the dead zone are at rest."""
    result = rows.copy()
    for stick in (NEW_LAYOUT.left, NEW_LAYOUT.right):
        length = np.linalg.norm(rows[..., stick] * 2.0 - 1.0, axis=-1, keepdims=True)
        result[..., stick] = np.where(length < dead_zone, np.float32(0.5), rows[..., stick])
    return result


def within_circle(sticks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale sticks (..., 2) that are longer than 1 to length 1, as the arena does."""
    length = np.linalg.norm(sticks, axis=-1, keepdims=True)
    scaled: NDArray[np.float32] = sticks / np.maximum(length, 1.0)
    return scaled


def mirror(rows: NDArray[np.float32], *, old_layout: bool = False) -> NDArray[np.float32]:
    """Return rows (..., 25) as a mirror shows them.

    Left and right of both sticks and of the d-pad are exchanged; other buttons know no side.
    """
    parts = layout(old_layout=old_layout)
    result = rows.copy()
    for stick in (parts.left, parts.right):
        result[..., stick.start] = 1.0 - result[..., stick.start]
    left, right = parts.names.index("DPAD_LEFT"), parts.names.index("DPAD_RIGHT")
    result[..., [left, right]] = rows[..., [right, left]]
    return result


def _stick(stored: NDArray[np.float32], dead_zone: float) -> NDArray[np.float32]:
    sticks = within_circle(stored * 2.0 - 1.0)
    length = np.linalg.norm(sticks, axis=-1, keepdims=True)
    return np.where(length < dead_zone, np.float32(0.0), sticks)


def _inverted(rows: NDArray[np.float32], settings: GamepadSettings) -> NDArray[np.float32]:
    if not settings.inverted:
        return rows
    result = rows.copy()
    for axis in settings.inverted:
        column = NEW_LAYOUT.names.index(axis)
        result[..., column] = 1.0 - rows[..., column]
    return result


def _checked(given: ArrayLike, *, width: int, what: str) -> NDArray[np.float32]:
    array: NDArray[Any] = np.asarray(given, dtype=np.float32)
    if array.ndim == 0 or array.shape[-1] != width:
        raise ValueError(f"{what} have the shape {array.shape}; expected (..., {width}).")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} hold a number that is not finite.")
    return array
