"""`Sums`: the least, greatest, mean and spread of what streams by, as LeRobot's statistics."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Sums:
    """Running figures of rows, each column for itself; of pictures, each colour for itself."""

    def __init__(self) -> None:
        """Begins with nothing."""
        self._count = 0
        self._parts: list[NDArray[np.float64]] = []

    def add(self, values: NDArray[Any]) -> None:
        """Takes in rows (n, ...), or pictures (n, H, W, 3) of uint8 as shares of 255."""
        rows = values.astype(np.float64)
        if values.ndim == 4:
            rows = rows.reshape(len(values), -1, 3) / 255.0
            found = [rows.min(1), rows.max(1), rows.mean(1), (rows**2).mean(1)]
        else:
            rows = rows.reshape(len(values), -1)
            found = [rows, rows, rows, rows**2]
        now = [found[0].min(0), found[1].max(0), found[2].sum(0), found[3].sum(0)]
        if self._parts:
            low, high, total, squares = self._parts
            now = [
                np.minimum(low, now[0]),
                np.maximum(high, now[1]),
                total + now[2],
                squares + now[3],
            ]
        self._parts, self._count = now, self._count + len(values)

    def merge(self, other: "Sums") -> None:
        """Takes in all that another took in."""
        if not self._parts:
            self._parts, self._count = list(other._parts), other._count
            return
        low, high, total, squares = self._parts
        their = other._parts
        self._parts = [
            np.minimum(low, their[0]),
            np.maximum(high, their[1]),
            total + their[2],
            squares + their[3],
        ]
        self._count += other._count

    def stats(self, *, picture: bool = False) -> dict[str, Any]:
        """The figures as nested lists, of pictures in the shape (3, 1, 1)."""
        low, high, total, squares = self._parts
        mean = total / self._count
        spread = np.sqrt(np.maximum(squares / self._count - mean**2, 0.0))
        shape = (3, 1, 1) if picture else (-1,)
        figures = {"min": low, "max": high, "mean": mean, "std": spread}
        named = {name: figure.reshape(shape).tolist() for name, figure in figures.items()}
        return {**named, "count": [self._count]}
