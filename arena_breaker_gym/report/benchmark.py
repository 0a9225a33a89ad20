"""`benchmark_report`: what a benchmark's folder comes to, as a report."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from arena_breaker_gym.report.report import Report
from arena_breaker_gym.report.table import point_blank
from arena_breaker_gym.rollout.benchmark import store_of
from arena_breaker_gym.rollout.latency import words_for
from arena_breaker_gym.rollout.metrics import Row
from arena_breaker_gym.rollout.results import Results

FILE_NAME = "report.html"


def benchmark_report(
    results: Results, folder: Path, *, kept_as: Sequence[str] | None = None, command: str = ""
) -> Report:
    """The report of a benchmark.

    Args:
        results: What it found.
        folder: Where it kept its episodes.
        kept_as: For each row the name under which it kept them; None: what the row calls its agent.
        command: How to run it again.

    Raises:
        EpisodeError: If an episode's file cannot be read.
    """
    rows = results.rows
    agents = list(dict.fromkeys(str(row["agent"]) for row in rows))
    names = [str(row["agent"]) for row in rows] if kept_as is None else kept_as
    several = len({row["stage"] for row in rows}) > 1
    return Report(
        title=f"Benchmark: {', '.join(agents)}",
        verdict=verdict_of(rows),
        rows=rows,
        episodes={
            f"{row['agent']}, from stage {row['stage']}" if several else str(row["agent"]): [
                store_of(folder, name, stage=row["stage"]).load(index)
                for index in range(row["episodes"])
            ]
            for row, name in zip(rows, names, strict=True)
        },
        settings=results.settings,
        timings_s=results.timings_s,
        command=command,
    )


def verdict_of(rows: Sequence[Row]) -> list[str]:
    """A sentence for each stage on who kills most there, and by how much."""
    alike = sorted(rows, key=_terms)
    return [_comparison(list(some)) for _, some in groupby(alike, key=_terms)]


def _terms(row: Row) -> tuple[int, bool, str]:
    return row["stage"], row["point_blank_fix"], words_for(row["latency"])


def _comparison(rows: Sequence[Row]) -> str:
    """One sentence on rows of equal terms."""
    where = f"From stage {rows[0]['stage']}, where point-blank shots {point_blank(rows[0])}"
    played = [row for row in rows if row["kills"]["mean"] is not None]
    if not played:
        return f"{where}, no episode was played to an end."
    first, *others = sorted(played, key=lambda row: -row["kills"]["mean"])
    if not others:
        return f"{where}, {first['agent']} kills {_kills(first)}."
    second = others[0]
    if first["kills"]["mean"] == second["kills"]["mean"]:
        return f"{where}, {first['agent']} and {second['agent']} kill equally: {_kills(first)}."
    overlap = "overlap" if first["kills"]["low"] <= second["kills"]["high"] else "do not overlap"
    return (
        f"{where}, {first['agent']} kills most: {_kills(first)}; {second['agent']} is next with "
        f"{_kills(second)}, and the intervals {overlap}."
    )


def _kills(row: Row) -> str:
    kills = row["kills"]
    return f"{kills['mean']:.2f} an episode ({kills['low']:.2f} to {kills['high']:.2f})"
