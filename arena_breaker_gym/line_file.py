"""`LineFile`: a file that grows by whole lines, whatever a full disk or a kill does to it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import IO

from arena_breaker_gym.files import naming


class LineFile:
    """A file to which lines are added; each has left this process when `add` returns."""

    def __init__(self, path: Path) -> None:
        """Opens a file, makes it if there is none, and drops a half last line.

        Raises:
            OSError: If it cannot be opened for writing.
        """
        self.path = path
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            heal(path)
            self._file: IO[bytes] = path.open("ab", buffering=0)
            self.size = self._file.seek(0, os.SEEK_END)

    def add(self, line: bytes, *, durable: bool = False) -> int:
        """Adds a line, whole or not at all.

        Args:
            line: With a line feed as its last byte, and no other.
            durable: Whether it is on the disk before this returns.

        Returns:
            Where in the file it begins.

        Raises:
            OSError: If there is no room, or it cannot be written for another reason; the file is
                as it was then.
        """
        begin = self.size
        try:
            with naming(self.path):
                self._write(line)
                if durable:
                    os.fsync(self._file.fileno())
        except BaseException:
            # Half a line would spoil the file for whoever adds the next.
            with contextlib.suppress(OSError):
                self._file.truncate(begin)
            raise
        self.size = begin + len(line)
        return begin

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, line: bytes) -> None:
        """Writes all of it: a disk that is nearly full takes a part and says nothing."""
        left = memoryview(line)
        while left:
            left = left[self._file.write(left) or 0 :]


def heal(path: Path) -> None:
    """Cuts off a half last line, which a killed writer may have left.

    Raises:
        OSError: If the file cannot be cut.
    """
    if not path.is_file():
        return
    with naming(path), path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        whole = _end_of_lines(file, size)
        if whole < size:
            file.truncate(whole)


def _end_of_lines(file: IO[bytes], size: int, *, step: int = 65_536) -> int:
    """Where the last whole line ends, looked for from the end on."""
    end = size
    while end > 0:
        begin = max(end - step, 0)
        file.seek(begin)
        found = file.read(end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
