"""Named tables between the 25 numbers of a gamepad row and any action space.

`tables` has the protocol, the ready-made tables and `mapping_for`; `box` and `keyed` have mappings
to bind yourself.

Arena Breaker's own table, the other ready-made ones, and `mapping_for`, which finds the one for a
space. The 25 numbers live in `gamepad`, mappings to bind yourself in `box` and
`keyed`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from nitrogen_adapter import gamepad
from nitrogen_adapter.gamepad import DEFAULT_GAMEPAD, GamepadSettings
from nitrogen_adapter.mapping.box import BoxMapping, Dimension, Use, pressed, ranged
from nitrogen_adapter.mapping.keyed import (
    ARCADE_KEYS,
    HALVES,
    DiscreteMapping,
    MultiBinaryMapping,
    MultiDiscreteMapping,
)

__all__ = [
    "ARCADE_18",
    "EIGHT_WAYS",
    "TABLES",
    "ActionMapping",
    "ArenaMapping",
    "BoxMapping",
    "Dimension",
    "DiscreteMapping",
    "MultiBinaryMapping",
    "MultiDiscreteMapping",
    "Use",
    "mapping_for",
]


class ActionMapping(Protocol):
    """A table between gamepad rows and the actions of a space.

    Unpacking what was packed gives the same actions again, up to rounding and to what the
    settings' dead zone swallows. Rows that a model predicted always unpack to legal actions.
    """

    @property
    def name(self) -> str:
        """What the table is called."""

    @property
    def space(self) -> spaces.Space[Any]:
        """The space of one action."""

    @property
    def settings(self) -> GamepadSettings:
        """How actions lie on the gamepad."""

    def pack(self, actions: ArrayLike) -> NDArray[np.float32]:
        """Turn actions (..., *shape of the space) into gamepad rows (..., 25) in [0, 1].

        Raises:
            ValueError: if they have another shape or are no actions of the space.
        """

    def unpack(self, rows: ArrayLike) -> NDArray[Any]:
        """Turn gamepad rows (..., 25) into actions (..., *shape of the space).

        Raises:
            ValueError: if the last axis is not 25 long or a number is not finite.
        """

    def table(self) -> list[Use]:
        """Return what each number that is used means, by place in a row."""


class ArenaMapping:
    """Arena Breaker's sticks and dash: `gamepad.pack` and `gamepad.unpack` as a table."""

    def __init__(
        self, *, name: str = "arena-breaker", settings: GamepadSettings = DEFAULT_GAMEPAD
    ) -> None:
        """Take the settings."""
        self.name = name
        self.settings = settings
        self.space = spaces.Box(-1.0, 1.0, (len(gamepad.ACTION),), np.float32)

    def pack(self, actions: ArrayLike) -> NDArray[np.float32]:
        """Turn actions (..., 5) into rows; sticks longer than 1 are scaled to 1."""
        return gamepad.pack(actions, self.settings)

    def unpack(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Turn rows into actions (..., 5): sticks no longer than 1, dash 0 or 1."""
        return gamepad.unpack(rows, self.settings)

    def table(self) -> list[Use]:
        """Return what the five numbers mean."""
        sticks = zip(gamepad.STICKS, gamepad.ACTION[:4], strict=True)
        uses = [
            ranged(self.settings, number, label, low=-1.0, high=1.0) for number, label in sticks
        ]
        return sorted([*uses, pressed(self.settings, self.settings.dash_button, "dash")])


# ---- ready-made tables ----

EIGHT_WAYS = (
    (),
    ("UP",),
    ("RIGHT",),
    ("LEFT",),
    ("DOWN",),
    ("UP", "RIGHT"),
    ("UP", "LEFT"),
    ("DOWN", "RIGHT"),
    ("DOWN", "LEFT"),
)
"""Nothing and the eight directions, in the order of the classic arcade actions."""

ARCADE_18 = (
    (),
    ("FIRE",),
    *EIGHT_WAYS[1:],
    *((*ways, "FIRE") for ways in EIGHT_WAYS[1:]),
)
"""The 18 classic arcade actions: NOOP, FIRE, UP, RIGHT, LEFT, DOWN, UPRIGHT, UPLEFT, DOWNRIGHT,
DOWNLEFT, and the eight directions with FIRE."""

_WASD = MappingProxyType({"W": "LEFT_Y-", "A": "LEFT_X-", "S": "LEFT_Y+", "D": "LEFT_X+"})
_WASD_9 = ((), ("W",), ("A",), ("S",), ("D",), ("W", "A"), ("W", "D"), ("S", "A"), ("S", "D"))

_KEYS_6 = MappingProxyType(
    {
        "left": "LEFT_X-",
        "right": "LEFT_X+",
        "up": "LEFT_Y-",
        "down": "LEFT_Y+",
        "A": "SOUTH",
        "B": "EAST",
    }
)


def _arena_keys(settings: GamepadSettings) -> ActionMapping:
    aim = {f"AIM_{way}": place.replace("LEFT", "RIGHT") for way, place in _four_ways().items()}
    aiming = [tuple(f"AIM_{way}" for way in ways) for ways in EIGHT_WAYS]
    return MultiDiscreteMapping(
        [EIGHT_WAYS, aiming, [(), ("DASH",)]],
        keys={**_four_ways(), **aim, "DASH": settings.dash_button},
        name="arena-keys",
        settings=settings,
    )


def _car_racing(settings: GamepadSettings) -> ActionMapping:
    low, high = np.array([-1, 0, 0], np.float32), np.ones(3, np.float32)
    return BoxMapping(
        spaces.Box(low, high, dtype=np.float32),
        [
            Dimension("LEFT_X", label="steering"),
            Dimension("RIGHT_TRIGGER", label="gas"),
            Dimension("LEFT_TRIGGER", label="brake"),
        ],
        name="car-racing",
        settings=settings,
    )


def _four_ways() -> dict[str, str]:
    return {key: place for key, place in ARCADE_KEYS.items() if place in HALVES}


TABLES: Mapping[str, Callable[[GamepadSettings], ActionMapping]] = MappingProxyType(
    {
        "arena-breaker": lambda settings: ArenaMapping(settings=settings),
        "arcade-18": lambda s: DiscreteMapping(ARCADE_18, name="arcade-18", settings=s),
        "wasd-9": lambda s: DiscreteMapping(_WASD_9, keys=_WASD, name="wasd-9", settings=s),
        "keys-6": lambda s: MultiBinaryMapping(_KEYS_6, name="keys-6", settings=s),
        "arena-keys": _arena_keys,
        "car-racing": _car_racing,
    }
)
"""The ready-made tables by name. But for the arcade's order of actions, which button carries what
is our own choice."""


def mapping_for(
    space: spaces.Space[Any],
    name: str | None = None,
    *,
    settings: GamepadSettings = DEFAULT_GAMEPAD,
) -> ActionMapping:
    """Return the ready-made table for an action space.

    Args:
        space: of one action.
        name: of a table in `TABLES`; the first that has the space where not given.
        settings: how actions lie on the gamepad.

    Raises:
        ValueError: if no table has that name, the table is for another space, or none is known
            for the space; the sentence names the known ones.
    """
    known = {title: build(settings) for title, build in TABLES.items()}
    if name is None:
        for mapping in known.values():
            if mapping.space == space:
                return mapping
        listed = ", ".join(f"{title} for {one.space}" for title, one in known.items())
        raise ValueError(
            f"No gamepad table is known for {space}; known are {listed}; "
            "for others there are BoxMapping, MultiBinaryMapping, MultiDiscreteMapping and "
            "DiscreteMapping."
        )
    if name not in known:
        raise ValueError(f"There is no gamepad table {name!r}; known are {', '.join(known)}.")
    if known[name].space != space:
        raise ValueError(
            f"The gamepad table {name!r} is for {known[name].space}, but the space is {space}."
        )
    return known[name]
