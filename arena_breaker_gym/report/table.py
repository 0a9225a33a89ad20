"""`table_of`: rows of results as the page's table: headings with their meanings, and cells."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arena_breaker_gym.rollout.episode import STATUSES, words_for
from arena_breaker_gym.rollout.metrics import CHARGED, METRICS, Row
from arena_breaker_gym.rollout.results import SHOWN, cut_short, waited

FIX, BUG = "hit (fix)", "pass through (bug)"
GAME = "whether it waits while the agent thinks, else how long: from a look to its answer"
TRAINING = "whether it went over its examples as often as planned, else how often it did"


@dataclass(frozen=True)
class TableColumn:
    """A column's heading, and what it means."""

    label: str
    meaning: str


@dataclass(frozen=True)
class Cell:
    """A figure, and the 95 % interval about it; "" where it has no width."""

    figure: str
    interval: str = ""


@dataclass(frozen=True)
class Table:
    """The page's table.

    Attributes:
        columns: From left to right.
        lines: For each row, a cell a column.
        failures: Sentences on episodes in which an agent failed.
    """

    columns: Sequence[TableColumn]
    lines: Sequence[Sequence[Cell]]
    failures: Sequence[str]


def table_of(rows: Sequence[Row]) -> Table:
    """The table of some rows, as `metrics.row_of` makes them."""
    charged = any(row["latency"] is not None for row in rows)
    names = (*SHOWN, *(CHARGED if charged else ()))
    learned = any(cut_short(row) for row in rows)
    statuses = [one for one in STATUSES if any(one in row["status"] for row in rows)]
    columns = [
        TableColumn("agent", "who played"),
        TableColumn("start stage", "stage that episodes began on"),
        TableColumn("point-blank shots", "what a shot does to an enemy that overlaps the muzzle"),
        *([TableColumn("the game", GAME)] if charged else []),
        *([TableColumn("training", TRAINING)] if learned else []),
        TableColumn("episodes", f"how many, and how they ended: {', '.join(statuses)}"),
        *(TableColumn(METRICS[name].label, METRICS[name].meaning) for name in names),
    ]
    lines = [
        [
            Cell(str(row["agent"])),
            Cell(str(row["stage"])),
            Cell(point_blank(row)),
            *([Cell(waited(row))] if charged else []),
            *([Cell(cut_short(row) or _untold(row))] if learned else []),
            _endings(row),
            *(_estimate(row[name], METRICS[name].decimals) for name in names),
        ]
        for row in rows
    ]
    return Table(columns, lines, _failures(rows))


def point_blank(row: Row) -> str:
    """What point-blank shots do in a row's games, in words."""
    return FIX if row["point_blank_fix"] else BUG


def labels_of(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """For each row its agent, and what tells it from other rows of that agent, or ""."""
    facts: list[list[str]] = [
        [f"stage {row['stage']}", f"shots {point_blank(row)}", words_for(row["latency"])]
        for row in rows
    ]
    telling = [at for at in range(3) if len({fact[at] for fact in facts}) > 1]
    return [
        (str(row["agent"]), ", ".join(fact[at] for at in telling))
        for row, fact in zip(rows, facts, strict=True)
    ]


def _untold(row: Row) -> str:
    """What there is to say of a training that was not cut short."""
    return "whole" if "passes" in row else "–"


def _endings(row: Row) -> Cell:
    endings = ", ".join(f"{count} {status}" for status, count in row["status"].items())
    return Cell(str(row["episodes"]), endings)


def _estimate(estimate: Mapping[str, float | None], decimals: int) -> Cell:
    mean, low, high = estimate["mean"], estimate["low"], estimate["high"]
    if mean is None:
        return Cell("–")
    if low == high:
        return Cell(f"{mean:.{decimals}f}")
    return Cell(f"{mean:.{decimals}f}", f"{low:.{decimals}f} to {high:.{decimals}f}")


def _failures(rows: Sequence[Row]) -> list[str]:
    return [
        f"{row['agent']}, stage {row['stage']}, shots {point_blank(row)}: "
        f"failed in {count}: {reason}"
        for row in rows
        for reason, count in row.get("failures", {}).items()
    ]


def put_between_markers(page: str, name: str, content: str) -> str:
    """Puts content between `<!-- name -->` and `<!-- end name -->`.

    Args:
        page: The page's text.
        name: Of the markers.
        content: What is to stand there, without the last line's end.

    Returns:
        The page with it; all else as it was.

    Raises:
        ValueError: If the page has no such markers.
    """
    pattern = rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end {re.escape(name)} -->)"
    text, count = re.subn(
        pattern, lambda found: f"{found[1]}{content}\n{found[2]}", page, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"The page has {count} places between markers named {name}; expected 1.")
    return text


def markdown_table(
    rows: Sequence[Row], metrics: Sequence[str], *, before: Mapping[str, Sequence[str]]
) -> str:
    """A Markdown table: some columns of words, then metrics as mean and 95 % interval.

    Args:
        rows: As `metrics.row_of` makes them.
        metrics: Names of `METRICS`, a column each.
        before: The columns of words by heading, a cell for each row.
    """
    heads = [*before, *(METRICS[name].label for name in metrics)]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for place, row in enumerate(rows):
        words = [column[place] for column in before.values()]
        cells = [estimate(row, name) for name in metrics]
        lines.append(f"| {' | '.join([*words, *cells])} |")
    return "\n".join(lines)


def estimate(row: Row, metric: str) -> str:
    """A metric of a row for people: "10.8 [9.6, 11.9]", or the mean alone if all are equal."""
    one = row[metric]
    if one["mean"] is None:
        return ""
    mean, low, high = (
        f"{one[end]:.{METRICS[metric].decimals}f}" for end in ("mean", "low", "high")
    )
    return mean if low == high else f"{mean} [{low}, {high}]"
