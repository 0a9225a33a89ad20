"""Batches of actions of a Gymnasium space, brought to one shape and checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray


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
