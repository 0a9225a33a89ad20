"""Generated parts of Markdown pages: tables of rows, and text between a page's markers."""

import re
from collections.abc import Mapping, Sequence

from arena_breaker_gym.rollout.metrics import METRICS, Row


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
