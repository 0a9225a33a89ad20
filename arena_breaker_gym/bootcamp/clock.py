"""`Clock`: how long each part of a bootcamp took, kept on disk so that a resumed one adds up."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from arena_breaker_gym.files import written_whole
from arena_breaker_gym.stored import StoredError, is_number, json_in, read_stored

_LARGEST = 2**20  # bytes of such a file


class Clock:
    """Seconds by part; time spent in earlier, interrupted runs counts."""

    def __init__(self, file: Path) -> None:
        """Reads what earlier runs took, if there were any.

        Raises:
            ValueError: If the file is no such record.
        """
        self._file = file
        self.seconds: dict[str, float] = {}
        if file.exists():
            self.seconds = _timings_in(file)

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Counts the time of the block towards a part, even when it is interrupted."""
        began = time.perf_counter()
        try:
            yield
        finally:
            taken = self.seconds.get(name, 0.0) + time.perf_counter() - began
            self.seconds[name] = round(taken, 3)
            with written_whole(self._file) as part:
                part.write_text(json.dumps(self.seconds, indent=2) + "\n", encoding="utf-8")


def _timings_in(file: Path) -> dict[str, float]:
    try:
        found = json_in(read_stored(file, most=_LARGEST))
    except StoredError:
        found = None
    if not isinstance(found, dict) or not all(is_number(v) and v >= 0 for v in found.values()):
        raise ValueError(f"{file}: this is no record of timings.")
    return {name: float(seconds) for name, seconds in found.items()}
