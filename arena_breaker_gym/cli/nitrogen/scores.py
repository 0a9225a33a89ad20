"""`print_scores`: the table that shows whether a training taught anything."""

from collections.abc import Mapping
from typing import Any


def print_scores(report: Mapping[str, Any]) -> None:
    """Prints what held-out examples say of the base, of the mean action and of the result.

    Args:
        report: What `report.json` of a post-training holds.
    """
    from rich.console import Console
    from rich.table import Table

    from nitrogen_adapter.passes import Passes
    from nitrogen_adapter.training.heldout import SCORES

    console = Console(highlight=False)
    if "passes" in report and (passes := Passes(**report["passes"])).cut_short:
        console.print(f"The training was cut short after {passes} over its examples.")
    scores = report["scores"]
    if not scores:
        console.print("No episode was held out, so nothing is known of how good the result is.")
        return
    titles = {
        "played": f"Held out: the first {report['played']} actions of a chunk",
        "chunk": "Held out: whole chunks",
    }
    for part, title in titles.items():
        table = Table("", title=title, title_justify="left")
        for who in scores:
            table.add_column(who, justify="right")
        for name, meaning in SCORES.items():
            table.add_row(meaning, *(_text(scores[who][part][name]) for who in scores))
        console.print(table)


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
