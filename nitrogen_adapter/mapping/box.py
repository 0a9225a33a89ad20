"""`BoxMapping`: any Box on a gamepad, each of its dimensions on an axis or a button."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from nitrogen_adapter import gamepad
from nitrogen_adapter.gamepad import DEFAULT_GAMEPAD, DOWN, XBOX, GamepadSettings

MOST_LEVELS = 2**20
"""Whole numbers in a range; more would run together in a row's 32-bit numbers."""


class Use(NamedTuple):
    """What a game does with one number of a row.

    Attributes:
        column: its place in the row, from 0.
        number: its name.
        xbox: what an Xbox gamepad calls it.
        meaning: what it means in the game.
    """

    column: int
    number: str
    xbox: str
    meaning: str


def use(settings: GamepadSettings, number: str, meaning: str) -> Use:
    """Return the use of a plain row's number, where the settings lay it."""
    place = settings.place_of(number)
    return Use(place.column, place.name, XBOX[place.name], meaning)


def pressed(settings: GamepadSettings, number: str, label: str) -> Use:
    """Return the use of a button."""
    return use(settings, number, f"{label} above {DOWN:g}")


def ranged(settings: GamepadSettings, number: str, label: str, *, low: float, high: float) -> Use:
    """Return the use of a number that carries values from low to high."""
    if settings.place_of(number).inverted:
        low, high = high, low
    return use(settings, number, f"{label} from {low:g} at 0 to {high:g} at 1")


def flat(given: NDArray[Any], space: spaces.Space[Any]) -> NDArray[Any]:
    """Return actions (..., *shape of the space) as (..., numbers).

    Raises:
        ValueError: if they have another shape.
    """
    shape = space.shape or ()
    lead = given.ndim - len(shape)
    if lead < 0 or given.shape[lead:] != shape:
        wanted = ", ".join(["...", *map(str, shape)])
        raise ValueError(f"Actions have the shape {given.shape}; expected ({wanted}).")
    return given.reshape(*given.shape[:lead], -1)


def whole(
    actions: ArrayLike, space: spaces.Space[Any], *, counts: NDArray[np.int64], start: int = 0
) -> NDArray[np.int64]:
    """Return actions of whole numbers, counted from 0, (..., numbers) or (...) in a scalar space.

    Args:
        actions: (..., *shape of the space).
        space: of one action.
        counts: how many values each number of an action has.
        start: the lowest of them.

    Raises:
        ValueError: if they have another shape, or are no actions of the space.
    """
    given = np.asarray(actions)
    if given.dtype.kind not in "biu":
        raise ValueError(f"Actions are {given.dtype}; expected whole numbers of {space}.")
    if space.shape:
        given = flat(given, space)
    given = given.astype(np.int64) - start
    wrong = (given < 0) | (given >= counts)
    if wrong.any():
        raise ValueError(f"Actions hold {given[wrong][0] + start}, which is not in {space}.")
    return given


@dataclass(frozen=True)
class Dimension:
    """One dimension of a Box on a gamepad.

    Attributes:
        number: the axis or button that carries it. A button carries it as a share of its range,
            as a trigger does.
        label: what tables call it.
        inverted: whether its high end lies at the number's low end.
        low: its value at the number's low end; the space's bound where not given.
        high: its value at the number's high end, likewise.
        switch: whether it is only ever at one end or the other.
    """

    number: str
    _: KW_ONLY
    label: str = ""
    inverted: bool = False
    low: float | None = None
    high: float | None = None
    switch: bool = False


