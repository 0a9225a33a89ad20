"""`Record`: a class that names a record's fields and their types; `dtype_of` makes its dtype.

What a field is called and what it holds is written once, where mypy sees it too. No object of such
a class is ever made: rules are handed rows of arrays of its dtype, which have the same fields.
"""

import functools
from collections.abc import Iterator
from typing import Annotated, Any, Protocol, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

Row = TypeVar("Row")
_NUMBERS = {int: "i8", float: "f8"}


class Record:
    """What all records are: a field is an int, a float, a record, or `Annotated` as an array.

    An array's annotation says its type for mypy, the dtype or the class of what it holds, and its
    shape: `Annotated[Rows[ShotRecord], ShotRecord, (48,)]`.
    """


class Rows(Protocol[Row]):
    """A one-dimensional array of records, as the rules use it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """How many there are, as the only number."""

    def __getitem__(self, index: int, /) -> Row:
        """A record, not a copy: what is written into it is written into the array."""

    def __setitem__(self, index: int, row: Row, /) -> None:
        """Copies a record into the array."""

    def __iter__(self) -> Iterator[Row]:
        """All of them in turn."""


@functools.cache
def dtype_of(record: type[Record]) -> np.dtype[np.void]:
    """The dtype whose fields are those that a class names, in its order."""
    hints = get_type_hints(record, include_extras=True)
    return np.dtype((np.record, [(name, *_field(hint)) for name, hint in hints.items()]))


def _field(hint: Any) -> tuple[Any, ...]:
    """What NumPy calls a field's type: a dtype, and the shape of an array."""
    if get_origin(hint) is not Annotated:
        return (_NUMBERS.get(hint) or dtype_of(hint),)
    _, held, shape = get_args(hint)
    return (held if isinstance(held, str) else dtype_of(held), shape)
