"""Mappings of spaces that are played with keys: MultiBinary, MultiDiscrete and Discrete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from nitrogen_adapter import gamepad
from nitrogen_adapter.gamepad import DEFAULT_GAMEPAD, GamepadSettings
from nitrogen_adapter.mapping.actions import whole
from nitrogen_adapter.mapping.keys import ARCADE_KEYS, HALVES, KeyCombinations, Keys
from nitrogen_adapter.mapping.use import Use, pressed, use


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
