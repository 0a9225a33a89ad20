"""`Clock`: how long each part of a bootcamp took, kept on disk so that a resumed one adds up."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from arena_breaker_gym.files import written_whole


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
            try:
                self.seconds = {str(k): float(v) for k, v in json.loads(file.read_text()).items()}
            except (ValueError, AttributeError, TypeError) as error:
                raise ValueError(f"{file}: this is no record of timings.") from error

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
