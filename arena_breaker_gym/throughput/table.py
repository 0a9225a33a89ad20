"""`own_table` and `peers_table`: a run for people's eyes, in a terminal or on a page."""

from collections.abc import Sequence

from rich.table import Table

from arena_breaker_gym.throughput.likes import like, times_as_fast
from arena_breaker_gym.throughput.results import Peer, Results
from arena_breaker_gym.throughput.rows import DECIMALS, STEPS, Row, Spread

_OURS = "Medians over rounds, from the lowest to the highest; steps are those of one arena."
_RATIO = (
    "× calibration: steps for each loop of the calibration loop that went before, or loops in "
    "the time taken; it compares machines and days."
)
_LIKE = (
    "Ours / theirs: steps a second, round by round, where ours is the figure of the same kind "
    "(alone or batch, state or pixels) with the nearest picture, threads and number of arenas."
)


def own_table(results: Results) -> Table:
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


def peers_table(results: Results) -> Table:
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


def markdown(table: Table) -> str:
    """A table as Markdown, for a page."""
    heads = [str(column.header) for column in table.columns]
    lines = [heads, ["---:" if one.justify == "right" else "---" for one in table.columns]]
    lines += zip(*(column.cells for column in table.columns), strict=True)  # type: ignore[arg-type]
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
