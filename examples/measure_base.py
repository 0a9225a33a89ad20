"""Measures the shipped base in every skin, and writes its model card, data and picture.

    python examples/measure_base.py --curve runs/base/metrics.jsonl   # some minutes

The card is `nitrogen_adapter/weights/README.md`; its tables are between markers and made here.
"""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Annotated, Any

import typer

from arena_breaker_agents.expert import ExpertAgent
from arena_breaker_agents.nitrogen import NitroGenPolicy
from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.cli.report import bar
from arena_breaker_gym.distillation.pretraining import (
    HELD_OUT_SKINS,
    SEEN_BEFORE,
    SEEN_SKINS,
    PretrainingConfig,
)
from arena_breaker_gym.report.table import markdown_table, put_between_markers
from arena_breaker_gym.rollout import Agent, rollout
from arena_breaker_gym.rollout.metrics import Row, row_of
from arena_breaker_gym.settings import Settings
from nitrogen_adapter import checkpoint
from nitrogen_adapter.inference import LocalPredictor
from nitrogen_adapter.presets import SHIPPED
from nitrogen_adapter.training.trainer import bfloat16_is_faster

CARD = Path("nitrogen_adapter/weights/README.md")
DATA = Path("docs/data/base.json")
PICTURE = Path("docs/images/base_curve.png")
SEED = 1000  # of the first episode

SHOWN = ("kills", "survival_seconds", "first_wave_cleared", "dashes", "accuracy")


def student() -> NitroGenPolicy:
    """The base at play, as in the bootcamp."""
    model = checkpoint.load(SHIPPED["base"])
    predictor = LocalPredictor(model, quiet=True, autocast=bfloat16_is_faster("cpu"))
    return NitroGenPolicy(predictor, name="base", n_action_steps=3)


def measured(agent: Agent, skin: str, episodes: int) -> Row:
    """A row: the agent in a skin, from stage 1."""
    settings = Settings(skin=skin, pixel_size=96)
    games = rollout(agent, episodes=episodes, seed=SEED, num_envs=episodes, env=settings)
    return {**row_of(agent.name, games), "skin": skin}


def curve(path: Path) -> list[dict[str, Any]]:
    """The evaluations and losses noted while the base was made, in this folder and before it."""
    lines = [
        _with_skin_named(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()
    ]
    first = min(one["step"] for one in lines)
    if first <= PretrainingConfig().steps_a_round:  # it began from nothing
        return lines
    before = json.loads(DATA.read_text(encoding="utf-8"))["training"]
    return [one for one in before if one["step"] < first] + lines


def _with_skin_named(line: dict[str, Any]) -> dict[str, Any]:
    """A line of the metrics, which hold numbers alone, with its skin named."""
    if line["kind"] != "play" or isinstance(line["skin"], str):
        return line
    return {**line, "skin": SEEN_SKINS[int(line["skin"])]}


def draw(lines: list[dict[str, Any]]) -> None:
    """The loss of each round and the kills of each evaluation, by examples."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    batch = PretrainingConfig().training.batch_size
    figure, axes = pyplot.subplots(figsize=(7, 3.5), dpi=120)
    trained = [one for one in lines if one["kind"] == "train"]
    axes.plot(
        [one["step"] * batch / 1e6 for one in trained], [one["loss"] for one in trained], ".-"
    )
    axes.set_xlabel("million examples")
    axes.set_ylabel("loss, mean of a round")
    axes.grid(alpha=0.25, linewidth=0.6)
    played = [one for one in lines if one["kind"] == "play"]
    if played:
        right = axes.twinx()
        right.plot(
            [one["step"] * batch / 1e6 for one in played],
            [one["kills"] for one in played],
            "o",
            color="#c0392b",
        )
        for one in played:  # skins take turns, and are not equally hard
            place = (one["step"] * batch / 1e6, one["kills"])
            right.annotate(
                one["skin"],
                place,
                textcoords="offset points",
                xytext=(-6, 0),
                ha="right",
                va="center",
                color="#c0392b",
                fontsize=8,
            )
        right.set_ylabel("kills on a seen skin", color="#c0392b")
        right.set_ylim(0, 1.15 * max(one["kills"] for one in played))
    figure.tight_layout()
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(PICTURE) as part:
        figure.savefig(part, format="png")


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    words = {"skin": [row["skin"] for row in rows], "": [_kind(row) for row in rows]}
    return markdown_table(rows, SHOWN, before=words)


def _kind(row: Row) -> str:
    if row["agent"] == "expert":
        return "expert"
    if row["skin"] in SEEN_BEFORE:
        return "seen before"
    return "seen" if row["skin"] in SEEN_SKINS else "held out"


def facts(lines: list[dict[str, Any]]) -> str:
    """What it was made of, as Markdown."""
    trained = [one for one in lines if one["kind"] == "train"]
    digest = hashlib.sha256(SHIPPED["base"].read_bytes()).hexdigest()
    hours = trained[-1]["training_seconds"] / 3600 if trained else 0.0
    samples = trained[-1]["samples"] / 1e6 if trained else 0.0
    config = PretrainingConfig()
    return "\n".join(
        [
            f"- Examples: {samples:.2f} million, in {hours:.1f} hours of training on one or two "
            "threads, play and labels not counted.",
            f"- Seen skins: {', '.join(SEEN_SKINS)}; earlier also {', '.join(SEEN_BEFORE)}. "
            f"Held out: {', '.join(HELD_OUT_SKINS)}.",
            f"- Seed {config.seed}; {config.training.batch_size} examples a step; learning rate "
            f"{config.training.learning_rate:g}, {config.training.schedule}.",
            f"- SHA-256 of `base.safetensors`: `{digest}`.",
        ]
    )


def main(
    metrics: Annotated[
        Path | None,
        typer.Option("--curve", help="metrics.jsonl of the folder that the base was made in."),
    ] = None,
    episodes: Annotated[int, typer.Option(min=2, help="For each skin.")] = 100,
) -> None:
    """Measures, and writes card, data and picture."""
    lines = curve(metrics) if metrics else json.loads(DATA.read_text())["training"]
    rows = []
    chosen = [*SEEN_SKINS, *SEEN_BEFORE, *HELD_OUT_SKINS]
    with bar(resume="Nothing is kept until all skins are measured.") as advance:
        for number, skin in enumerate(chosen):
            advance(f"{skin} is measured", number / len(chosen))
            rows.append(measured(student(), skin, episodes))
        rows.append(measured(ExpertAgent(), "default", episodes))
    draw(lines)
    data = {"rows": rows, "training": lines, "machine": platform.machine()}
    with written_whole(DATA) as part:
        part.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    text = put_between_markers(CARD.read_text(encoding="utf-8"), "facts", facts(lines))
    with written_whole(CARD) as part:
        part.write_text(put_between_markers(text, "skill", table(rows)), encoding="utf-8")
    print(f"Card: {CARD}\nData: {DATA}\nPicture: {PICTURE}")


if __name__ == "__main__":
    typer.run(main)
