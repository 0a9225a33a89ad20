"""`Transcript`: every reply of a run, a JSON line each, written as it comes, so none is paid twice.

The first line says what is played and by whom. Each further line is a `Line`: a decision, or a
reply that could not be used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from arena_breaker_gym._runtime.files import LineFile, heal, make_folder
from arena_breaker_gym._runtime.stored import (
    StoredError,
    is_number,
    is_text,
    is_whole,
    json_in,
    open_stored,
)

if TYPE_CHECKING:
    from filelock import FileLock

FILE_NAME = "transcript.jsonl"
FORMAT, FORMAT_VERSION = "arena-breaker-transcript", 1
_LONGEST = 2**26  # bytes of a line; those of a long answer have some 100,000

# What came of a question.
ANSWERED, UNUSABLE, REFUSED, CUT, LOST = "answered", "unusable", "refused", "cut", "lost"

_Values = Mapping[str, Any]
_Place = bytes | tuple[int, int]  # a line itself, or where it begins and how long it is


class TranscriptError(ValueError):
    """A transcript cannot be used; the sentence names the file and says why."""


@dataclass(frozen=True)
class Line:
    """What one question came to.

    Attributes:
        values: As they stand in the file: `seed`, `stage`, `decision` (from 0 in its episode),
            `attempt` (from 0 in its decision), `step` (of the environment), `outcome`,
            `problem` (why it is no answer), `request_id`, `model`, `prompt`, `usage`,
            `dollars`, `latency_s`, `at`, `snapshot`, `answer`, `said`, `thought`.
    """

    values: _Values

    @property
    def seed(self) -> int:
        """Of its episode."""
        return int(self.values["seed"])

    @property
    def decision(self) -> int:
        """Its number in the episode, from 0."""
        return int(self.values["decision"])

    @property
    def answered(self) -> bool:
        """Whether there is a decision to be played."""
        return bool(self.values["outcome"] == ANSWERED)

    @property
    def answer(self) -> Any:
        """What the tool was called with."""
        return self.values["answer"]

    @property
    def snapshot(self) -> Any:
        """What was seen."""
        return self.values["snapshot"]

    @property
    def problem(self) -> str:
        """Why it is no answer; "" if it is one."""
        return str(self.values["problem"] or "")


class Transcript:
    """The lines of one run, in a file or, without one, in memory only.

    Of a file only the places of its lines are remembered: a run may have any length.
    """

    def __init__(self, path: Path | None, *, heading: _Values | None = None) -> None:
        """Opens a transcript, and goes on with one that is there.

        Args:
            path: Its file; None keeps it in memory.
            heading: Who plays what; None only reads.

        Raises:
            TranscriptError: If the file is damaged, another run's, or written to just now.
        """
        self.path = path
        self.heading: _Values = {} if heading is None else dict(heading)
        self._places: dict[tuple[int, int], list[_Place]] = {}
        self._file: LineFile | None = None
        self._lock: FileLock | None = None
        if heading is not None and path is not None:
            self._lock = _locked(path)
        try:
            self._begin(path, heading)
        except BaseException:
            self.close()
            raise

    @classmethod
    def find(cls, place: Path) -> Transcript:
        """Reads a transcript: a file, or the one in a run's folder.

        Raises:
            TranscriptError: If there is none, or it is damaged.
        """
        return cls(place / FILE_NAME if place.is_dir() else place)

    @property
    def lines(self) -> Iterator[Line]:
        """All lines, by episode and decision, read one at a time."""
        return (line for key in sorted(self._places) for line in self.of(*key))

    @property
    def seeds(self) -> list[int]:
        """Of the episodes that it holds something of, rising."""
        return sorted({seed for seed, _ in self._places})

    def of(self, seed: int, decision: int) -> Sequence[Line]:
        """What a decision's questions came to, in order; empty if it was never asked."""
        return [self._line(place) for place in self._places.get((seed, decision), ())]

    def add(self, values: _Values) -> Line:
        """Writes a line down, whole and on the disk when this returns: replies cost money.

        Raises:
            OSError: If there is no room for it; the file holds whole lines still.
        """
        line, encoded = Line(values), _encoded(values)
        place: _Place = encoded
        if self._file is not None:
            place = (self._file.add(encoded, durable=True), len(encoded))
        self._remember(line, place)
        return line

    def copied(self) -> Transcript:
        """A copy in memory, which can be sent to another process."""
        copy = Transcript(None, heading=self.heading)
        for line in self.lines:
            copy.add(line.values)
        return copy

    def close(self) -> None:
        """Closes the file; what is in it can still be read."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _begin(self, path: Path | None, heading: _Values | None) -> None:
        if path is not None and path.exists() and path.stat().st_size > 0:
            self._read(path, heading)
        elif heading is None:
            raise TranscriptError(f"There is no transcript at {path}.")
        if heading is not None and path is not None:
            self._open(path)

    def _remember(self, line: Line, place: _Place) -> None:
        self._places.setdefault((line.seed, line.decision), []).append(place)

    def _line(self, place: _Place) -> Line:
        if isinstance(place, bytes):
            return Line(json.loads(place))
        assert self.path is not None
        with self.path.open("rb") as file:
            file.seek(place[0])
            return Line({**_UNSAID, **json.loads(file.read(place[1]))})

    def _open(self, path: Path) -> None:
        self._file = LineFile(path)
        if self._file.size == 0:
            about = {"format": FORMAT, "version": FORMAT_VERSION}
            self._file.add(_encoded({**about, **self.heading}), durable=True)

    def _read(self, path: Path, heading: _Values | None) -> None:
        if heading is not None:
            heal(path)  # a killed writer's half line
        at = 0
        # Line by line: a transcript of a long run may be larger than the memory.
        with _opened(path) as file:
            for number, row in enumerate(_rows_of(file, path), start=1):
                values = _decoded(row, path, number)
                if number == 1:
                    self._check_heading(path, values, heading)
                else:
                    _check_line(values, path, number)
                    self._remember(Line(values), (at, len(row)))
                at += len(row)

    def _check_heading(self, path: Path, found: _Values, heading: _Values | None) -> None:
        if (found.get("format"), found.get("version")) != (FORMAT, FORMAT_VERSION):
            raise TranscriptError(f"{path} is no transcript of version {FORMAT_VERSION}.")
        if heading is None:
            self.heading = {k: v for k, v in found.items() if k not in ("format", "version")}
            return
        for name, value in json.loads(json.dumps(heading)).items():
            if found.get(name) != value:
                raise TranscriptError(
                    f"{path} belongs to another run ({name} differs): "
                    "give this one a folder of its own."
                )


def _locked(path: Path) -> FileLock:
    """A lock that its writer holds; the system lets go of it when the writer dies.

    Raises:
        TranscriptError: If another holds it.
    """
    from filelock import FileLock, Timeout

    make_folder(path.parent)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise TranscriptError(
            f"Another run is writing {path} just now; wait for it, or name another folder."
        ) from None
    return lock


def _opened(path: Path) -> IO[bytes]:
    try:
        return open_stored(path)
    except StoredError as error:
        raise TranscriptError(f"{path} is no transcript: {error}.") from None


def _rows_of(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """Whole lines; what follows the last one is a killed writer's half line."""
    while row := file.readline(_LONGEST):
        if row.endswith(b"\n"):
            yield row
        elif len(row) == _LONGEST:
            raise TranscriptError(f"{path} has a line that is longer than any that is written.")


