"""`Report`: what a run's page is to tell; every part but the title may be empty.

`benchmark_report` and `training_report` say what a folder comes to, as a report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from arena_breaker_gym._runtime.stored import StoredError, is_number, is_whole, json_in, read_stored
from arena_breaker_gym.report.table import point_blank
from arena_breaker_gym.rollout.benchmark import store_of
from arena_breaker_gym.rollout.episode import Episode, words_for
from arena_breaker_gym.rollout.metrics import Row
from arena_breaker_gym.rollout.results import Results


@dataclass(frozen=True, kw_only=True)
class CurveLine:
    """One line of a chart, perhaps with a band about it.

    Attributes:
        name: Its name in the legend; an agent's name gets that agent's colour.
        x: Where its n points stand.
        y: Their values; NaN leaves a gap.
        low: Lower ends of the band; None: no band.
        high: Upper ends; given if and only if `low` is.

    Raises:
        ValueError: If these are not equally long, or only one end of the band is given.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None

    def __post_init__(self) -> None:
        """Checks that every point is whole."""
        if (self.low is None) != (self.high is None):
            raise ValueError(f"The line {self.name!r} needs both ends of its band, or neither.")
        lengths = [len(one) for one in (self.x, self.y, self.low, self.high) if one is not None]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"The line {self.name!r} needs as many values as points, got lengths "
                f"{', '.join(map(str, lengths))}."
            )


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A chart of lines, such as a loss over the steps of a training.

    Attributes:
        title: Its heading.
        x_label: What runs to the right, with its unit.
        y_label: What runs upwards, with its unit.
        lines: At least one.
    """

    title: str
    x_label: str
    y_label: str
    lines: Sequence[CurveLine]


@dataclass(frozen=True, kw_only=True)
class VideoPanel:
    """A film and the words under it.

    Attributes:
        caption: The words.
        path: An MP4 file.
    """

    caption: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that a page says of one run.

    Attributes:
        title: The page's heading.
        verdict: Sentences that say what was found.
        rows: As `metrics.row_of` makes them.
        episodes: By name, the episodes whose aim sticks, survival and deaths are shown. What is
            to be told apart has a name of its own; "student, bug" has the colour of the
            agent "student" and other dashes.
        curves: Learning curves.
        videos: Films, shown side by side in this order.
        settings: What was played: names and plain JSON values.
        timings_s: Seconds that each part of the work took.
        command: How to run it again.
    """

    title: str
    verdict: Sequence[str] = ()
    rows: Sequence[Row] = ()
    episodes: Mapping[str, Sequence[Episode]] = field(default_factory=dict)
    curves: Sequence[Curve] = ()
    videos: Sequence[VideoPanel] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    timings_s: Mapping[str, float] = field(default_factory=dict)
    command: str = ""


FILE_NAME = "report.html"

_POINTS = 200  # of a curve, at most
_JUDGED = {  # by name in metrics.jsonl: title, unit
    "loss": ("Held-out loss", "flow-matching loss"),
    "move_error": ("Held-out move", "mean absolute error of the stick"),
    "aim_cosine": ("Held-out aim", "cosine of predicted and true stick"),
    "dash_recall": ("Held-out dash", "share of dashes that are predicted"),
}


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


def training_report(folder: Path, report: Mapping[str, Any], *, command: str = "") -> Report:
    """The report of a training.

    Args:
        folder: Of the training: its `metrics.jsonl` and `settings.json` are read.
        report: What its `report.json` holds.
        command: How to run it again.

    Raises:
        ValueError: If the settings are damaged.
    """
    settings = _settings_in(folder / "settings.json")
    return Report(
        title="Post-training",
        verdict=[*_verdict(report)],
        curves=[*loss_curves({"training": folder}), *_heldout_curves(folder)],
        settings=settings,
        timings_s={"training": report["seconds"]},
        command=command,
    )


def loss_curves(folders: Mapping[str, Path]) -> Iterator[Curve]:
    """One chart of the losses of some trainings by step; none where nothing was noted.

    Args:
        folders: By the name of each line, a training's folder.
    """
    lines = []
    for name, folder in folders.items():
        steps = [one for one in _noted(folder) if one["kind"] == "train"]
        chosen = steps[:: max(len(steps) // _POINTS, 1)]
        if chosen:
            x, y = [one["step"] for one in chosen], [one["loss"] for one in chosen]
            lines.append(CurveLine(name=name, x=x, y=y))
    if lines:
        yield Curve(title="Learning", x_label="step", y_label="flow-matching loss", lines=lines)


def _heldout_curves(folder: Path) -> Iterator[Curve]:
    looks = [one for one in _noted(folder) if one["kind"] == "heldout"]
    for name, (title, unit) in _JUDGED.items():
        known = [one for one in looks if one.get(name) is not None]
        if known:
            x, y = [one["step"] for one in known], [one[name] for one in known]
            line = CurveLine(name="held-out episodes", x=x, y=y)
            yield Curve(title=title, x_label="step", y_label=unit, lines=[line])


def _verdict(report: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{report['trained_parameters']:,} of {report['parameters']:,} parameters learned from "
        f"{report['examples']:,} examples in {report['steps']:,} steps."
    )
    scores = {name: one["played"] for name, one in report["scores"].items()}
    for name in ("aim_cosine", "move_error"):
        known = {who: one[name] for who, one in scores.items() if one[name] is not None}
        if known:
            words = ", ".join(f"{who} {value:.3f}" for who, value in known.items())
            yield f"On held-out episodes, {name.replace('_', ' ')}: {words}."


def _settings_in(path: Path) -> dict[str, object]:
    try:
        settings = json_in(read_stored(path))
    except StoredError as error:
        raise ValueError(f"{path}: damaged ({error}).") from None
    if not isinstance(settings, dict):
        raise ValueError(f"{path}: damaged, it holds no settings.")
    return settings


def _noted(folder: Path) -> list[dict[str, Any]]:
    """What was noted, without damaged lines."""
    path = folder / "metrics.jsonl"
    return [*filter(None, map(_line_in, read_stored(path).splitlines()))] if path.exists() else []


def _line_in(row: bytes) -> dict[str, object] | None:
    try:
        line = json_in(row)
    except StoredError:
        return None
    if not isinstance(line, dict) or not is_whole(line.get("step")):
        return None
    figures = [value for name, value in line.items() if name != "kind" and value is not None]
    whole = all(map(is_number, figures)) and (line.get("kind") != "train" or "loss" in line)
    return line if whole and isinstance(line.get("kind"), str) else None
