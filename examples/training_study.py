"""A study of training: three seeds of PPO on state and on pixels, against who never learned.

    python examples/training_study.py                  # trains, measures, writes data and images
    python examples/training_study.py --redraw         # images and table from what is there

Interrupted, the first command goes on where it stopped. Trainings that lie in the folder, as
OUT/ppo_0 or OUT/pixels_2, are taken as they are, so they may be made side by side beforehand:
`python examples/train_ppo.py --seed 1 --out OUT/ppo_1`. Needs the extras `rl` and `notebooks`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import matplotlib as mpl
import numpy as np
import torch
import train_ppo
import train_ppo_pixels
import typer
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from arena_breaker_agents.registry import make_agent
from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.cli.report import Advance, bar
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.rollout.benchmark import BenchmarkConfig, evaluate
from arena_breaker_gym.sb3.training import CURVE, PPOConfig, train
from arena_breaker_gym.settings import Settings

SEEDS = (0, 1, 2)
EPISODES = 50  # seeded 0 to 49; trainings begin at a million
CONFIGS: Mapping[str, PPOConfig] = {"ppo": train_ppo.CONFIG, "pixels": train_ppo_pixels.CONFIG}
HELD_AGAINST = {"ppo": "scripted", "pixels": "random"}
OPTIONS = {"ppo": "", "pixels": "?sampled=true"}
METRICS = ("kills", "score", "survival_seconds", "waves_cleared", "accuracy")
COLOURS = ("#0072B2", "#D55E00", "#009E73")  # Okabe and Ito's


def trained(kind: str, seed: int, out: Path, advance: Advance) -> dict[str, Any]:
    """The curve of one training, which is done first if needed."""
    folder = out / f"{kind}_{seed}"
    train(
        CONFIGS[kind],
        folder,
        seed=seed,
        watch=lambda words, share: advance(f"{kind}, seed {seed}: {words}", share),
    )
    note: dict[str, Any] = json.loads((folder / CURVE).read_text())
    return note


def measured(name: str, spec: str, out: Path, advance: Advance) -> dict[str, Any]:
    """A row of the table: one agent's episodes from stage 1."""
    terms = BenchmarkConfig(
        episodes=EPISODES,
        settings=Settings(observation="state", pixel_size=84),
        num_envs=EPISODES,
    )
    (row,) = evaluate(
        name,
        lambda: make_agent(spec),
        terms,
        out=out / "measured",
        watch=lambda _, __, now: advance(f"measures {name}", now.share),
    )
    return {word: row[word] for word in ("agent", "episodes", "status", *METRICS)}


def study(out: Path) -> dict[str, Any]:
    """All that the page tells."""
    found: dict[str, Any] = {
        "command": "python examples/training_study.py",
        "engine_version": ENGINE_VERSION,
        "episodes": EPISODES,
        "kinds": {},
    }
    with bar(resume=f"Run the same command again to continue in {out}.") as advance:
        for kind in CONFIGS:
            notes = [trained(kind, seed, out, advance) for seed in SEEDS]
            specs = {HELD_AGAINST[kind]: HELD_AGAINST[kind]} | {
                f"{kind}, seed {seed}": f"sb3:{out / f'{kind}_{seed}'}/model.zip{OPTIONS[kind]}"
                for seed in SEEDS
            }
            found["kinds"][kind] = {
                "recipe": notes[0]["recipe"],
                "trainings": [
                    {
                        name: note[name]
                        for name in ("seed", "steps", "seconds", "cpu_seconds", "curve")
                    }
                    for note in notes
                ],
                "rows": [measured(name, spec, out, advance) for name, spec in specs.items()],
            }
    return found


def smoothed(curve: Sequence[Mapping[str, Any]], name: str, width: int) -> np.ndarray:
    """A curve's column, each value the mean over the episodes of the `width` rows up to it."""
    values = np.array([row[name] * row["episodes"] for row in curve])
    counts = np.array([row["episodes"] for row in curve], dtype=float)
    window = np.ones(width)
    sums = np.convolve(values, window)[: len(values)]
    return sums / np.convolve(counts, window)[: len(counts)]


