"""`Comparison`: what became worse than in an earlier run, whatever machine either ran on."""

from dataclasses import dataclass

from arena_breaker_gym.throughput.results import Results
from arena_breaker_gym.throughput.rows import MEGABYTES, Row, Spread

LEAST_READINGS = 3  # a time that was read less often says too little
LEAST_MEGABYTES = 50.0  # growth by next to nothing has no ratio


@dataclass(frozen=True)
class Comparison:
    """Two runs held against each other.

    Attributes:
        compared: How many figures both runs have in a form that can be compared.
        regressions: A sentence for each of them that is worse by more than the tolerance.
    """

    compared: int
    regressions: tuple[str, ...]


def compare(now: Results, before: Results, *, tolerance: float) -> Comparison:
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
    """How many times worse a figure is: 1 as before, 2 half as good; None if nobody can say."""
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
