"""`Board`: where a training's figures are noted, as JSON lines and for TensorBoard."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arena_breaker_gym.extras import require
from arena_breaker_gym.files import written_whole
from arena_breaker_gym.line_file import LineFile
from arena_breaker_gym.stored import StoredError, is_text, is_whole, json_in, read_stored

LINES = "metrics.jsonl"
EVENTS = "tensorboard"

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
            MissingExtraError: if TensorBoard is not installed.
        """
        require("tensorboard", "nitrogen")
        from torch.utils.tensorboard import SummaryWriter

        path = folder / LINES
        kept = [line for line in _lines(path) if step > 0 and line["step"] <= step]
        with written_whole(path) as part:
            part.write_text("".join(map(_text, kept)), encoding="utf-8")
        self._noted = {(line["kind"], line["step"]) for line in kept}
        self._file = LineFile(path)
        _let_a_second_pass(folder / EVENTS)
        self._writer = SummaryWriter(str(folder / EVENTS), purge_step=step + 1 if step else 0)

    def note(self, kind: str, step: int, figures: Figures) -> None:
        """Note some figures of a step, unless that was done before the run was cut short.

        Args:
            kind: what they are of; in TensorBoard they are named `kind/figure`.
            step: steps done.
            figures: by name; None where there is none.
        """
        if (kind, step) in self._noted:
            return
        clean = {name: _finite(value) for name, value in figures.items()}
        self._file.add(_text({"kind": kind, "step": step, **clean}).encode())
        for name, value in clean.items():
            if value is not None:
                self._writer.add_scalar(f"{kind}/{name}", value, step)

    def save(self) -> None:
        """Bring all that was noted to the disk: before the step is that a resumed run begins at."""
        self._writer.flush()

    def close(self) -> None:
        """Save and close."""
        self._file.close()
        self._writer.close()


def _let_a_second_pass(folder: Path) -> None:
    """Waits where files of this very second are there.

    TensorBoard reads files in the order of their names, which begin with a second; in one second
    it would be up to the processes' numbers which comes first.
    """
    while any(f".tfevents.{int(time.time()):010d}." in file.name for file in folder.glob("*")):
        time.sleep(0.05)


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
