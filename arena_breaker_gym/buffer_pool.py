"""`BufferPool`: large arrays that are the caller's to keep, and are used again once let go."""

import math
import weakref
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAST = 2**22  # bytes; memory for less is had as fast as it is found here
_KEPT = 2  # buffers that wait: a loop holds one observation while the next is written


class BufferPool:
    """Hands out uint8 arrays of one shape, not filled with anything.

    Asking the system for tens of megabytes at every step takes longer than drawing them. An array
    comes back by itself when nobody holds it, or any view of it, any more.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        """Makes a pool without a buffer in it."""
        self._shape = shape
        self._waiting: deque[NDArray[np.uint8]] = deque(maxlen=_KEPT)

    def __reduce__(self) -> Any:
        """A copy has buffers of its own."""
        return BufferPool, (self._shape,)

    def take(self) -> NDArray[np.uint8]:
        """An array that nobody else holds."""
        if math.prod(self._shape) < _LEAST:
            return np.empty(self._shape, dtype=np.uint8)
        try:
            buffer = self._waiting.pop()
        except IndexError:
            buffer = np.empty(self._shape, dtype=np.uint8)
        loan = _Loan(buffer)
        weakref.finalize(loan, self._waiting.append, buffer).atexit = False
        return np.asarray(loan)


class _Loan:
    """What every array on a buffer holds on to: NumPy's views keep their memory's owner alive."""

    def __init__(self, buffer: NDArray[np.uint8]) -> None:
        self.__array_interface__ = buffer.__array_interface__