def _check_line(values: _Values, path: Path, number: int) -> None:
    """Refuses a line whose parts are not what they are read as."""
    for name, fits in _KINDS.items():
        if name in values and not (fits(values[name]) or (name in _UNSAID and not values[name])):
            raise TranscriptError(
                f"{path}, line {number}: its {name!r} is no {name} of a decision."
            )
    if not {"seed", "decision", "outcome"} <= values.keys():
        raise TranscriptError(f"{path}, line {number}: this is no decision.")


def _is_usage(value: object) -> bool:
    return isinstance(value, dict)


def _is_said(value: object) -> bool:
    return is_text(value, longest=_LONGEST)


def _is_snapshot(value: object) -> bool:
    return isinstance(value, dict)


# What the parts of a line must be; those that may be unsaid are null then.
_KINDS: Mapping[str, Callable[[object], bool]] = {
    "seed": partial(is_whole, most=2**256),
    "decision": is_whole,
    "attempt": is_whole,
    "outcome": is_text,
    "dollars": is_number,
    "usage": _is_usage,
    "problem": _is_said,
    "snapshot": _is_snapshot,
}
_UNSAID = dict.fromkeys(("dollars", "usage", "problem", "snapshot", "answer"))


def _encoded(values: _Values) -> bytes:
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"


def _decoded(row: bytes, path: Path, number: int) -> dict[str, object]:
    try:
        values = json_in(row)
    except StoredError:
        values = None
    if not isinstance(values, dict):
        raise TranscriptError(f"{path}, line {number}: this is no JSON object.")
    return values
