"""`Use`: what a game does with one of the 25 numbers, in words for people."""

from __future__ import annotations

from typing import NamedTuple

from nitrogen_adapter.gamepad import DOWN, XBOX, GamepadSettings


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
