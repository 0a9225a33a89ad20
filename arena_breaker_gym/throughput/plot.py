"""`plot`: a run as one picture, `throughput.png`: ours, threads, and peers beside ours."""

from pathlib import Path
from typing import Any

from arena_breaker_gym.extras import require
from arena_breaker_gym.files import written_whole
from arena_breaker_gym.throughput.likes import like, times_as_fast
from arena_breaker_gym.throughput.results import Results
from arena_breaker_gym.throughput.rows import STEPS, Row

FILE_NAME = "throughput.png"
INCHES_A_BAR = 0.24
OURS = "#2f6fb0"
THEIRS = "#d8782f"


def plot(results: Results, folder: Path) -> Path:
    """Draws the run's steps a second into a folder, whole or not at all, and returns the path.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    figures: Any = require("matplotlib.figure", "notebooks")
    ours = [row for row in results.rows if row.unit == STEPS and not row.peer]
    theirs = [row for row in results.rows if row.peer]
    heights = [len(rows) * INCHES_A_BAR + 1.0 for rows in (ours, theirs) if rows]
    figure = figures.Figure(figsize=(10, max(sum(heights), 2.0)), layout="constrained")
    if heights:
        axes = iter(figure.subplots(len(heights), height_ratios=heights, squeeze=False)[:, 0])
        if ours:
            _draw_ours(next(axes), ours)
        if theirs:
            _draw_peers(next(axes), theirs, results)
    path = folder / FILE_NAME
    with written_whole(path) as part:
        figure.savefig(part, format="png", dpi=110)
    return path


def _draw_ours(axes: Any, rows: list[Row]) -> None:
    _bars(axes, rows, [OURS] * len(rows), [f"{row.spread.median:,.0f}" for row in rows])
    axes.set_title("Arena Breaker, steps a second (median, and the range over rounds)")


def _draw_peers(axes: Any, rows: list[Row], results: Results) -> None:
    notes = []
    for row in rows:
        ours = like(row, results.rows)
        times = "" if ours is None else f", ours {times_as_fast(row, ours).median:.3g} times"
        notes.append(f"{row.spread.median:,.0f}{times}")
    _bars(axes, rows, [THEIRS] * len(rows), notes)
    axes.set_title("Peers in the same rounds, steps a second, and ours of the same kind")


def _bars(axes: Any, rows: list[Row], colours: list[str], notes: list[str]) -> None:
    """Horizontal bars from the top down on a logarithmic scale, each with a note at its end."""
    places = range(len(rows))
    spreads = [row.spread for row in rows]
    medians = [spread.median for spread in spreads]
    errors = [
        [spread.median - spread.low for spread in spreads],
        [spread.high - spread.median for spread in spreads],
    ]
    axes.barh(places, medians, color=colours, height=0.7)
    axes.errorbar(medians, places, xerr=errors, fmt="none", ecolor="#333333", elinewidth=1)
    axes.set_yticks(places, [row.title for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(min(medians) / 3, max(spread.high for spread in spreads) * 12)
    for place, spread, note in zip(places, spreads, notes, strict=True):
        axes.annotate(note, (spread.high * 1.15, place), va="center", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
