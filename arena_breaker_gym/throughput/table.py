"""A run for people: `own_table` and `peers_table` for a terminal or a page, `plot` as a picture."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.throughput.results import (
    DECIMALS,
    STEPS,
    Pairing,
    Peer,
    Row,
    Spread,
    ThroughputResults,
    paired,
)

PARTS = ("environment", "batch", "threads")

_OURS = "Medians over rounds, from the lowest to the highest; steps are those of one arena."
_RATIO = (
    "× calibration: steps for each loop of the calibration loop that went before, or loops in "
    "the time taken; it compares machines and days."
)
_LIKE = (
    "Ours / theirs: steps a second, round by round, where ours is the figure of the same kind "
    "(alone or batch, state or pixels) with the nearest picture, threads and number of arenas."
)

_PAIRED = (
    "Times as long: of a step here for one there, the median of pairs that lie seconds apart; "
    "noise: its 95 % interval. Slower or faster only where the whole interval says so."
)

FILE_NAME = "throughput.png"
INCHES_A_LINE = 0.23
OURS = "#2563a8"
THEIRS = "#d06a1b"


def like(peer: Row, rows: Sequence[Row]) -> Row | None:
    """Our figure of the same kind: alone or a batch, state or pixels.

    Among those the nearest picture counts first, then threads, then whether arrays are
    copied, then the number of arenas.

    Args:
        peer: A peer's figure.
        rows: All figures.

    Returns:
        None if nothing of the kind was measured.
    """
    alike = [row for row in rows if _same_kind(row, peer)]
    return min(alike, key=lambda row: _distance(row, peer), default=None)


def times_as_fast(peer: Row, ours: Row) -> Spread:
    """Our steps a second for each of the peer's, round by round."""
    pairs = zip(ours.values, peer.values, strict=False)  # a peer that broke has fewer rounds
    return Spread.of([own / other for own, other in pairs])


def _same_kind(row: Row, peer: Row) -> bool:
    kind = (row.observation, row.arenas > 1)
    return not row.peer and row.part in PARTS and kind == (peer.observation, peer.arenas > 1)


def _distance(row: Row, peer: Row) -> tuple[float, ...]:
    pictures = 0.0
    if row.size and peer.size:
        pictures = abs(math.log(math.prod(row.size) / math.prod(peer.size)))
    arenas = abs(math.log(row.arenas / peer.arenas))
    return (pictures, abs(row.threads - peer.threads), row.copies != peer.copies, arenas)


def own_table(results: ThroughputResults) -> Table:
    """Our figures: what, median, range, and the ratio to the calibration loop."""
    table = Table(title="Arena Breaker", caption=f"{_OURS} {_RATIO}", caption_justify="left")
    for name in ("", "unit", "median", "range", "× calibration"):
        table.add_column(name, justify="left" if name in ("", "unit") else "right")
    before = None
    for row in results.rows:
        if row.peer:
            continue
        if before not in (None, row.part):
            table.add_section()
        before = row.part
        table.add_row(row.name, row.unit, *_cells(row), _ratio(row))
    return table


def peers_table(results: ThroughputResults) -> Table:
    """The peers' figures, each beside ours of its kind."""
    table = Table(title="Peers, in the same rounds", caption=_LIKE, caption_justify="left")
    for name in ("peer", "what", "steps/s", "range", "× calibration"):
        table.add_column(name, justify="left" if name in ("peer", "what") else "right")
    table.add_column("ours of the kind")
    for name in ("steps/s", "ours / theirs"):
        table.add_column(name, justify="right")
    versions = {peer.name: peer.version for peer in results.peers}
    for row in results.rows:
        if row.peer:
            what = f"{row.name}{_kind(row)}" + (f"\n{row.note}" if row.note else "")
            peer = f"{row.peer}\n{versions.get(row.peer, '')}"
            table.add_row(peer, what, *_cells(row), _ratio(row), *_beside(row, results.rows))
    return table


def paired_table(results: ThroughputResults, *, tolerance: float) -> Table:
    """Our figures beside another checkout's, and what the pairs of readings say."""
    table = Table(title="Beside the other checkout, in the same rounds", caption=_PAIRED)
    table.caption_justify = "left"
    for name in ("", "unit", "here", "there", "times as long", "noise", "verdict"):
        table.add_column(name, justify="left" if name in ("", "unit", "verdict") else "right")
    for row in paired(results.rows):
        found = Pairing.of(row.times_as_long, tolerance=tolerance)
        here, there = (number(Spread.of(one).median, row.unit) for one in (row.values, row.before))
        noise = f"{found.low:.3f} to {found.high:.3f}"
        table.add_row(
            row.name, row.unit, here, there, f"{found.median:.3f}", noise, found.verdict.value
        )
    return table


def markdown(table: Table) -> str:
    """A table as Markdown, for a page."""
    heads = [str(column.header) for column in table.columns]
    lines = [heads, ["---:" if one.justify == "right" else "---" for one in table.columns]]
    lines += map(list, zip(*([*column.cells] for column in table.columns), strict=True))
    cells = [[str(cell).replace("\n", ", ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"


def sentences(peers: Sequence[Peer]) -> list[str]:
    """What did not work: all peers that are not installed in one line, and a line a breakage."""
    missing = [peer.name for peer in peers if not peer.version and not peer.broken]
    said = [f"Not installed: {', '.join(missing)}."] if missing else []
    return [*said, *(sentence for peer in peers for sentence in peer.broken)]


def _beside(row: Row, rows: Sequence[Row]) -> tuple[str, str, str]:
    ours = like(row, rows)
    if ours is None:
        return ("-", "-", "-")
    return (ours.name, number(ours.spread.median, STEPS), times(times_as_fast(row, ours)))


def _kind(row: Row) -> str:
    picture = "" if row.size is None else f", {row.size[0]}×{row.size[1]}"
    return f" ({row.observation}{picture})"


def _cells(row: Row) -> tuple[str, str]:
    spread = row.spread
    median, low, high = (number(one, row.unit) for one in (spread.median, spread.low, spread.high))
    return (median, "" if len(row.values) == 1 else f"{low} to {high}")


def number(value: float, unit: str) -> str:
    """A figure with as many decimals as its unit deserves."""
    return f"{value:,.{DECIMALS[unit]}f}"


def times(spread: Spread) -> str:
    """How many times, with the range."""
    return f"{factor(spread.median)} ({factor(spread.low)} to {factor(spread.high)})"


def factor(value: float) -> str:
    """How many times, in three figures that count."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _ratio(row: Row) -> str:
    ratios = row.ratios
    return f"{Spread.of(ratios).median:,.4g}" if ratios else ""


def plot(results: ThroughputResults, folder: Path) -> Path:
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