def draw(found: Mapping[str, Any], path: Path) -> None:
    """A panel for each kind: kills of the episodes played while it learned."""
    figure, panels = plt.subplots(1, 2, figsize=(10.0, 4.0), layout="constrained")
    titles = {"ppo": "from the state", "pixels": "from pixels"}
    for axes, (kind, part) in zip(panels, found["kinds"].items(), strict=True):
        for training, colour in zip(part["trainings"], COLOURS, strict=True):
            steps = [row["steps"] / 1e6 for row in training["curve"]]
            kills = smoothed(training["curve"], "kills", 8)
            axes.plot(steps, kills, color=colour, lw=1.6, label=f"seed {training['seed']}")
        draw_rows(axes, part["rows"], max(steps))
        axes.set(title=titles[kind], xlabel="decisions, millions", ylim=(0.0, None))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, linewidth=0.6)
    panels[0].set_ylabel("kills an episode")
    panels[0].legend(frameon=False, loc="upper left")
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        figure.savefig(part, dpi=130, format="png", metadata={"Software": None})
    plt.close(figure)


def draw_rows(axes: Axes, rows: Sequence[Mapping[str, Any]], right: float) -> None:
    """What was measured afterwards: a band for who never learned, a bar for each seed."""
    other, *learned = rows
    kills = other["kills"]
    axes.axhspan(kills["low"], kills["high"], color="#999999", alpha=0.35, lw=0)
    axes.text(
        right, kills["high"], other["agent"], ha="right", va="bottom", fontsize=9, color="#444444"
    )
    for number, (row, colour) in enumerate(zip(learned, COLOURS, strict=True)):
        kills = row["kills"]
        spread = [[kills["mean"] - kills["low"]], [kills["high"] - kills["mean"]]]
        at = right * (1.05 + 0.03 * number)
        axes.errorbar([at], [kills["mean"]], spread, fmt="o", ms=4, color=colour, capsize=3)


def told(estimate: Mapping[str, float], decimals: int) -> str:
    """An estimate with its interval, as tables have it."""
    return "{mean:.{0}f} [{low:.{0}f}, {high:.{0}f}]".format(decimals, **estimate)


def print_tables(found: Mapping[str, Any]) -> None:
    """The page's tables, in Markdown."""
    print("| player | kills | survival, s | waves cleared | accuracy | training, min | CPU, min |")
    print("|---" * 7 + "|")
    for part in found["kinds"].values():
        times = [("", "")] + [
            (f"{one['seconds'] / 60:.1f}", f"{one['cpu_seconds'] / 60:.1f}")
            for one in part["trainings"]
        ]
        for row, (wall, cpu) in zip(part["rows"], times, strict=True):
            cells = [row["agent"], told(row["kills"], 1), told(row["survival_seconds"], 1)]
            cells += [told(row["waves_cleared"], 2), told(row["accuracy"], 2), wall, cpu]
            print("|", " | ".join(cells), "|")


def main(
    out: Annotated[Path, typer.Option(help="Folder for trainings and episodes.")] = Path(
        "training_study"
    ),
    data: Annotated[Path, typer.Option(help="What came of it, as JSON.")] = Path(
        "docs/data/training.json"
    ),
    image: Annotated[Path, typer.Option(help="The learning curves.")] = Path(
        "docs/images/training_curves.png"
    ),
    threads: Annotated[int, typer.Option(min=1, help="That compute.")] = 2,
    redraw: Annotated[bool, typer.Option("--redraw", help="Only draws the image again.")] = False,
) -> None:
    """Trains what has not been trained, measures, and draws."""
    mpl.use("agg")
    torch.set_num_threads(threads)
    if not redraw:
        found = study(out)
        data.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(data) as part:
            part.write_text(json.dumps(found, indent=1) + "\n")
    found = json.loads(data.read_text())
    draw(found, image)
    print_tables(found)
    print(f"\nFigures: {data}; image: {image}")


if __name__ == "__main__":
    typer.run(main)
