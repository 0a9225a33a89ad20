"""The 25 numbers of a gamepad row by name, and how the arena's five-number actions map to them.

A row is what NitroGen predicts: 21 buttons (down above 0.5) and two sticks stored as (v + 1) / 2,
so that 0.5 is neutral. The right stick aims and the left one moves; the arena's +z, down the
screen, is the stick's +y.
"""

from __future__ import annotations

from dataclasses import dataclass
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

STICKS = ("LEFT_X", "LEFT_Y", "RIGHT_X", "RIGHT_Y")
"""The sticks in the order of a row's four stick numbers."""

ROW = len(BUTTONS) + len(STICKS)
"""Numbers in a row."""

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


NEW_LAYOUT = Layout((*BUTTONS, *STICKS), slice(0, 21), slice(21, 23), slice(23, 25))
OLD_LAYOUT = Layout((*STICKS, *BUTTONS), slice(4, 25), slice(0, 2), slice(2, 4))


def layout(*, old_layout: bool = False) -> Layout:
    """Return where a row keeps its parts: buttons first, or with `old_layout` sticks first."""
    return OLD_LAYOUT if old_layout else NEW_LAYOUT


@dataclass(frozen=True, kw_only=True)
class GamepadSettings:
    """How the arena's actions lie on a gamepad.

    Attributes:
        dash_button: the button that dashes. The default is our own choice, since the article names
            none: a shoulder is what a player can press with both thumbs on the sticks.
        dead_zone: a stick shorter than this reads as centred, in [0, 1). The default 0 plays
            exactly what a model says.
        old_layout: whether rows have their sticks first.
    """

    dash_button: str = "RIGHT_SHOULDER"
    dead_zone: float = 0.0
    old_layout: bool = False

    def __post_init__(self) -> None:
        """Refuse a button that a gamepad lacks and a dead zone that leaves no stick.

        Raises:
            ValueError: if so, saying what was expected.
        """
        usable = [button for button in BUTTONS if button not in UNUSED_BUTTONS]
        if self.dash_button not in usable:
            raise ValueError(
                f"dash_button is {self.dash_button!r}; expected one of {', '.join(usable)}."
            )
        if not 0.0 <= self.dead_zone < 1.0:
            raise ValueError(f"dead_zone is {self.dead_zone}; expected 0 or more and below 1.")

    @property
    def layout(self) -> Layout:
        """Where a row keeps its parts."""
        return layout(old_layout=self.old_layout)

    @property
    def dash_index(self) -> int:
        """Place of the dash button in a row."""
        return self.layout.names.index(self.dash_button)


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
    rows = np.zeros((*given.shape[:-1], ROW), dtype=np.float32)
    rows[..., settings.layout.left] = (within_circle(given[..., 0:2]) + 1.0) / 2.0
    rows[..., settings.layout.right] = (within_circle(given[..., 2:4]) + 1.0) / 2.0
    rows[..., settings.dash_index] = given[..., 4] > DOWN
    return rows


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
    given = _checked(rows, width=ROW, what="Gamepad rows")
    actions = np.empty((*given.shape[:-1], len(ACTION)), dtype=np.float32)
    actions[..., 0:2] = _stick(given[..., settings.layout.left], settings.dead_zone)
    actions[..., 2:4] = _stick(given[..., settings.layout.right], settings.dead_zone)
    actions[..., 4] = given[..., settings.dash_index] > DOWN
    return actions


def within_circle(sticks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale sticks (..., 2) that are longer than 1 to length 1, as the arena does."""
    length = np.linalg.norm(sticks, axis=-1, keepdims=True)
    scaled: NDArray[np.float32] = sticks / np.maximum(length, 1.0)
    return scaled


def mirror(rows: NDArray[np.float32], *, old_layout: bool = False) -> NDArray[np.float32]:
    """Return rows (..., 25) as a mirror shows them: both sticks' left and right exchanged."""
    parts = layout(old_layout=old_layout)
    result = rows.copy()
    for stick in (parts.left, parts.right):
        result[..., stick.start] = 1.0 - result[..., stick.start]
    return result


def _stick(stored: NDArray[np.float32], dead_zone: float) -> NDArray[np.float32]:
    sticks = within_circle(stored * 2.0 - 1.0)
    length = np.linalg.norm(sticks, axis=-1, keepdims=True)
    return np.where(length < dead_zone, np.float32(0.0), sticks)


def _checked(given: ArrayLike, *, width: int, what: str) -> NDArray[np.float32]:
    array: NDArray[Any] = np.asarray(given, dtype=np.float32)
    if array.ndim == 0 or array.shape[-1] != width:
        raise ValueError(f"{what} have the shape {array.shape}; expected (..., {width}).")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} hold a number that is not finite.")
    return array