class BoxMapping:
    """Any Box, each dimension on an axis or a button. Values beyond its range are cut to it."""

    def __init__(
        self,
        space: spaces.Box,
        dimensions: Sequence[Dimension | str],
        *,
        name: str = "box",
        settings: GamepadSettings = DEFAULT_GAMEPAD,
    ) -> None:
        """Bind the dimensions.

        Args:
            space: of any shape; its dimensions are taken in reading order.
            dimensions: one for each; a name alone binds a dimension plainly.
            name: what the table is called.
            settings: how actions lie on the gamepad.

        Raises:
            ValueError: if there are more or fewer, a number is unknown or bound twice, or a range
                is empty, endless or outside the space.
        """
        self.name = name
        self.space = space
        self.settings = settings
        self.dimensions = tuple(Dimension(d) if isinstance(d, str) else d for d in dimensions)
        _check_numbers([one.number for one in self.dimensions], int(np.prod(space.shape)))
        self._columns = [gamepad.NEW_LAYOUT.names.index(one.number) for one in self.dimensions]
        self._low, self._high = self._ends()
        self._inverted = np.array([one.inverted for one in self.dimensions])
        self._switch = np.array([one.switch for one in self.dimensions])

    def pack(self, actions: ArrayLike) -> NDArray[np.float32]:
        """Turn actions (..., *shape) into rows (..., 25); see `ActionMapping.pack`."""
        given = flat(np.asarray(actions, dtype=np.float64), self.space)
        if not np.isfinite(given).all():
            raise ValueError("Actions hold a number that is not finite.")
        values = np.clip(given, self._low, self._high)
        share = (values - self._low) / (self._high - self._low)
        rows = gamepad.at_rest(given.shape[:-1])
        rows[..., self._columns] = self._as_stored(share)
        return gamepad.arranged(rows, self.settings)

    def unpack(self, rows: ArrayLike) -> NDArray[Any]:
        """Turn rows (..., 25) into actions (..., *shape); see `ActionMapping.unpack`."""
        plain = gamepad.centred(gamepad.plain(rows, self.settings), self.settings.dead_zone)
        share = self._as_stored(np.clip(plain[..., self._columns].astype(np.float64), 0.0, 1.0))
        values = np.clip(self._low + share * (self._high - self._low), self._low, self._high)
        if _counts(self.space):
            values = np.rint(values)
        return values.astype(self.space.dtype).reshape((*plain.shape[:-1], *self.space.shape))

    def table(self) -> list[Use]:
        """Return what the bound numbers mean."""
        return sorted(self._use(place) for place in range(len(self.dimensions)))

    def _as_stored(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn shares of the ranges into what is stored, or back: both are the same step."""
        share = np.where(self._switch, share > gamepad.DOWN, share)
        return np.where(self._inverted, 1.0 - share, share)

    def _ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        lows = self.space.low.astype(np.float64).ravel()
        highs = self.space.high.astype(np.float64).ravel()
        for place, one in enumerate(self.dimensions):
            low = lows[place] if one.low is None else one.low
            high = highs[place] if one.high is None else one.high
            _check_range(one.number, (low, high), (lows[place], highs[place]), self.space)
            lows[place], highs[place] = low, high
        return lows, highs

    def _use(self, place: int) -> Use:
        one = self.dimensions[place]
        label = one.label or f"dimension {place}"
        low, high = float(self._low[place]), float(self._high[place])
        if one.inverted:
            low, high = high, low
        if one.switch:
            return pressed(self.settings, one.number, f"{label}: {high:g}, else {low:g},")
        return ranged(self.settings, one.number, label, low=low, high=high)


def _check_numbers(numbers: Sequence[str], wanted: int) -> None:
    if len(numbers) != wanted:
        raise ValueError(f"{len(numbers)} dimensions are bound, but the space has {wanted}.")
    usable = (*gamepad.STICKS, *gamepad.USABLE_BUTTONS)
    for place, number in enumerate(numbers):
        if number not in usable:
            raise ValueError(
                f"Dimension {place} is bound to {number!r}; expected one of {', '.join(usable)}."
            )
        if number in numbers[:place]:
            first = numbers.index(number)
            raise ValueError(f"Dimensions {first} and {place} are both bound to {number}.")


def _check_range(
    number: str, ends: tuple[float, float], bounds: tuple[float, float], space: spaces.Box
) -> None:
    low, high = ends
    with np.errstate(over="ignore"):
        width = np.subtract(high, low)
    if not 0.0 < width < np.inf:
        raise ValueError(
            f"The dimension on {number} ranges from {low:g} to {high:g}; "
            "expected finite ends, the low one first: give the Dimension a low and a high."
        )
    if low < bounds[0] or high > bounds[1]:
        raise ValueError(
            f"The dimension on {number} ranges from {low:g} to {high:g}, "
            f"beyond the space's {bounds[0]:g} to {bounds[1]:g}."
        )
    if _counts(space) and width > MOST_LEVELS:
        raise ValueError(
            f"The dimension on {number} counts from {low:g} to {high:g}; "
            f"expected at most {MOST_LEVELS:,} steps, which is what a row can tell apart."
        )


def _counts(space: spaces.Box) -> bool:
    """Whether the space holds whole numbers."""
    return bool(space.dtype is not None and space.dtype.kind in "biu")
