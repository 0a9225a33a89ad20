"""`Results`: the rows of a measurement with its settings and timings, kept as `results.json`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym._runtime.stored import (
    StoredError,
    is_number,
    is_text,
    is_whole,
    json_in,
    read_stored,
)
from arena_breaker_gym.rollout.metrics import METRICS, Row

FILE_NAME = "results.json"
_LARGEST = 2**26  # bytes; a row has some 2,000


@dataclass(frozen=True)
class Results:
    """What a benchmark or a bootcamp found.

    Attributes:
        rows: As `metrics.row_of` makes them.
        settings: What was played: settings of the game, seed, episodes.
        timings_s: Seconds that each part of the work took.
    """

    rows: Sequence[Row]
    settings: Mapping[str, Any]
    timings_s: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as they stand in the file."""
        return {
            "rows": list(self.rows),
            "settings": dict(self.settings),
            "timings_s": dict(self.timings_s),
        }

    def save(self, folder: Path) -> Path:
        """Writes `results.json` into a folder, whole or not at all, and returns its path."""
        path = folder / FILE_NAME
        with written_whole(path) as part:
            text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
            part.write_text(text + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads a folder's `results.json`.

        Raises:
            ValueError: If it is missing or no such file.
        """
        path = folder / FILE_NAME
        try:
            values = json_in(read_stored(path, most=_LARGEST))
            rows, settings, timings = (values[k] for k in ("rows", "settings", "timings_s"))
            _check(rows, settings, timings)
            return cls(rows, settings, timings)
        except FileNotFoundError:
            raise ValueError(f"{path}: there are no results yet.") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: this is no file of results.") from error


def _check(rows: Any, settings: Any, timings: Any) -> None:
    """Refuses what is of another kind than `Results.to_dict` gives."""
    kinds = isinstance(rows, list) and isinstance(settings, dict) and isinstance(timings, dict)
    if not kinds or not all(is_number(seconds) for seconds in timings.values()):
        raise StoredError("its parts are of other kinds")
    if not all(_is_row(row) for row in rows):
        raise StoredError("a row is none")


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not is_text(row.get("agent")):
        return False
    counts = isinstance(row.get("status"), dict) and isinstance(row.get("failures", {}), dict)
    whole = is_whole(row.get("stage")) and is_whole(row.get("episodes"))
    return counts and whole and all(_is_estimate(row[name]) for name in METRICS if name in row)


def _is_estimate(value: Any) -> bool:
    names = ("mean", "low", "high")
    return isinstance(value, dict) and all(
        name in value and (value[name] is None or is_number(value[name])) for name in names
    )
