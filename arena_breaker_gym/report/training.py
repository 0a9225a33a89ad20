"""`training_report`: what the folder of a training comes to, as a report.

A training's folder is read as files: this room knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from arena_breaker_gym.report.report import Curve, Line, Report
from arena_breaker_gym.stored import StoredError, is_number, is_whole, json_in, read_stored

_POINTS = 200  # of a curve, at most
_JUDGED = {  # by name in metrics.jsonl: title, unit
    "loss": ("Held-out loss", "flow-matching loss"),
    "move_error": ("Held-out move", "mean absolute error of the stick"),
    "aim_cosine": ("Held-out aim", "cosine of predicted and true stick"),
    "dash_recall": ("Held-out dash", "share of dashes that are predicted"),
}


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
            lines.append(Line(name=name, x=x, y=y))
    if lines:
        yield Curve(title="Learning", x_label="step", y_label="flow-matching loss", lines=lines)


def _heldout_curves(folder: Path) -> Iterator[Curve]:
    looks = [one for one in _noted(folder) if one["kind"] == "heldout"]
    for name, (title, unit) in _JUDGED.items():
        known = [one for one in looks if one.get(name) is not None]
        if known:
            x, y = [one["step"] for one in known], [one[name] for one in known]
            line = Line(name="held-out episodes", x=x, y=y)
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


def _settings_in(path: Path) -> dict[str, Any]:
    try:
        settings = json_in(read_stored(path))
    except StoredError as error:
        raise ValueError(f"{path}: damaged ({error}).") from None
    if not isinstance(settings, dict):
        raise ValueError(f"{path}: damaged, it holds no settings.")
    return settings


def _noted(folder: Path) -> list[dict[str, Any]]:
    """What was noted, but for lines that are damaged."""
    path = folder / "metrics.jsonl"
    return [*filter(None, map(_line_in, read_stored(path).splitlines()))] if path.exists() else []


def _line_in(row: bytes) -> dict[str, Any] | None:
    try:
        line = json_in(row)
    except StoredError:
        return None
    if not isinstance(line, dict) or not is_whole(line.get("step")):
        return None
    figures = [value for name, value in line.items() if name != "kind" and value is not None]
    whole = all(map(is_number, figures)) and (line.get("kind") != "train" or "loss" in line)
    return line if whole and isinstance(line.get("kind"), str) else None
