"""Sticks: directions of length at most 1, out of keys, a mouse or a worn gamepad."""

import math
from collections.abc import Iterable

Stick = tuple[float, float]  # x right, z towards the viewer (down on the screen)

REST: Stick = (0.0, 0.0)
DEAD_ZONE = 0.2  # share of a stick's way; our own value, about that of common consoles
_FULL_ZONE = 0.97  # worn sticks never quite reach their rim


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
