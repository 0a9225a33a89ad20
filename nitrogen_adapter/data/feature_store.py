"""`FeatureStore`: features of examples in files, whole or under way, for trainings to come."""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock
from numpy.typing import DTypeLike, NDArray

from arena_breaker_gym._runtime.files import written_whole

SAVE_EVERY = 1.0  # s: what a kill may cost


class FeatureStoreError(ValueError):
    """Cached features cannot be used; the message names the folder and says why."""


@dataclass(frozen=True)
class Column:
    """One array of a cache.

    Attributes:
        dtype: of its numbers.
        shape: of the whole array, rows first.
    """

    dtype: DTypeLike
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return int(np.dtype(self.dtype).itemsize * np.prod(self.shape[1:], dtype=np.int64))


class FeatureStore:
    """A folder of caches, each of them a folder named by what it was computed from.

    Arrays grow row by row in `.NAME.part`, which is renamed to `NAME` when they are whole. So a
    cache is there whole or not at all, and one that was cut short goes on where it stopped.
    """

    def __init__(self, folder: str | Path, name: str, columns: Mapping[str, Column]) -> None:
        """Name a cache; nothing is read or written yet.

        Args:
            folder: of all caches.
            name: of this one, different for whatever would give other numbers.
            columns: its arrays, all with equally many rows.
        """
        self.place = Path(folder) / name
        self.columns = dict(columns)
        self._part = self.place.with_name(f".{name}.part")
        self._lock = self.place.with_name(f".{name}.lock")

    @contextmanager
    def writing(self) -> Iterator[Writer | None]:
        """Give a writer to go on with, or None if the cache is whole already.

        While one process writes, others wait here. The cache is named when the block has written
        the last row; a block that ends before leaves what it wrote for the next.

        Raises:
            FeatureStoreError: if the disk has no room for all of it.
        """
        self.place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._lock):
            if self.place.exists():
                yield None
                return
            self._part.mkdir(exist_ok=True)
            writer = Writer(self._part, self.columns)
            try:
                self._check_room(writer.rows)
                yield writer
            finally:
                writer.close()
            if writer.rows == writer.count:
                self._part.rename(self.place)

    def open(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of a cache that is whole, mapped into memory and not read yet.

        Raises:
            FeatureStoreError: if a file is missing, cut short or of another shape.
        """
        return {name: self._opened(name, column) for name, column in self.columns.items()}

    def _opened(self, name: str, column: Column) -> NDArray[Any]:
        path = self.place / f"{name}.npy"
        try:
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise self._damaged(path) from error
        if array.shape != column.shape or array.dtype != column.dtype:
            raise self._damaged(path)
        return array

    def _damaged(self, path: Path) -> FeatureStoreError:
        return FeatureStoreError(
            f"{path}: missing or damaged; remove the folder {self.place} to compute it anew."
        )

    def _check_room(self, rows: int) -> None:
        count = next(iter(self.columns.values())).shape[0]
        needed = sum(column.row_bytes for column in self.columns.values()) * (count - rows)
        free = shutil.disk_usage(self._part).free
        if needed > free:
            raise FeatureStoreError(
                f"{self.place}: {count:,} cached examples need {needed / 1e9:.1f} GB more, but "
                f"the disk has {free / 1e9:.1f} GB left."
            )


class Writer:
    """The arrays of a cache while they grow.

    Attributes:
        count: rows that there are to be.
        rows: rows that are there.
    """

    def __init__(self, folder: Path, columns: Mapping[str, Column]) -> None:
        """Open the files and keep the rows that are known to be on the disk."""
        self._columns = dict(columns)
        self.count = next(iter(columns.values())).shape[0]
        self._noted = folder / "rows.txt"
        self.rows = min(_rows_in(folder, columns), _number_in(self._noted))
        self._files = {
            name: _opened(folder / f"{name}.npy", self.rows, columns[name]) for name in columns
        }
        self._saved = time.monotonic()

    def append(self, **rows: NDArray[Any]) -> None:
        """Write the next rows of every array; now and then they are brought to the disk.

        Args:
            rows: (n, ...) by array.
        """
        for name, file in self._files.items():
            column = self._columns[name]
            fit = np.ascontiguousarray(rows[name], dtype=column.dtype)
            file.write(fit.reshape(len(fit), *column.shape[1:]).data)
        self.rows += len(next(iter(rows.values())))
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Bring everything to the disk, and note how much is there."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        with written_whole(self._noted) as part:
            part.write_text(str(self.rows), encoding="ascii")
        self._saved = time.monotonic()

    def close(self) -> None:
        """Save and close."""
        self.save()
        for file in self._files.values():
            file.close()


def _opened(path: Path, rows: int, column: Column) -> BinaryIO:
    """An array's file, cut to so many rows and ready for the next."""
    file = path.open("r+b" if rows else "w+b")
    if not rows:
        file.write(_header(column))
    file.truncate(len(_header(column)) + rows * column.row_bytes)
    file.seek(0, os.SEEK_END)
    return file


def _rows_in(folder: Path, columns: Mapping[str, Column]) -> int:
    """How many rows all the files hold whole; 0 if one is missing or of another shape."""
    counts = []
    for name, column in columns.items():
        header, path = _header(column), folder / f"{name}.npy"
        if not path.exists():
            return 0
        with path.open("rb") as file:
            if file.read(len(header)) != header:
                return 0
        counts.append((path.stat().st_size - len(header)) // column.row_bytes)
    return min(counts)


def _number_in(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def _header(column: Column) -> bytes:
    buffer = io.BytesIO()
    descr = np.dtype(column.dtype).str
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": descr, "fortran_order": False, "shape": column.shape}
    )
    return buffer.getvalue()
