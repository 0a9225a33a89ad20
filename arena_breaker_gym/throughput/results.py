"""`ThroughputResults`: readings and the machine they were taken on; `Comparison` of two runs."""

import json
import math
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym._runtime.stored import json_in, read_stored

STEPS = "steps/s"
TICK = "µs"
SECONDS = "s"
MEGABYTES = "MB"
DECIMALS = {STEPS: 0, TICK: 2, SECONDS: 2, MEGABYTES: 1}

FILE_NAME = "throughput.json"
_LARGEST = 2**24  # bytes of such a file
VERSIONS_OF = ("arena-breaker-gym", "numpy", "numba", "gymnasium")

LEAST_READINGS = 3  # a time that was read less often says too little
LEAST_MEGABYTES = 50.0  # growth by next to nothing has no ratio


@dataclass(frozen=True)
class Spread:
    """The median of some readings, the smallest and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """The spread of at least one reading."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Row:
    """One figure.

    Attributes:
        name: What was measured.
        part: The part of a run that it belongs to.
        unit: `STEPS`, `TICK`, `SECONDS` or `MEGABYTES`.
        peer: Whose figure it is; "" for ours.
        observation: "state", "pixels" or "both"; "" where there is none.
        arenas: Arenas stepped in one call.
        size: Width and height of the picture; None without one.
        threads: Threads that step.
        copies: Whether new arrays are handed out.
        note: What a reader should know when comparing.
        values: The readings, one a round.
        calibrations: Loops a second of the calibration loop just before each reading; empty
            for what has nothing to do with time.
        before: Another checkout's readings in the same rounds; empty without one.
    """

    name: str
    part: str
    unit: str = STEPS
    peer: str = ""
    observation: str = ""
    arenas: int = 1
    size: tuple[int, int] | None = None
    threads: int = 1
    copies: bool = True
    note: str = ""
    values: list[float] = field(default_factory=list)
    calibrations: list[float] = field(default_factory=list)
    before: list[float] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The name, with the peer's before it."""
        return f"{self.peer}: {self.name}" if self.peer else self.name

    @property
    def more_is_better(self) -> bool:
        """Whether a larger figure is the better one."""
        return self.unit == STEPS

    @property
    def spread(self) -> Spread:
        """The readings' spread, in the row's unit."""
        return Spread.of(self.values)

    @property
    def ratios(self) -> list[float]:
        """What does not depend on the machine's speed, one a round; empty if nothing is.

        Steps for each calibration loop that the machine does in the same time, or the
        loops that fit into the seconds of a row of times.
        """
        pairs = zip(self.values, self.calibrations, strict=True) if self.calibrations else ()
        if self.more_is_better:
            return [value / loops for value, loops in pairs]
        scale = 1e-6 if self.unit == TICK else 1.0
        return [value * scale * loops for value, loops in pairs]

    @property
    def times_as_long(self) -> list[float]:
        """How long a step takes for each second that it takes another checkout, one a round."""
        pairs = zip(self.values, self.before, strict=True) if self.before else ()
        return [was / now if self.more_is_better else now / was for now, was in pairs]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, the spreads of readings and ratios among them."""
        ratios = self.ratios
        return {
            **vars(self),
            **vars(self.spread),
            "ratio": vars(Spread.of(ratios)) if ratios else None,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """What `to_dict` gave.

        Raises:
            KeyError: If something is missing.
        """
        values = {"before": [], **values}  # which older files do not have
        row = cls(**{name: values[name] for name in cls.__dataclass_fields__})
        row.size = None if row.size is None else (row.size[0], row.size[1])
        return row


@dataclass(frozen=True)
class Peer:
    """How it went with one peer.

    Attributes:
        name: What people call it.
        version: Distribution and version; "" if it is not installed.
        python: Version of the Python that it ran under; "" if it is not installed.
        broken: What went wrong, a sentence each.
    """

    name: str
    version: str = ""
    python: str = ""
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class ThroughputResults:
    """What a run found.

    Attributes:
        rows: A row a figure.
        peers: What became of each peer asked for.
        machine: Processor, cores, versions, time.
        settings: `ThroughputConfig.to_dict()`.
    """

    rows: Sequence[Row]
    peers: Sequence[Peer]
    machine: Mapping[str, object]
    settings: Mapping[str, object]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as they stand in the file."""
        return {
            "rows": [row.to_dict() for row in self.rows],
            "peers": [asdict(peer) for peer in self.peers],
            "machine": dict(self.machine),
            "settings": dict(self.settings),
        }

    def save(self, folder: Path) -> Path:
        """Writes the file into a folder, whole or not at all, and returns its path."""
        path = folder / FILE_NAME
        with written_whole(path) as part:
            text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
            part.write_text(text + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads such a file.

        Raises:
            ValueError: If it is missing or no such file.
        """
        try:
            values = json_in(read_stored(path, most=_LARGEST))
            return cls(
                [Row.from_dict(row) for row in values["rows"]],
                [Peer(**{**peer, "broken": tuple(peer["broken"])}) for peer in values["peers"]],
                values["machine"],
                values["settings"],
            )
        except FileNotFoundError:
            raise ValueError(f"{path}: there is no such file.") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: this is no file of `arena-breaker throughput`.") from error


def this_machine() -> dict[str, Any]:
    """What figures depend on besides the code."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {name: found for name in VERSIONS_OF if (found := _version(name))},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


class PairVerdict(StrEnum):
    """What pairs of readings say of a figure."""

    SLOWER = "slower"
    FASTER = "faster"
    ALIKE = "alike"
    UNCLEAR = "unclear"  # more rounds may tell


@dataclass(frozen=True)
class Pairing:
    """A figure beside another checkout's, from pairs of readings that lie seconds apart.

    Attributes:
        median: How many times as long a step takes here, in the middle of all pairs.
        low: Where that median may lie at least, with 95 % confidence: what noise leaves open.
        high: Where it may lie at most.
        verdict: Slower or faster only where the whole interval says so.
    """

    median: float
    low: float
    high: float
    verdict: PairVerdict

    @classmethod
    def of(cls, times: Sequence[float], *, tolerance: float) -> Self:
        """Judges some pairs.

        Args:
            times: `Row.times_as_long`, at least one.
            tolerance: Share by which a step may take longer or shorter and still be called alike.
        """
        ordered = sorted(times)
        cut = _outside(len(ordered))
        low, high = ordered[cut], ordered[-1 - cut]
        median = statistics.median(ordered)
        return cls(median, low, high, _verdict(median, low, high, tolerance))


def _verdict(median: float, low: float, high: float, tolerance: float) -> PairVerdict:
    if low > 1 + tolerance:
        return PairVerdict.SLOWER
    if high < 1 - tolerance:
        return PairVerdict.FASTER
    return PairVerdict.ALIKE if abs(median - 1) <= tolerance else PairVerdict.UNCLEAR


def _outside(count: int) -> int:
    """How many readings lie beyond each end of the median's 95 % interval, by the sign test."""
    outside, tail = 0, 0.5**count
    while (tail := tail + math.comb(count, outside + 1) * 0.5**count) <= 0.025:
        outside += 1
    return outside


def slower(rows: Sequence[Row], *, tolerance: float) -> list[str]:
    """A sentence for each figure that is slower than another checkout's beyond noise."""
    pairings = [(row, Pairing.of(row.times_as_long, tolerance=tolerance)) for row in paired(rows)]
    return [
        f"{row.title}: it takes {one.median:.2f} times as long as there ({one.low:.2f} to "
        f"{one.high:.2f})."
        for row, one in pairings
        if one.verdict is PairVerdict.SLOWER
    ]


def paired(rows: Sequence[Row]) -> list[Row]:
    """Those of some rows that were read beside another checkout."""
    return [row for row in rows if row.before]


@dataclass(frozen=True)
class Comparison:
    """Two runs held against each other.

    Attributes:
        compared: How many figures both runs have in a form that can be compared.
        regressions: A sentence for each of them that is worse by more than the tolerance.
    """

    compared: int
    regressions: tuple[str, ...]


def compare(now: ThroughputResults, before: ThroughputResults, *, tolerance: float) -> Comparison:
    """Holds our figures of a run against those of an earlier one.

    Speeds and times are compared as ratios to the calibration loop, never as such; memory as
    it is. What only one run has, and times read fewer than three times, are left out.

    Args:
        now: The run to judge.
        before: What it is held against.
        tolerance: Share of its time by which a step may take longer, and of its memory by
            which a batch may be larger: 0.25 is a quarter.
    """
    old = {row.title: row for row in before.rows}
    pairs = [(row, old[row.title]) for row in now.rows if not row.peer and row.title in old]
    changes = [(row, change) for row, was in pairs if (change := _times_worse(row, was))]
    said = tuple(_sentence(row, change) for row, change in changes if change > 1 + tolerance)
    return Comparison(len(changes), said)


def _times_worse(row: Row, was: Row) -> float | None:
    """How many times worse a figure is: 1 as before, 2 half as good; None if unknown."""
    now, before = _comparable(row), _comparable(was)
    if now is None or before is None or row.unit != was.unit:
        return None
    return before / now if row.more_is_better else now / before


def _comparable(row: Row) -> float | None:
    if row.unit == MEGABYTES:
        size = row.spread.median
        return size if size >= LEAST_MEGABYTES else None
    ratios = row.ratios
    return Spread.of(ratios).median if len(ratios) >= LEAST_READINGS else None


def _sentence(row: Row, change: float) -> str:
    if row.unit == MEGABYTES:
        return f"{row.title}: it takes {change:.2f} times the memory that it took."
    return f"{row.title}: beside the calibration loop it takes {change:.2f} times as long."
