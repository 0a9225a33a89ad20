"""Which prompt, and which length of a decision, teaches most for the money?

    python examples/prompt_study.py --episodes 5 --budget 20
    python examples/prompt_study.py --model claude-haiku-4-5 --prompt 2 --steps 6 --steps 12

Every variant plays the same seeds. Kills for a dollar are the mean kills of an episode over its
mean cost; the interval is a bootstrap over episodes. Interrupted, the same command goes on where
it stopped and pays nothing twice.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from arena_breaker_agents.tutor.bill import Bill
from arena_breaker_agents.tutor.prompt import VERSIONS
from arena_breaker_agents.tutor.transcript import Transcript
from arena_breaker_agents.tutor.tutor import TutorSettings
from arena_breaker_agents.tutors import DEFAULT_MODEL, ClaudeTutor
from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.cli.report import bar
from arena_breaker_gym.rollout import Episode, EpisodeStore, rollout
from arena_breaker_gym.rollout.metrics import bootstrap_interval

COLUMNS = (
    "prompt",
    "steps",
    "episodes",
    "failed",
    "kills",
    "dollars",
    "kills per dollar",
    "95 %",
    "cached",
)


def play(
    model: str, settings: TutorSettings, folder: Path, **terms: Any
) -> tuple[list[Episode], Transcript]:
    """One variant's episodes, and what was asked for them."""
    tutor = ClaudeTutor(model, settings=settings)
    try:
        episodes = rollout(tutor, recorder=EpisodeStore(folder), **terms)
    finally:
        tutor.close()
    return episodes, Transcript.find(folder)


def row_of(
    settings: TutorSettings, episodes: list[Episode], transcript: Transcript
) -> dict[str, Any]:
    """One line of the table; episodes in which the tutor failed cost money and kill nothing."""
    bill = Bill.of(transcript.lines)
    kills = np.array([0.0 if one.failed else one.metrics["kills"] for one in episodes])
    price = (bill.dollars or 0.0) / len(episodes)
    low, high = (bound[0] for bound in bootstrap_interval(kills[:, None]))
    return {
        "prompt": settings.prompt,
        "steps": settings.decision_steps,
        "episodes": len(episodes),
        "failed": sum(one.failed for one in episodes),
        "kills": float(kills.mean()),
        "dollars": bill.dollars,
        "kills_per_dollar": kills.mean() / price if price else None,
        "interval": [low / price, high / price] if price else None,
        "hit_rate": bill.hit_rate,
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Prints the table, best first."""
    table = Table(*COLUMNS)
    for row in sorted(rows, key=lambda row: -(row["kills_per_dollar"] or 0.0)):
        per, (low, high) = row["kills_per_dollar"], row["interval"] or (0.0, 0.0)
        table.add_row(
            row["prompt"],
            str(row["steps"]),
            str(row["episodes"]),
            str(row["failed"]),
            f"{row['kills']:.1f}",
            "unknown" if row["dollars"] is None else f"{row['dollars']:.4f}",
            "" if per is None else f"{per:.1f}",
            "" if per is None else f"{low:.1f} to {high:.1f}",
            f"{100.0 * row['hit_rate']:.0f} %",
        )
    Console(width=100).print(table)


def main(
    model: Annotated[str, typer.Option(help="Which Claude.")] = DEFAULT_MODEL,
    prompt: Annotated[list[str] | None, typer.Option(help="Version; again for more. All.")] = None,
    steps: Annotated[list[int] | None, typer.Option(help="Steps of a decision; 6 and 12.")] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes of each variant.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the first.")] = 0,
    max_steps: Annotated[int, typer.Option(min=1, help="Steps of an episode at most.")] = 900,
    budget: Annotated[float | None, typer.Option(help="Dollars that all may cost.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for all.")] = Path("prompt_study"),
) -> None:
    """Plays all variants on equal seeds and prints kills for a dollar."""
    variants = list(itertools.product(prompt or VERSIONS, steps or (6, 12)))
    rows: list[dict[str, Any]] = []
    with bar(resume=f"Run the same command again to continue in {out}.") as advance:
        for number, (version, length) in enumerate(variants):
            advance(f"prompt {version}, {length} steps", number / len(variants))
            spent = sum(row["dollars"] or 0.0 for row in rows)
            left = None if budget is None else max(budget - spent, 0.0)
            settings = TutorSettings(prompt=version, decision_steps=length, budget=left)
            folder = out / f"prompt_{version}_steps_{length}"
            played = play(
                model, settings, folder, episodes=episodes, seed=seed, max_steps=max_steps
            )
            rows.append(row_of(replace(settings, budget=None), *played))
            with written_whole(out / "study.json") as part:
                part.write_text(json.dumps({"model": model, "rows": rows}, indent=2) + "\n")
    show(rows)


if __name__ == "__main__":
    typer.run(main)
