"""Takes a bootcamp's results into docs: data, the tables of bootcamp.md, and README's film.

    arena-breaker bootcamp --out runs/alone
    arena-breaker bootcamp --out runs/bootcamp --dagger 30
    python examples/write_bootcamp_page.py runs/bootcamp --alone runs/alone

The second folder says what the article's experiment alone takes, with nothing else at work; where
it is not given, what was measured last stands. The film is of one seed: the student before
post-training beside itself after, where it makes its median number of kills with the fix.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.bootcamp.page import verdict_of
from arena_breaker_gym.bootcamp.plan import POST_TRAINED, ZERO_SHOT
from arena_breaker_gym.report.table import markdown_table, put_between_markers
from arena_breaker_gym.rollout.benchmark import store_of
from arena_breaker_gym.rollout.metrics import Row
from arena_breaker_gym.rollout.replay import Layers
from arena_breaker_gym.rollout.results import Results
from arena_breaker_gym.rollout.video import export_side_by_side
from nitrogen_adapter.training.trainer import bfloat16_is_faster

PAGE = Path("docs/bootcamp.md")
DATA = Path("docs/data/bootcamp.json")
FILM = Path("docs/images/payoff.gif")
SHOWN = (
    "kills",
    "aim_magnitude",
    "score",
    "first_wave_cleared",
    "dashes",
    "survival_seconds",
    "accuracy",
)


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    words = {
        "agent": [row["agent"] for row in rows],
        "stage": [str(row["stage"]) for row in rows],
        "point-blank": ["fix" if row["point_blank_fix"] else "bug" for row in rows],
    }
    return markdown_table(rows, SHOWN, before=words)


def facts(results: Results, dataset: dict[str, Any], alone: Mapping[str, float] | None) -> str:
    """Data, time and machine, as Markdown."""
    precision = "bfloat16" if bfloat16_is_faster("cpu") else "float32"
    time = taken(results.timings_s)
    if alone is not None:
        time = f"Without DAgger, undisturbed: {taken(alone)}"
    own = int(results.settings["practice"])
    return (
        f"{dataset['kept']:,} examples of {dataset['moments']:,} moments of the tutor (the "
        f"article: 3,276), and {own:,} of the student's own practice. "
        f"{time} on {platform.machine()} in {precision}, two cores."
    )


def taken(timings: Mapping[str, float]) -> str:
    """How long a run and its parts took."""
    parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in timings.items())
    return f"{sum(timings.values()):.0f} s in all ({parts})"


def undisturbed(alone: Path | None) -> Mapping[str, float] | None:
    """How long the parts of a run took that had the machine to itself; None if none ever had."""
    if alone is not None:
        return Results.load(alone).timings_s
    known: dict[str, float] | None = json.loads(DATA.read_text(encoding="utf-8")).get("alone_s")
    return known


def film(folder: Path, episodes: int) -> None:
    """README's film."""
    before, after = (
        store_of(folder / "evaluation/fix", name, stage=1) for name in (ZERO_SHOT, POST_TRAINED)
    )
    kills = sorted((after.load(index).metrics["kills"], index) for index in range(episodes))
    _, index = kills[episodes // 2]
    export_side_by_side(
        [before.load(index), after.load(index)],
        FILM,
        labels=["zero-shot, kills {kills}", "post-trained, kills {kills}"],
        size=240,
        layers=Layers(hud=False, gamepad=True, caption=True),
        speed=2.0,
        fps=10.0,
    )


def main(
    folder: Annotated[Path, typer.Argument(help="Of a bootcamp that has been run.")],
    *,
    alone: Annotated[
        Path | None,
        typer.Option(
            help="Of the same one without DAgger, for its time. Default: what was measured last."
        ),
    ] = None,
) -> None:
    """Writes data and page."""
    results = Results.load(folder)
    time_alone = undisturbed(alone)
    dataset = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    with written_whole(DATA) as part:
        kept = {**results.to_dict(), "dataset": dataset}
        if time_alone is not None:
            kept["alone_s"] = dict(time_alone)
        part.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    text = put_between_markers(text, "facts", facts(results, dataset, time_alone))
    text = put_between_markers(
        text, "verdict", "\n".join(f"- {one}" for one in verdict_of(results.rows))
    )
    text = put_between_markers(text, "rows", table(list(results.rows)))
    with written_whole(PAGE) as part:
        part.write_text(text, encoding="utf-8")
    film(folder, int(results.settings["evaluations"]))
    print(f"Page: {PAGE}\nData: {DATA}\nFilm: {FILM}")


if __name__ == "__main__":
    typer.run(main)
