"""Messages between client and server: pickled dicts, as NitroGen's public code sends them.

The public code unpickles whatever arrives, which lets anyone run code there. Here a message may
hold arrays of numbers, PIL images and plain values, is read without running anything, and makes
no more memory than a small multiple of its own bytes.
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nitrogen_adapter.unpickler import StandIn, Unfinished, Unpickler, UnreadableError

__all__ = ["MAX_BYTES", "WireError", "dumps", "loads"]

MAX_BYTES = 64 * 2**20  # of a message: 340 frames of 256 x 256
MAX_PIXELS = 2**24  # of an image
MAX_DEPTH = 8  # of containers in one another
MAX_VALUES = 20_000  # in all containers of a message together
MAX_AXES = 8  # of an array

PROTOCOL = 3  # every Python 3 reads it, and what it names stands in it as plain text
BANDS = {"L": 1, "LA": 2, "P": 1, "RGB": 3, "RGBA": 4}  # bytes of a pixel in PIL's modes


class WireError(ValueError):
    """A message that is damaged, too large, or asks for what no message may."""


_NUMBERS = {"b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"}
_IMAGE_FILE = re.compile(r"PIL\.(\w+)ImagePlugin\.\1ImageFile", re.IGNORECASE)
# NumPy 1 and 2 keep this function in different places; both find it in the older one.
_NEW_NAME, _OLD_NAME = (
    f"cnumpy.{core}.multiarray\n_reconstruct\n".encode() for core in ("_core", "core")
)


def dumps(message: Mapping[str, object]) -> bytes:
    """Write a message that plain `pickle.loads` reads, with NumPy 1 and NumPy 2 alike.

    Args:
        message: text, numbers, containers and arrays of numbers.

    Raises:
        WireError: if it is larger than any reader accepts.
    """
    # The first array names the function, and only keys of ours stand before it.
    data = pickle.dumps(dict(message), protocol=PROTOCOL).replace(_NEW_NAME, _OLD_NAME, 1)
    _check_size(len(data))
    return data


def loads(data: bytes) -> dict[str, Any]:
    """Read a message, running nothing that stands in it.

    Args:
        data: a pickle of protocols 2 to 5 that holds a dict with text as keys.

    Returns:
        The message: text, bytes, numbers, None, lists, tuples, dicts, arrays, PIL images.

    Raises:
        WireError: if it is anything else, damaged or too large.
    """
    _check_size(len(data))
    try:
        message = _plain(_Reader(data).load(), depth=0, budget=_Budget(MAX_VALUES))
    except WireError:
        raise
    except UnreadableError as error:
        raise WireError(str(error)) from error
    # A damaged message can go wrong in any way; none of them is worth telling apart.
    except Exception as error:
        raise WireError("A message is damaged.") from error
    if type(message) is not dict:
        raise WireError("A message is not a dict.")
    return message


class _Budget:
    """Counts down something that a message must not use up."""

    def __init__(self, amount: int) -> None:
        self.left = amount

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise WireError("A message unfolds to more than its size allows.")


class _Reader(Unpickler):
    """Knows arrays and images, whose bytes are together at most twice those of the message."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._bytes = _Budget(2 * len(data))  # in protocol 2 they are text before
        self._known = {
            "numpy.ndarray": StandIn(),
            "numpy.dtype": StandIn(_Kind),
            "_codecs.encode": StandIn(self._encode),  # how protocol 2 writes bytes
            "PIL.Image.Image": StandIn(self._image),
        }
        for core in ("numpy.core", "numpy._core"):
            self._known[f"{core}.multiarray._reconstruct"] = StandIn(self._array)
            self._known[f"{core}.multiarray.scalar"] = StandIn(self._scalar)
            self._known[f"{core}.numeric._frombuffer"] = StandIn(self._from_buffer)

    def find_class(self, module: str, name: str) -> StandIn:
        place = f"{module}.{name}"
        if _IMAGE_FILE.fullmatch(place):
            place = "PIL.Image.Image"  # an image that knows which file it is from
        if place in self._known:
            return self._known[place]
        return super().find_class(module, name)

    def _encode(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise WireError("A message encodes text otherwise than as bytes.")
        self._bytes.spend(len(text))
        return text.encode("latin1")

    def _array(self, kind: object, shape: object, letter: object) -> _Array:
        return _Array(self._bytes)  # its state says the rest

    def _from_buffer(
        self, data: object, kind: object, shape: object, order: object, axes: object = None
    ) -> _Array:
        array = _Array(self._bytes)
        array.fill(data, kind, shape, order="F" if order == "F" else "C")
        if axes is not None:
            array.turn(axes)
        return array

    def _scalar(self, kind: object, data: object) -> object:
        array = _Array(self._bytes)
        array.fill(data, kind, (), order="C")
        return array.value()[()]

    def _image(self) -> _Image:
        return _Image(self._bytes)


class _Kind(Unfinished):
    """The dtype of an array: one of plain numbers."""

    def __init__(self, name: object, align: object, copy: object) -> None:
        if type(name) is not str or name not in _NUMBERS:  # hashing another type may not end
            raise WireError("A message has an array of something else than numbers.")
        self._dtype = np.dtype(name)

    def build(self, state: object) -> None:
        version, order, *rest = _sequence(state, most=8)
        if version != 3 or order not in ("<", ">", "|", "=") or rest != [None] * 3 + [-1, -1, 0]:
            raise WireError("A message has an array of something else than numbers.")
        self._dtype = self._dtype.newbyteorder(order)

    def value(self) -> np.dtype[Any]:
        return self._dtype


class _Array(Unfinished):
    """An array of numbers, made once its state is known to fit its bytes."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget
        self._made: NDArray[Any] | None = None

    def build(self, state: object) -> None:
        version, shape, kind, fortran, data = _sequence(state, most=5)
        if version != 1:
            raise WireError("A message has an array of an unknown version.")
        self.fill(data, kind, shape, order="F" if fortran is True else "C")

    def fill(self, data: object, kind: object, shape: object, *, order: Any) -> None:
        if not isinstance(data, bytes) or not isinstance(kind, _Kind):
            raise WireError("A message has an array of something else than numbers.")
        sides = _whole_numbers(shape, most=MAX_BYTES)
        dtype = kind.value()
        if math.prod(sides) * dtype.itemsize != len(data):
            raise WireError("A message has an array whose shape does not fit its bytes.")
        self._budget.spend(len(data))
        self._made = np.ndarray(sides, dtype, buffer=data, order=order).copy(order="K")

    def turn(self, axes: object) -> None:
        self._made = self.value().transpose(_whole_numbers(axes, most=MAX_AXES))

    def value(self) -> NDArray[Any]:
        if self._made is None:
            raise WireError("A message has an array without its numbers.")
        return self._made


class _Image(Unfinished):
    """A PIL image, made once its size is known to fit its bytes."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget
        self._made: Image.Image | None = None

    def build(self, state: object) -> None:
        # What its file told stands first, a file's name and a JPEG's layers last.
        _, mode, size, palette, data, *_ = _sequence(state, most=8)
        width, height = _whole_numbers(size, most=MAX_PIXELS)
        if type(mode) is not str or mode not in BANDS:
            raise WireError(f"A message has an image in another mode than {', '.join(BANDS)}.")
        pixels = width * height
        fits = isinstance(data, bytes) and len(data) == pixels * BANDS[mode]
        if not fits or not 0 < pixels <= MAX_PIXELS:
            raise WireError("A message has an image whose size does not fit its bytes.")
        self._budget.spend(len(data))
        self._made = Image.frombytes(mode, (width, height), data)
        if mode == "P" and palette is not None:
            self._made.putpalette(bytes(_whole_numbers(palette, most=255, length=768)))

    def value(self) -> Image.Image:
        if self._made is None:
            raise WireError("A message has an image without its pixels.")
        return self._made


def _plain(value: object, *, depth: int, budget: _Budget) -> object:
    """Return a value with its objects made, and its containers each in one place only."""
    budget.spend(1)
    if depth > MAX_DEPTH:
        raise WireError(f"A message has containers more than {MAX_DEPTH} deep.")
    if isinstance(value, dict):
        return {key: _plain(one, depth=depth + 1, budget=budget) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(one, depth=depth + 1, budget=budget) for one in value)
    if isinstance(value, Unfinished):
        return value.value()
    if isinstance(value, StandIn):
        raise WireError("A message holds a function or a class.")
    return value


def _sequence(given: object, *, most: int) -> Sequence[Any]:
    """Return a tuple or list of at most so many values."""
    if not isinstance(given, tuple | list) or len(given) > most:
        raise WireError("A message has an object in a state of another form.")
    return given


def _whole_numbers(given: object, *, most: int, length: int = MAX_AXES) -> tuple[int, ...]:
    """Return a tuple of whole numbers from 0 to `most`."""
    numbers = _sequence(given, most=length)
    if any(type(one) is not int or not 0 <= one <= most for one in numbers):
        raise WireError("A message has a shape or a palette of numbers that it cannot have.")
    return tuple(numbers)


def _check_size(count: int) -> None:
    if count > MAX_BYTES:
        raise WireError(f"A message has {count} bytes; at most {MAX_BYTES} are read.")
