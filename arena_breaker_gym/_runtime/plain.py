"""Plain numbers: what users give where a number is wanted, checked and freed of NumPy's types."""

import numbers
import operator
from collections.abc import Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, SupportsIndex, Union, get_args, get_origin, get_type_hints

import numpy as np

from arena_breaker_gym._runtime.stored import shortened

_SAYS: Mapping[type, str] = {
    bool: "true or false", int: "a whole number", float: "a number", str: "a text",
    NoneType: "nothing", Mapping: "a table", tuple: "a list",
}  # fmt: skip


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
        raise ValueError(f"{name} must be a whole number{bounds}, got {shortened(value)}.")
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


def check_kinds(config: object) -> None:
    """Refuses entries of a dataclass that are of another kind than it says: a text for a number.

    NumPy's numbers and truths will do. What a table or a list holds is not looked at.

    Raises:
        ValueError: With a sentence that names the entry.
    """
    for name, kinds in _kinds_of(type(config)).items():
        value = _without_numpy(getattr(config, name))
        if not any(_is_of(value, kind) for kind in kinds):
            wanted = " or ".join(_SAYS.get(kind, kind.__name__) for kind in kinds)
            raise ValueError(f"{name} is {shortened(value)}; expected {wanted}.")


def _kinds_of(config: type) -> dict[str, tuple[type, ...]]:
    """Of which kinds each entry of a dataclass may be."""
    hints = get_type_hints(config)
    return {one.name: _choices(hints[one.name]) for one in fields(config)}


def _choices(hint: Any) -> tuple[type, ...]:
    choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return tuple(get_origin(one) or one for one in choices)


def _is_of(value: object, kind: type) -> bool:
    if kind is int:
        return _whole(value) is not None
    if kind is float:
        return isinstance(value, numbers.Real) and not isinstance(value, bool)
    return isinstance(value, kind)


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
