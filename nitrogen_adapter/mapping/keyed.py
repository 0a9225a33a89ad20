"""Mappings of spaces that are played with keys: MultiBinary, MultiDiscrete and Discrete.

A game with keys instead of sticks is played on a gamepad this way. Rows here are plain: buttons
first, the left stick moves, x to the right and y down (see `gamepad.arranged`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from nitrogen_adapter import gamepad
from nitrogen_adapter.gamepad import (
    BUTTONS,
    DEFAULT_GAMEPAD,
    DOWN,
    NEW_LAYOUT,
    STICKS,
    USABLE_BUTTONS,
    GamepadSettings,
    at_rest,
    within_circle,
)
from nitrogen_adapter.mapping.box import Use, pressed, use, whole

HALVES: Mapping[str, tuple[str, float]] = MappingProxyType(
    {f"{axis}{sign}": (axis, float(f"{sign}1")) for axis in STICKS for sign in "-+"}
)
"""Half axes by name, "LEFT_X-" to "RIGHT_Y+", with the axis and the way along it."""

DPAD: Mapping[str, str] = MappingProxyType(
    {
        "LEFT_X-": "DPAD_LEFT",
        "LEFT_X+": "DPAD_RIGHT",
        "LEFT_Y-": "DPAD_UP",
        "LEFT_Y+": "DPAD_DOWN",
    }
)
"""The d-pad's button for each half of the left stick: games take either for a direction."""

ARCADE_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "UP": "LEFT_Y-",
        "DOWN": "LEFT_Y+",
        "LEFT": "LEFT_X-",
        "RIGHT": "LEFT_X+",
        "FIRE": "SOUTH",
        **{button: button for button in USABLE_BUTTONS},
    }
)
"""Keys of an arcade game, and every button by its own name. FIRE on SOUTH is our own choice: the
button under the thumb."""

SECTOR = float(np.sin(np.pi / 8))
"""A stick that points into one of eight equal sectors has more than this share of its length along
each axis that the sector's direction lies on."""


class Keys:
    """Some keys on a gamepad.

    A key on half of the left stick also hears the d-pad, unless the d-pad's button is another
    key's. Where opposite halves are pressed at once, which no stick can say, the d-pad says it.

    Attributes:
        places: each key's button or half axis, by the key's name and in order.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        """Bind keys.

        Args:
            places: for each key a name of `USABLE_BUTTONS` or `HALVES`.

        Raises:
            ValueError: if a place is none of these or holds two keys.
        """
        _check_places(places)
        self.places = MappingProxyType(dict(places))
        taken = list(places.values())
        self._buttons = [key for key, place in enumerate(taken) if place not in HALVES]
        self._columns = [BUTTONS.index(taken[key]) for key in self._buttons]
        self._halves = [(key, *HALVES[place]) for key, place in enumerate(taken) if place in HALVES]
        self._dpad = {
            key: BUTTONS.index(DPAD[place])
            for key, place in enumerate(taken)
            if place in DPAD and DPAD[place] not in taken
        }

    def __len__(self) -> int:
        """Count the keys."""
        return len(self.places)

    def press(self, down: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return plain rows (..., 25) in which the keys (..., K) that are down are pressed.

        A stick is pushed to the edge of its circle, in one of eight directions.

        Raises:
            ValueError: if opposite halves of an axis are pressed and no d-pad is free to say so.
        """
        rows = at_rest(down.shape[:-1])
        push = np.zeros((*down.shape[:-1], len(STICKS)), dtype=np.float32)
        for key, axis, way in self._halves:
            push[..., STICKS.index(axis)] += way * down[..., key]
        rows[..., NEW_LAYOUT.left] = (within_circle(push[..., 0:2]) + 1.0) / 2.0
        rows[..., NEW_LAYOUT.right] = (within_circle(push[..., 2:4]) + 1.0) / 2.0
        rows[..., self._columns] = down[..., self._buttons]
        for one, other in self._opposites():
            both = down[..., one] & down[..., other]
            if both.any():
                rows[..., [self._dpad_of(one), self._dpad_of(other)]] = both[..., None]
        return rows

    def read(self, rows: NDArray[np.float32], dead_zone: float) -> NDArray[np.bool_]:
        """Return which keys (..., K) plain rows (..., 25) press.

        Args:
            rows: a model's, say. Buttons are pressed above 0.5; a stick presses the keys of the
                one of eight sectors that it points into.
            dead_zone: how far a stick must be pushed for that.
        """
        down = np.zeros((*rows.shape[:-1], len(self)), dtype=np.bool_)
        down[..., self._buttons] = rows[..., self._columns] > DOWN
        for key, axis, way in self._halves:
            part = NEW_LAYOUT.left if axis.startswith("LEFT") else NEW_LAYOUT.right
            stick = rows[..., part] * 2.0 - 1.0
            length = np.linalg.norm(stick, axis=-1)
            along = way * stick[..., NEW_LAYOUT.names.index(axis) - part.start]
            down[..., key] = (length > dead_zone) & (along > SECTOR * length)
        for key, column in self._dpad.items():
            down[..., key] |= rows[..., column] > DOWN
        return down

    def heard(self) -> dict[str, str]:
        """Return by name the buttons of the d-pad that are heard beside a stick, and their keys."""
        names = list(self.places)
        return {BUTTONS[column]: names[key] for key, column in self._dpad.items()}

    def _opposites(self) -> list[tuple[int, int]]:
        return [
            (one, other)
            for one, axis, way in self._halves
            for other, other_axis, other_way in self._halves
            if axis == other_axis and way < other_way
        ]

    def _dpad_of(self, key: int) -> int:
        if key not in self._dpad:
            name, place = list(self.places.items())[key]
            raise ValueError(
                f"Key {name!r} on {place} is pressed together with the one on the opposite half; "
                "a stick cannot say both, and no d-pad is free to: bind one of them to a button."
            )
        return self._dpad[key]


