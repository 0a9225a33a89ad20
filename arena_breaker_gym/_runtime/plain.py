"""Plain numbers: what users give where a number is wanted, checked and freed of NumPy's types."""

import numbers
import operator
from typing import Any, SupportsIndex

import numpy as np


def plain_int(name: str, value: object, *, least: int | None = 1, most: int | None = None) -> int:
    """A whole number within bounds, if there are any; any integer type will do, bools are none.

    Raises:
        ValueError: With a sentence that names what was given.
    """
    number = _whole(value)
    if (
        number is None
        or (least is not None and number < least)
        or (most is not None and number > most)
    ):
        bounds = "" if least is None else f" of at least {least}"
        bounds = bounds if most is None else f" from {least} to {most}"
        raise ValueError(f"{name} must be a whole number{bounds}, got {value!r}.")
    return number


def plain_float(name: str, value: object) -> float:
    """A real number, of any type but bool.

    Raises:
        ValueError: With a sentence that names what was given.
    """
    number = _without_numpy(value)
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        raise ValueError(f"{name} must be a number, got {value!r}.")
    return float(number)


def plain_bool(name: str, value: object) -> bool:
    """True or False, Python's or NumPy's.

    Raises:
        ValueError: With a sentence that names what was given.
    """
    truth = _without_numpy(value)
    if not isinstance(truth, bool):
        raise ValueError(f"{name} must be a bool, got {value!r}.")
    return truth


def plain_value(value: Any) -> Any:
    """A value of lists and dicts with NumPy's scalars in it, at any depth, as plain ones."""
    if isinstance(value, dict):
        return {name: plain_value(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(one) for one in value]
    return _without_numpy(value)


def _whole(value: object) -> int | None:
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return operator.index(value) if isinstance(value, SupportsIndex) else None
    except TypeError:
        return None


def _without_numpy(value: Any) -> Any:
    scalar = isinstance(value, np.generic | np.ndarray) and value.ndim == 0
    return value.item() if scalar else value
