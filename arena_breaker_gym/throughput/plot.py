"""`plot`: a run as one picture, `throughput.png`: ours, and peers with ours beside them."""

import math
from pathlib import Path
from typing import Any

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.throughput.likes import like, times_as_fast
from arena_breaker_gym.throughput.results import Results
from arena_breaker_gym.throughput.rows import STEPS, Row
from arena_breaker_gym.throughput.table import factor, number

FILE_NAME = "throughput.png"
INCHES_A_LINE = 0.23
OURS = "#2563a8"
THEIRS = "#d06a1b"


def plot(results: Results, folder: Path) -> Path:
    """Draws the run's steps a second into a folder, whole or not at all, and returns the path.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    figures: Any = require("matplotlib.figure", "notebooks")
    rows = [row for row in results.rows if row.unit == STEPS]
    panels = [part for part in ([row for row in rows if not row.peer], _peers(rows)) if part]
    inches = [len(panel) * INCHES_A_LINE + 1.0 for panel in panels] or [2.0]
    figure = figures.Figure(figsize=(10, sum(inches)), layout="constrained")
    axes = figure.subplots(len(inches), height_ratios=inches, squeeze=False)[:, 0]
    for one, panel in zip(axes, panels, strict=False):
        _draw(one, panel, rows)
    path = folder / FILE_NAME
    with written_whole(path) as part:
        figure.savefig(part, format="png", dpi=110)
    return path


def _peers(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.peer]


def _draw(axes: Any, panel: list[Row], rows: list[Row]) -> None:
    """A line a figure from the top down: a dot for the median, a stroke for the range."""
    for place, row in enumerate(panel):
        _dot(axes, place, row, THEIRS if row.peer else OURS)
        ours = like(row, rows) if row.peer else None
        if ours is not None:
            _dot(axes, place, ours, OURS)
        axes.annotate(
            _note(row, ours),
            (1.01, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(panel)), [row.title for row in panel], fontsize=8)
    axes.set_ylim(len(panel) - 0.4, -0.6)
    axes.set_xscale("log")
    _label(axes.xaxis, decades=math.log10(axes.get_xlim()[1] / axes.get_xlim()[0]))
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    theirs = "Peers (orange) and ours of the same kind (blue), in the same rounds"
    axes.set_title(f"{theirs if panel[0].peer else 'Arena Breaker'}: steps a second", fontsize=10)


def _label(axis: Any, *, decades: float) -> None:
    """Labels in full numbers, and only as many as find room beside each other."""
    ticker: Any = require("matplotlib.ticker", "notebooks")
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if decades < 3 else (1,)))
    axis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    axis.set_minor_formatter(ticker.NullFormatter())
    axis.set_tick_params(labelsize=8)


def _dot(axes: Any, place: int, row: Row, colour: str) -> None:
    spread = row.spread
    axes.plot([spread.low, spread.high], [place, place], color=colour, alpha=0.45, linewidth=3)
    axes.plot([spread.median], [place], "o", color=colour, markersize=5)


def _note(row: Row, ours: Row | None) -> str:
    if ours is None:
        return number(row.spread.median, row.unit)
    return f"ours / theirs {factor(times_as_fast(row, ours).median)}"
