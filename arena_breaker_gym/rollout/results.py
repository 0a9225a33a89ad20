"""`Results`: the rows of a measurement with its settings and timings, kept as `results.json`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Self

from rich.markup import escape
from rich.table import Table

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym._runtime.stored import (
    StoredError,
    is_number,
    is_text,
    is_whole,
    json_in,
    read_stored,
)
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.rollout.episode import MEASURED, STATUSES, words_for
from arena_breaker_gym.rollout.metrics import CHARGED, COVERAGE, METRICS, Row

FILE_NAME = "results.json"
_LARGEST = 2**26  # bytes; a row has some 2,000

SHOWN = tuple(name for name in METRICS if name not in ("episode_return", "steps", *CHARGED))

_LABELS = 18  # columns of a terminal that the metrics' names take, with the lines around them
_LEAST, _MOST = 19, 30  # columns of an agent, with the lines around it

_STATUS_MEANINGS = {
    "completed": "episodes that ended by themselves, in victory or defeat",
    "time limit": "episodes cut off at the most steps that were allowed",
    "agent failed": "episodes in which the agent could not go on: they stand in no mean",
}


@dataclass(frozen=True)
class Results:
    """What a benchmark or a bootcamp found.

    Attributes:
        rows: As `metrics.row_of` makes them.
        settings: What was played: settings of the game, seed, episodes.
        timings_s: Seconds that each part of the work took.
    """

    rows: Sequence[Row]
    settings: Mapping[str, object]
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
    if not all(is_row(row) for row in rows):
        raise StoredError("a row is none")


def is_row(row: object) -> bool:
    """Whether a JSON value is a row as `metrics.row_of` makes them, perhaps without all metrics."""
    if not isinstance(row, dict) or not is_text(row.get("agent")):
        return False
    counts = isinstance(row.get("status"), dict) and isinstance(row.get("failures", {}), dict)
    whole = is_whole(row.get("stage")) and is_whole(row.get("episodes"))
    return counts and whole and all(_is_estimate(row[name]) for name in METRICS if name in row)


def is_whole_row(row: Any) -> bool:
    """Whether a JSON value is a row that has all that a table shows."""
    if not is_row(row) or not METRICS.keys() <= row.keys():
        return False
    passes, latency = row.get("passes", {"done": 0, "planned": 0}), row.get("latency", 0)
    over = isinstance(passes, dict) and is_number(passes.get("done"))
    charged = latency is None or latency == MEASURED or is_whole(latency, least=1)
    fixed = isinstance(row.get("point_blank_fix"), bool)
    return bool(over and is_number(passes.get("planned")) and charged and fixed)


def _is_estimate(value: object) -> bool:
    names = ("mean", "low", "high")
    return isinstance(value, dict) and all(
        name in value and (value[name] is None or is_number(value[name])) for name in names
    )


def results_table(rows: Sequence[Row]) -> Table:
    """One table: a column a row, a line a metric as "mean [low, high]".

    Args:
        rows: As `metrics.row_of` makes them. `passes`, if there is such an entry, tells how often a
            training went over its examples, `{"done": 2.5, "planned": 4}`.
    """
    table = Table()
    table.add_column("")
    for row in rows:
        heading = escape(_heading(row))
        table.add_column(heading, justify="right", overflow="fold", max_width=_MOST - 3)
    table.add_row("episodes", *(str(row["episodes"]) for row in rows))
    for status in _statuses(rows):
        table.add_row(status, *(str(row["status"].get(status, 0)) for row in rows))
    table.add_section()
    for name in _metrics(rows):
        metric = METRICS[name]
        table.add_row(metric.label, *(_cell(row[name], metric.decimals) for row in rows))
    return table


def results_tables(rows: Sequence[Row], *, width: int) -> list[Table]:
    """As many tables as it takes for each to fit.

    Args:
        rows: As `metrics.row_of` makes them.
        width: Columns of the terminal.
    """
    count = max(1, (width - _LABELS) // _width_of(rows))
    return [results_table(rows[first : first + count]) for first in range(0, len(rows), count)]


def verdict(rows: Sequence[Row]) -> str:
    """What the tables come to: a sentence for each stage, setting and latency.

    Args:
        rows: As `metrics.row_of` makes them.
    """
    groups = groupby(sorted(rows, key=_place), key=_place)
    return "\n".join(_judged(place, list(group)) for place, group in groups)


def legend(rows: Sequence[Row]) -> str:
    """What each line of the tables means, a line each.

    Args:
        rows: As `metrics.row_of` makes them.
    """
    lines = [(status, _STATUS_MEANINGS[status]) for status in _statuses(rows)]
    lines += [(METRICS[name].label, METRICS[name].meaning) for name in _metrics(rows)]
    if any(_spread(row[name]) for row in rows for name in _metrics(rows)):
        resampled = f"the interval that holds {COVERAGE} % of means over resampled episodes"
        lines.append(("[low, high]", resampled))
    kinds = {row["point_blank_fix"] for row in rows}
    meanings = {True: "shots hit an enemy that overlaps the muzzle", False: "they pass through it"}
    lines += [(_fix(kind), meanings[kind]) for kind in (True, False) if kind in kinds]
    if any(row["latency"] == MEASURED for row in rows):
        meaning = "the game goes on while the agent thinks: from a look to its answer, on average"
        lines.append(("real time, N ms", meaning))
    if any(cut_short(row) for row in rows):
        lines.append(("N of M passes", "a training that was cut short: over its examples"))
    wide = max(len(label) for label, _ in lines)
    return "\n".join(f"{label:{wide}}  {meaning}" for label, meaning in lines)


def cut_short(row: Row) -> str:
    """How far who played had learned, if that was less than was planned; else "".

    Args:
        row: As `metrics.row_of` makes it, with `passes` if there was a training.
    """
    passes = row.get("passes")
    if passes is None or passes["done"] >= passes["planned"]:
        return ""
    return f"{int(10 * passes['done']) / 10:g} of {passes['planned']:g} passes"


def waited(row: Row) -> str:
    """What a game that did not wait charged for thinking, on average where it was measured.

    Args:
        row: As `metrics.row_of` makes it.
    """
    ticks = row["latency_ticks"]["mean"]
    if row["latency"] != MEASURED or ticks is None:
        return words_for(row["latency"])
    return f"{words_for(row['latency'])}, {1000 * ticks / TICKS_PER_SECOND:.0f} ms"


def _width_of(rows: Sequence[Row]) -> int:
    """Columns of a terminal that the widest agent takes."""
    texts = [line for row in rows for line in _heading(row).split("\n")]
    texts += [_cell(row[name], METRICS[name].decimals) for row in rows for name in SHOWN]
    return min(_MOST, max(_LEAST, 3 + max(map(len, texts))))


def _statuses(rows: Sequence[Row]) -> list[str]:
    return [status for status in STATUSES if any(status in row["status"] for row in rows)]


def _metrics(rows: Sequence[Row]) -> tuple[str, ...]:
    charged = CHARGED if any(row["latency"] is not None for row in rows) else ()
    return (*SHOWN, *charged)


def _place(row: Row) -> tuple[int, bool, str]:
    latency = "" if row["latency"] is None else f", {words_for(row['latency'])}"
    return row["stage"], row["point_blank_fix"], latency


def _fix(fix: bool) -> str:
    return "with the fix" if fix else "with the bug"


def _judged(place: tuple[int, bool, str], rows: Sequence[Row]) -> str:
    stage, fix, latency = place
    where = f"Stage {stage}, {_fix(fix)}{latency}: "
    played = [row for row in rows if row["kills"]["mean"] is not None]
    if not played:
        return f"{where}nothing was played to an end, since the agent failed in every episode."
    best, *others = sorted(played, key=lambda row: -row["kills"]["mean"])
    if not others:
        return where + _alone(best)
    second = others[0]
    told = f"{where}{_kills(best)} kills an episode, then {_kills(second)}"
    if best["kills"]["mean"] == second["kills"]["mean"]:
        return f"{told}: the same."
    if best["kills"]["low"] > second["kills"]["high"]:
        return f"{told}: the intervals lie apart."
    return f"{told}: the intervals overlap, so more episodes (-n) would have to tell them apart."


def _alone(row: Row) -> str:
    cleared, won = (round(100 * row[name]["mean"]) for name in ("first_wave_cleared", "victory"))
    return (
        f"{_kills(row)} kills an episode, {row['survival_seconds']['mean']:.0f} s survived, the "
        f"first wave cleared in {cleared} % of episodes, the last stage in {won} %."
    )


def _kills(row: Row) -> str:
    low, high = (f"{row['kills'][end]:.1f}" for end in ("low", "high"))
    interval = f" [{low}, {high}]" if _spread(row["kills"]) else ""
    return f"{row['agent']} {row['kills']['mean']:.1f}{interval}"


def _spread(estimate: Mapping[str, object]) -> bool:
    return estimate["mean"] is not None and estimate["low"] != estimate["high"]


def _heading(row: Row) -> str:
    return "\n".join(_heading_lines(row))


def _heading_lines(row: Row) -> Iterator[str]:
    yield row["agent"]
    yield f"stage {row['stage']}"
    yield _fix(row["point_blank_fix"])
    if row["latency"] is not None:
        yield waited(row)
    if passes := cut_short(row):
        yield passes


def _cell(estimate: Mapping[str, float | None], decimals: int) -> str:
    mean, low, high = estimate["mean"], estimate["low"], estimate["high"]
    if mean is None:
        return "-"
    if low == high:
        return f"{mean:.{decimals}f}"
    return f"{mean:.{decimals}f} \\[{low:.{decimals}f}, {high:.{decimals}f}]"
