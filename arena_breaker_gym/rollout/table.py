"""`results_table`: rows of results as one table for people, metrics down and agents across."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from arena_breaker_gym.rollout.episode import STATUSES
from arena_breaker_gym.rollout.latency import words_for
from arena_breaker_gym.rollout.metrics import CHARGED, COVERAGE, METRICS, Row

SHOWN = tuple(name for name in METRICS if name not in ("episode_return", "steps", *CHARGED))


def results_table(rows: Sequence[Row]) -> Table:
    """The table: a column a row, a line a metric as "mean [low, high]".

    Args:
        rows: As `metrics.row_of` makes them.
    """
    table = Table(
        caption=f"Means over episodes with {COVERAGE} % bootstrap intervals; episodes in which "
        "the agent failed are counted and stand in no mean.",
        caption_justify="left",
    )
    table.add_column("")
    for row in rows:
        table.add_column(_heading(row), justify="right")
    table.add_row("episodes", *(str(row["episodes"]) for row in rows))
    for status in STATUSES:
        if any(status in row["status"] for row in rows):
            table.add_row(status, *(str(row["status"].get(status, 0)) for row in rows))
    table.add_section()
    charged = CHARGED if any(row["latency"] is not None for row in rows) else ()
    for name in (*SHOWN, *charged):
        metric = METRICS[name]
        table.add_row(metric.label, *(_cell(row[name], metric.decimals) for row in rows))
    return table


def _heading(row: Row) -> str:
    bug = "" if row["point_blank_fix"] else "\npoint-blank bug"
    latency = "" if row["latency"] is None else f"\n{words_for(row['latency'])}"
    return f"{row['agent']}\nstage {row['stage']}{bug}{latency}"


def _cell(estimate: Mapping[str, float | None], decimals: int) -> str:
    mean, low, high = estimate["mean"], estimate["low"], estimate["high"]
    if mean is None:
        return "-"
    if low == high:
        return f"{mean:.{decimals}f}"
    return f"{mean:.{decimals}f} \\[{low:.{decimals}f}, {high:.{decimals}f}]"
