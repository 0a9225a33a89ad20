"""`Board`: where a training's figures are noted, as JSON lines and by the loggers asked for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arena_breaker_gym._runtime.files import LineFile, written_whole
from arena_breaker_gym._runtime.stored import StoredError, is_text, is_whole, json_in, read_stored
from nitrogen_adapter.training.loggers import loggers_of

LINES = "metrics.jsonl"

Figures = Mapping[str, float | None]


class Board:
    """The figures of one run, by step; a run that goes on at an earlier step forgets later ones."""

    def __init__(self, folder: Path, *, step: int) -> None:
        """Open the files.

        Args:
            folder: of the run.
            step: at which the run begins or goes on. What was noted after it is taken back; at 0
                all is.

        Raises:
            MissingExtraError: if a logger's library is not installed.
            ValueError: if `ARENA_BREAKER_LOG` names a logger that there is not.
        """
        path = folder / LINES
        kept = [line for line in _lines(path) if step > 0 and line["step"] <= step]
        with written_whole(path) as part:
            part.write_text("".join(map(_text, kept)), encoding="utf-8")
        self._noted = {(line["kind"], line["step"]) for line in kept}
        self._loggers = loggers_of(folder, step=step, kept=kept)
        self._file = LineFile(path)

    def note(self, kind: str, step: int, figures: Figures) -> None:
        """Note some figures of a step, unless that was done before the run was cut short.

        Args:
            kind: what they are of; loggers name them `kind/figure`.
            step: steps done.
            figures: by name; None where there is none.
        """
        if (kind, step) in self._noted:
            return
        clean = {name: _finite(value) for name, value in figures.items()}
        line = {"kind": kind, "step": step, **clean}
        self._file.add(_text(line).encode())
        for logger in self._loggers:
            logger.note(line)

    def save(self) -> None:
        """Bring all that was noted to the disk: before the step is that a resumed run begins at."""
        for logger in self._loggers:
            logger.save()

    def close(self) -> None:
        """Save and close."""
        self._file.close()
        for logger in self._loggers:
            logger.close()


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file, but for one that a kill cut short."""
    if not path.exists():
        return []
    lines = []
    for row in read_stored(path).split(b"\n")[:-1]:
        try:
            line = json_in(row)
        except StoredError:
            break
        if not _is_line(line):
            break
        lines.append(line)
    return lines


def _is_line(line: Any) -> bool:
    return isinstance(line, dict) and is_text(line.get("kind")) and is_whole(line.get("step"))


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps(line) + "\n"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
