"""`Results`: the rows of a measurement with its settings and timings, kept as `results.json`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from arena_breaker_gym.files import written_whole
from arena_breaker_gym.rollout.metrics import Row

FILE_NAME = "results.json"


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
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(values["rows"], values["settings"], values["timings_s"])
        except FileNotFoundError:
            raise ValueError(f"{path}: there are no results yet.") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: this is no file of results.") from error
