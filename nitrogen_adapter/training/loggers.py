"""Loggers: where a training's figures go besides `metrics.jsonl`, each behind one small interface.

`ARENA_BREAKER_LOG` says which, as in "tensorboard,csv,wandb": every training hears it alike.
"""

from __future__ import annotations

import csv
import io
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym._runtime.files import LineFile, written_whole
from arena_breaker_gym.settings import closest

VARIABLE = "ARENA_BREAKER_LOG"
EVENTS = "tensorboard"
TABLE = "metrics.csv"
RUN = "wandb_run.txt"

Line = Mapping[str, Any]
"""A kind, a step, and figures by name; a figure that is no number is None."""


class Logger(Protocol):
    """Takes a training's figures as they come."""

    def note(self, line: Line) -> None:
        """Take the figures of a step."""
        ...

    def save(self) -> None:
        """Bring all that was noted to the disk."""
        ...

    def close(self) -> None:
        """Save and close."""
        ...


def figures_of(line: Line) -> dict[str, float]:
    """Return the numbers of a line by name."""
    return {
        name: value
        for name, value in line.items()
        if name not in {"kind", "step"} and value is not None
    }


class TensorBoardLogger:
    """Event files for TensorBoard, in which figures are named `kind/figure`."""

    def __init__(self, folder: Path, *, step: int, kept: Iterable[Line]) -> None:
        """Open the files; what was noted after `step` is purged.

        Raises:
            MissingExtraError: if TensorBoard is not installed.
        """
        require("tensorboard", "nitrogen")
        from torch.utils.tensorboard import SummaryWriter

        _let_a_second_pass(folder / EVENTS)
        self._writer = SummaryWriter(str(folder / EVENTS), purge_step=step + 1 if step else 0)

    def note(self, line: Line) -> None:
        """Add a scalar for each figure."""
        for name, value in figures_of(line).items():
            self._writer.add_scalar(f"{line['kind']}/{name}", value, line["step"])

    def save(self) -> None:
        """Bring all that was noted to the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Save and close."""
        self._writer.close()


class CsvLogger:
    """A table for spreadsheets, `metrics.csv`: a row for each figure of each step."""

    def __init__(self, folder: Path, *, step: int, kept: Iterable[Line]) -> None:
        """Write the table anew up to the step that the run goes on at."""
        path = folder / TABLE
        with written_whole(path) as part:
            head = _rows([("kind", "step", "figure", "value")])
            part.write_text(head + "".join(map(self._text, kept)), encoding="utf-8")
        self._file = LineFile(path)

    def note(self, line: Line) -> None:
        """Add the rows of a step."""
        if figures_of(line):
            self._file.add(self._text(line).encode())

    def save(self) -> None:
        """Do nothing: every row is written as it comes."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @staticmethod
    def _text(line: Line) -> str:
        figures = figures_of(line).items()
        return _rows((line["kind"], line["step"], name, value) for name, value in figures)


class WandbLogger:
    """A run of Weights & Biases, which goes on as the same run when the training does.

    `WANDB_PROJECT`, `WANDB_MODE=offline` and its other variables are heard. What was sent after the
    step that a killed run goes on at cannot be taken back, so some steps may stand there twice.
    """

    def __init__(self, folder: Path, *, step: int, kept: Iterable[Line]) -> None:
        """Begin a run, or go on with the folder's.

        Raises:
            MissingExtraError: if wandb is not installed.
        """
        wandb = require("wandb", "wandb")
        path = folder / RUN
        if step == 0 or not path.is_file():
            with written_whole(path) as part:
                part.write_text(secrets.token_hex(8), encoding="utf-8")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "arena-breaker"),
            id=path.read_text(encoding="utf-8").strip(),
            name=folder.name,
            dir=str(folder),
            resume="allow",
        )
        self._run.define_metric("*", step_metric="step")

    def note(self, line: Line) -> None:
        """Log the figures, named `kind/figure`, beside their step."""
        named = {f"{line['kind']}/{name}": value for name, value in figures_of(line).items()}
        self._run.log({**named, "step": line["step"]})

    def save(self) -> None:
        """Do nothing: wandb writes as it likes."""

    def close(self) -> None:
        """End the run."""
        self._run.finish()


LOGGERS: Mapping[str, Callable[..., Logger]] = {
    "tensorboard": TensorBoardLogger,
    "csv": CsvLogger,
    "wandb": WandbLogger,
}


def loggers_of(folder: Path, *, step: int, kept: Iterable[Line]) -> list[Logger]:
    """Open the loggers that `ARENA_BREAKER_LOG` names; without it, TensorBoard's.

    Args:
        folder: of the run.
        step: that it begins or goes on at.
        kept: what an earlier run noted up to it.

    Raises:
        ValueError: if the variable names something that is none.
        MissingExtraError: if a library is not installed.
    """
    lines = list(kept)
    names = [name.strip() for name in os.environ.get(VARIABLE, "tensorboard").split(",")]
    for name in names:
        if name not in LOGGERS:
            raise ValueError(f"{VARIABLE} names {name!r}: {closest(name, LOGGERS)}.")
    return [LOGGERS[name](folder, step=step, kept=lines) for name in dict.fromkeys(names)]


def _rows(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _let_a_second_pass(folder: Path) -> None:
    """Waits where files of this very second are there.

    TensorBoard reads files in the order of their names, which begin with a second; in one second
    it would be up to the processes' numbers which comes first.
    """
    while any(f".tfevents.{int(time.time()):010d}." in file.name for file in folder.glob("*")):
        time.sleep(0.05)
