"""`Downsample`: pictures a whole number of times smaller, each pixel a block's mean; compiled."""

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from arena_breaker_gym._runtime.jit import jit_cached


class Downsample:
    """Makes the pictures of n arenas smaller at once.

    Attributes:
        space: Of one arena's picture.
    """

    def __init__(self, size: int, times: int) -> None:
        """Makes one.

        Args:
            size: Pixels a side of what comes in.
            times: How many times smaller what comes out is.

        Raises:
            ValueError: If that does not divide the side.
        """
        if size % times:
            raise ValueError(f"A picture of {size} pixels a side cannot be shrunk {times} times.")
        self.space = spaces.Box(0, 255, (size // times, size // times, 3), np.uint8)
        self._times = times

    def __call__(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A new array (n, size / times, size / times, 3) of pictures (n, size, size, 3)."""
        out = np.empty((len(pictures), *self.space.shape), dtype=np.uint8)
        _shrink_batch(np.ascontiguousarray(pictures), self._times, out)
        return out


@jit_cached
def _shrink_batch(pictures: NDArray[np.uint8], times: int, out: NDArray[np.uint8]) -> None:
    count = times * times
    for index in range(out.shape[0]):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                for channel in range(3):
                    total = count // 2  # rounds to the nearest
                    for y in range(row * times, (row + 1) * times):
                        for x in range(column * times, (column + 1) * times):
                            total += pictures[index, y, x, channel]
                    out[index, row, column, channel] = total // count
