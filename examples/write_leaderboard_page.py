"""Writes the table and the picture of docs/leaderboard.md from the entries in docs/leaderboard/.

    arena-breaker leaderboard measure expert --entry docs/leaderboard/expert.json
    python examples/write_leaderboard_page.py

To add a row, add a file that the first command writes and run the second.
"""

from __future__ import annotations

from pathlib import Path

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.leaderboard import Entry, read_entries
from arena_breaker_gym.report.table import markdown_table, put_between_markers

ROOT = Path(__file__).parents[1] / "docs"
PAGE, ENTRIES, PICTURE = (
    ROOT / "leaderboard.md",
    ROOT / "leaderboard",
    ROOT / "images/leaderboard.png",
)
SHOWN = ("kills", "score", "survival_seconds", "first_wave_cleared", "dashes", "accuracy")


def table(entries: list[Entry]) -> str:
    """The entries as Markdown."""
    words = {
        "place": [str(place) for place in range(1, len(entries) + 1)],
        "agent": [one.agent for one in entries],
    }
    return markdown_table([one.row for one in entries], SHOWN, before=words)


def notes(entries: list[Entry]) -> str:
    """How each agent was made and measured, as Markdown."""
    return "\n".join(
        f"- **{one.agent}**. {one.note} Version {one.package_version}, rules "
        f"{one.engine_version}: `{one.command}`"
        for one in entries
    )


def draw(entries: list[Entry]) -> None:
    """Kills with their intervals, a bar an agent, best on top."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    kills = [one.row["kills"] for one in reversed(entries)]
    means = [one["mean"] for one in kills]
    below = [one["mean"] - one["low"] for one in kills]
    above = [one["high"] - one["mean"] for one in kills]
    figure, axes = pyplot.subplots(figsize=(7, 0.6 + 0.36 * len(entries)), dpi=120)
    names = [one.agent for one in reversed(entries)]
    axes.barh(names, means, xerr=[below, above], color="#3b7dd8", ecolor="#1c1c1c", height=0.65)
    for place, (mean, high) in enumerate(zip(means, above, strict=True)):
        axes.text(mean + high + 1.0, place, f"{mean:.1f}", va="center", fontsize=8)
    axes.set_xlabel("kills an episode, with 95 % interval")
    axes.set_xlim(right=1.1 * max(mean + high for mean, high in zip(means, above, strict=True)))
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    with written_whole(PICTURE) as part:
        figure.savefig(part, format="png")
    pyplot.close(figure)


def main() -> None:
    """Writes page and picture."""
    entries = read_entries(ENTRIES)
    text = PAGE.read_text(encoding="utf-8")
    text = put_between_markers(text, "rows", table(entries))
    text = put_between_markers(text, "notes", notes(entries))
    with written_whole(PAGE) as part:
        part.write_text(text, encoding="utf-8")
    draw(entries)
    print(f"Page: {PAGE}\nPicture: {PICTURE}")


if __name__ == "__main__":
    main()
