"""`Board`: where a training's figures are noted, as JSON lines and by the loggers asked for.

`ARENA_BREAKER_LOG` says which, as in "tensorboard,csv,wandb": every training reads it, PPO's, the
post-training's and the bootcamp's.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym._runtime.files import LineFile, make_folder, naming, written_whole
from arena_breaker_gym._runtime.stored import StoredError, is_text, is_whole, json_in, read_stored
from arena_breaker_gym.settings import closest

VARIABLE = "ARENA_BREAKER_LOG"
EVENTS = "tensorboard"
TABLE = "metrics.csv"
RUN = "wandb_run.txt"

Line = Mapping[str, Any]
"""A kind, a step, and figures by name; a figure that is no number is None."""

LINES = "metrics.jsonl"

Figures = Mapping[str, float | None]


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
    """Event files for TensorBoard, in which figures are named `kind/figure`.

    Written by no thread: what that fails at would be a traceback on the terminal.
    """

    def __init__(self, folder: Path, *, step: int, kept: Iterable[Line]) -> None:
        """Open a file; what was noted after `step` is purged.

        Raises:
            MissingExtraError: if TensorBoard is not installed.
        """
        require("tensorboard", "nitrogen")
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        _let_a_second_pass(folder / EVENTS)
        make_folder(folder / EVENTS)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        self._path = folder / EVENTS / name
        self._file = self._path.open("wb")
        self._records = RecordWriter(self._file)
        self._event = Event
        self._write(file_version="brain.Event:2")
        self._write(step=step + 1 if step else 0, session_log=SessionLog(status=SessionLog.START))

    def note(self, line: Line) -> None:
        """Add a scalar for each figure."""
        from torch.utils.tensorboard.summary import scalar

        for name, value in figures_of(line).items():
            summary = scalar(f"{line['kind']}/{name}", value)  # type: ignore[no-untyped-call]  # torch's
            self._write(step=line["step"], summary=summary)

    def save(self) -> None:
        """Bring all that was noted to the disk."""
        with naming(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Save and close."""
        self.save()
        self._file.close()

    def _write(self, **event: object) -> None:
        data = self._event(wall_time=time.time(), **event).SerializeToString()
        with naming(self._path):
            self._records.write(data)


class CsvLogger:
    """A table for spreadsheets, `metrics.csv`: a row for each figure of each step."""

    def __init__(self, folder: Path, *, step: int, kept: Iterable[Line]) -> None:
        """Write the table again up to the step that the run goes on at."""
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
        """Bring the rows to the disk."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @staticmethod
    def _text(line: Line) -> str:
        figures = figures_of(line).items()
        return _rows((line["kind"], line["step"], name, value) for name, value in figures)


class WandbLogger:
    """A run of Weights & Biases, which goes on as the same run when the training does.

    `WANDB_PROJECT`, `WANDB_MODE=offline` and its other variables are used. What was sent after the
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
    """Open the loggers that `ARENA_BREAKER_LOG` names; without it, TensorBoard's where installed.

    Args:
        folder: of the run.
        step: that it begins or goes on at.
        kept: what an earlier run noted up to it.

    Raises:
        ValueError: if the variable names something that is none.
        MissingExtraError: if a library is not installed.
    """
    lines = list(kept)
    usual = EVENTS if find_spec("tensorboard") and find_spec("torch") else ""
    named = os.environ.get(VARIABLE, usual).split(",")
    names = [name.strip() for name in named if name.strip()]
    for name in names:
        if name not in LOGGERS:
            raise ValueError(f"{VARIABLE} names {name!r}: {closest(name, LOGGERS)}.")
    return [LOGGERS[name](folder, step=step, kept=lines) for name in dict.fromkeys(names)]


def _rows(rows: Iterable[Iterable[object]]) -> str:
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
        self._file.flush()
        for logger in self._loggers:
            logger.save()

    def close(self) -> None:
        """Save and close."""
        self._file.close()
        for logger in self._loggers:
            logger.close()


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file, without one that a kill cut short."""
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


def _is_line(line: object) -> bool:
    return isinstance(line, dict) and is_text(line.get("kind")) and is_whole(line.get("step"))


def _text(line: Mapping[str, object]) -> str:
    return json.dumps(line) + "\n"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
