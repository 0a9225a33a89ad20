"""Takes a bootcamp's results into docs: data, and the tables between the markers of bootcamp.md.

arena-breaker bootcamp --out runs/bootcamp --dagger 1
python examples/write_bootcamp_page.py runs/bootcamp
"""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from arena_breaker_gym.bootcamp.page import verdict_of
from arena_breaker_gym.files import written_whole
from arena_breaker_gym.rollout.results import Results

PAGE = Path("docs/bootcamp.md")
DATA = Path("docs/data/bootcamp.json")
COLUMNS = {
    "kills": 1,
    "aim_magnitude": 3,
    "score": 1,
    "first_wave_cleared": 2,
    "dashes": 1,
    "survival_seconds": 1,
    "accuracy": 2,
}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    heads = " | ".join(name.replace("_", " ") for name in COLUMNS)
    lines = [
        f"| agent | stage | point-blank | {heads} |",
        "|---|---|---|" + "---|" * len(COLUMNS),
    ]
    for row in rows:
        fix = "fix" if row["point_blank_fix"] else "bug"
        cells = " | ".join(_cell(row[name], digits) for name, digits in COLUMNS.items())
        lines.append(f"| {row['agent']} | {row['stage']} | {fix} | {cells} |")
    return "\n".join(lines)


def _cell(one: dict[str, float], digits: int) -> str:
    mean, low, high = (f"{one[end]:.{digits}f}" for end in ("mean", "low", "high"))
    return mean if low == high else f"{mean} [{low}, {high}]"


def facts(results: Results, dataset: dict[str, Any]) -> str:
    """Time, data and machine, as Markdown."""
    parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in results.timings_s.items())
    return (
        f"{dataset['kept']:,} examples of {dataset['moments']:,} moments (the article: 3,276). "
        f"{sum(results.timings_s.values()):.0f} s in all on {platform.machine()}, two cores: "
        f"{parts}."
    )


def put(text: str, name: str, content: str) -> str:
    """Puts content between a page's markers."""
    pattern = rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)"
    return re.sub(pattern, lambda found: f"{found[1]}{content}\n{found[2]}", text, flags=re.DOTALL)


def main(folder: Annotated[Path, typer.Argument(help="Of a bootcamp that has been run.")]) -> None:
    """Writes data and page."""
    results = Results.load(folder)
    dataset = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    with written_whole(DATA) as part:
        kept = {**results.to_dict(), "dataset": dataset}
        part.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    text = put(text, "facts", facts(results, dataset))
    text = put(text, "verdict", "\n".join(f"- {one}" for one in verdict_of(results.rows)))
    text = put(text, "rows", table(list(results.rows)))
    with written_whole(PAGE) as part:
        part.write_text(text, encoding="utf-8")
    print(f"Page: {PAGE}\nData: {DATA}")


if __name__ == "__main__":
    typer.run(main)