class KeyCombinations:
    """Numbered combinations of keys, of which exactly one is pressed at a time.

    Attributes:
        combinations: each choice's keys.
        labels: each choice's keys with plus signs between, "NOOP" where there are none.
    """

    def __init__(self, combinations: Sequence[Sequence[str]]) -> None:
        """Number some combinations from 0.

        Raises:
            ValueError: if there are none, or two are the same.
        """
        if not combinations:
            raise ValueError("There are no choices; expected at least one combination of keys.")
        if isinstance(combinations, str) or any(isinstance(one, str) for one in combinations):
            raise ValueError('Each choice is a sequence of keys, such as ("UP", "FIRE") or ().')
        self.combinations = tuple(tuple(one) for one in combinations)
        self.labels = tuple("+".join(one) or "NOOP" for one in self.combinations)
        sets = [frozenset(one) for one in self.combinations]
        for number, one in enumerate(sets):
            if one in sets[:number]:
                raise ValueError(
                    f"Choices {sets.index(one)} and {number} are both {self.labels[number]}; "
                    "expected every choice once."
                )
        self.keys = tuple(dict.fromkeys(key for one in self.combinations for key in one))
        self._down = np.array([[key in one for key in self.keys] for one in sets], dtype=np.bool_)

    def __len__(self) -> int:
        """Count the choices."""
        return len(self.combinations)

    def down(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `keys` the choices (...) press: (..., keys)."""
        pressed: NDArray[np.bool_] = self._down[numbers]
        return pressed

    def nearest(self, down: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the choices (...) that come nearest to the keys (..., keys) that are down.

        The fewest keys differ; among equals, the fewest are pressed that are not down; among
        these, the first choice is taken.
        """
        added = (~down).astype(np.int64) @ self._down.T.astype(np.int64)
        missed = down.astype(np.int64) @ (~self._down).T.astype(np.int64)
        order = (added + missed) * (len(self.keys) + 1) + added
        nearest: NDArray[np.int64] = order.argmin(axis=-1)
        return nearest


def _check_places(places: Mapping[str, str]) -> None:
    for key, place in places.items():
        if place not in HALVES and place not in USABLE_BUTTONS:
            raise ValueError(
                f"Key {key!r} is bound to {place!r}; expected half an axis, such as LEFT_X-, or "
                f"one of {', '.join(USABLE_BUTTONS)}."
            )
    first: dict[str, str] = {}
    for key, place in places.items():
        if first.setdefault(place, key) != key:
            raise ValueError(f"Keys {first[place]!r} and {key!r} are both bound to {place}.")


class MultiBinaryMapping:
    """A MultiBinary space: each of its places is a key on a button or on half an axis."""

    def __init__(
        self,
        keys: Mapping[str, str],
        *,
        name: str = "multi-binary",
        settings: GamepadSettings = DEFAULT_GAMEPAD,
    ) -> None:
        """Bind the keys.

        Args:
            keys: for each place of the space a key's name and its button or half axis; see `Keys`.
            name: what the table is called.
            settings: how actions lie on the gamepad.

        Raises:
            ValueError: if a key is bound to nothing that exists, or two to the same.
        """
        self.name = name
        self.settings = settings
        self.keys = Keys(keys)
        self.space = spaces.MultiBinary(len(keys))

    def pack(self, actions: ArrayLike) -> NDArray[np.float32]:
        """Turn actions (..., n) of 0 and 1 into rows (..., 25); see `ActionMapping.pack`."""
        given = whole(actions, self.space, counts=np.full(len(self.keys), 2))
        return gamepad.arranged(self.keys.press(given.astype(np.bool_)), self.settings)

    def unpack(self, rows: ArrayLike) -> NDArray[np.int8]:
        """Turn rows (..., 25) into actions (..., n) of 0 and 1; see `ActionMapping.unpack`."""
        return _read(self.keys, rows, self.settings).astype(np.int8)

    def table(self) -> list[Use]:
        """Return what the bound numbers mean."""
        return _key_table(self.keys, self.settings)


class MultiDiscreteMapping:
    """A MultiDiscrete space: in each of its places one of several combinations of keys."""

    def __init__(
        self,
        places: Sequence[Sequence[Sequence[str]]],
        *,
        keys: Mapping[str, str] = ARCADE_KEYS,
        name: str = "multi-discrete",
        settings: GamepadSettings = DEFAULT_GAMEPAD,
    ) -> None:
        """Name the combinations.

        Args:
            places: for each place of the space its choices, each the keys that it presses.
            keys: the button or half axis of each key; see `Keys`.
            name: what the table is called.
            settings: how actions lie on the gamepad.

        Raises:
            ValueError: if a key is unknown or pressed in two places, or a choice stands there
                twice.
        """
        self.name = name
        self.settings = settings
        self.places = tuple(KeyCombinations(choices) for choices in places)
        names = [key for choices in self.places for key in choices.keys]
        for key in names:
            if names.count(key) > 1:
                raise ValueError(f"Key {key!r} is pressed in two places; expected one for each.")
        self.keys = _bound(names, keys)
        self.space = spaces.MultiDiscrete([len(choices) for choices in self.places])

    def pack(self, actions: ArrayLike) -> NDArray[np.float32]:
        """Turn actions (..., n) into rows (..., 25); see `ActionMapping.pack`."""
        given = whole(actions, self.space, counts=self.space.nvec)
        chosen = [choices.down(given[..., place]) for place, choices in enumerate(self.places)]
        return gamepad.arranged(self.keys.press(np.concatenate(chosen, axis=-1)), self.settings)

    def unpack(self, rows: ArrayLike) -> NDArray[np.int64]:
        """Turn rows (..., 25) into the nearest choices (..., n); see `KeyCombinations.nearest`."""
        down = _read(self.keys, rows, self.settings)
        ends = np.cumsum([len(choices.keys) for choices in self.places])[:-1]
        parts = zip(self.places, np.split(down, ends, axis=-1), strict=True)
        return np.stack([choices.nearest(part) for choices, part in parts], axis=-1)

    def table(self) -> list[Use]:
        """Return what the numbers of the keys mean."""
        return _key_table(self.keys, self.settings)


class DiscreteMapping:
    """A keyboard-like Discrete space: each choice is a combination of keys.

    Rows are read as the choice that they say: the direction of stick or d-pad, beyond the
    settings' `key_dead_zone` and in eight sectors, and buttons above 0.5. Where no choice presses
    just these keys, the nearest is taken; see `KeyCombinations.nearest`.
    """

    def __init__(
        self,
        choices: Sequence[Sequence[str]],
        *,
        keys: Mapping[str, str] = ARCADE_KEYS,
        start: int = 0,
        name: str = "discrete",
        settings: GamepadSettings = DEFAULT_GAMEPAD,
    ) -> None:
        """Name the combinations.

        Args:
            choices: the keys that each choice presses, such as ("UP", "FIRE") or ().
            keys: the button or half axis of each key; see `Keys`.
            start: number of the first choice.
            name: what the table is called.
            settings: how actions lie on the gamepad.

        Raises:
            ValueError: if there is no choice, one stands there twice or a key is unknown.
        """
        self.name = name
        self.settings = settings
        self.choices = KeyCombinations(choices)
        self.keys = _bound(self.choices.keys, keys)
        self.space = spaces.Discrete(len(self.choices), start=start)

    @property
    def labels(self) -> tuple[str, ...]:
        """What each choice presses, in words such as "UP+FIRE"; "NOOP" for nothing."""
        return self.choices.labels

    def pack(self, actions: ArrayLike) -> NDArray[np.float32]:
        """Turn choices (...) into rows (..., 25); see `ActionMapping.pack`."""
        start = int(self.space.start)
        given = whole(actions, self.space, counts=np.array(self.space.n), start=start)
        return gamepad.arranged(self.keys.press(self.choices.down(given)), self.settings)

    def unpack(self, rows: ArrayLike) -> NDArray[np.int64]:
        """Turn rows (..., 25) into choices (...); see `ActionMapping.unpack`."""
        nearest = self.choices.nearest(_read(self.keys, rows, self.settings))
        return np.asarray(nearest + int(self.space.start))

    def table(self) -> list[Use]:
        """Return what the numbers of the keys mean."""
        return _key_table(self.keys, self.settings)


def _key_table(keys: Keys, settings: GamepadSettings) -> list[Use]:
    uses = [pressed(settings, number, f"{key} too,") for number, key in keys.heard().items()]
    pushed: dict[str, list[tuple[int, str]]] = {}
    for key, place in keys.places.items():
        if place in HALVES:
            axis, way = HALVES[place]
            end = int((way > 0) != settings.place_of(axis).inverted)
            pushed.setdefault(axis, []).append((end, f"{key} towards {end}"))
        else:
            uses.append(pressed(settings, place, key))
    for axis, ends in pushed.items():
        uses.append(use(settings, axis, ", ".join(words for _, words in sorted(ends))))
    return sorted(uses)


def _read(keys: Keys, rows: ArrayLike, settings: GamepadSettings) -> NDArray[np.bool_]:
    return keys.read(gamepad.plain(rows, settings), settings.key_dead_zone)


def _bound(names: Sequence[str], keys: Mapping[str, str]) -> Keys:
    for name in names:
        if name not in keys:
            raise ValueError(f"There is no key {name!r}; known are {', '.join(keys)}.")
    return Keys({name: keys[name] for name in names})
