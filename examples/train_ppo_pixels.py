"""PPO learns Arena Breaker from pixels alone.

    python examples/train_ppo_pixels.py --out runs/pixels     # killed, it goes on when run again
    arena-breaker benchmark random "sb3:runs/pixels/model.zip?sampled=true" --pixel-size 84

The policy sees frames of 84 × 84 pixels, halved, five times a second, and chooses along which
headings to walk or dash and to shoot; nothing helps it to aim. Hits are rewarded, so that aiming
pays before it kills. docs/training.md says what came of it. Needs the extra `rl`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from arena_breaker_gym.cli.report import bar
from arena_breaker_gym.sb3.training import PPOConfig, train
from arena_breaker_gym.wrappers import PreprocessingConfig

CONFIG = PPOConfig(
    preprocessing=PreprocessingConfig(headings=8, aims=16, shrink=2),
    settings={
        "observation": "pixels",
        "pixel_size": 84,
        "frame_skip": 12,  # the gun fires every 11 ticks: about a shot a decision
        "reward": {"score": 0.1, "damage": -0.2, "hits": 0.2},
    },
    max_episode_steps=600,  # of 12 ticks: the standard 120 s
    policy="CnnPolicy",
    features_extractor="SmallCNN",
    net_arch=(64,),
    num_envs=128,
    n_steps=16,
    batch_size=256,
    n_epochs=3,
    learning_rate=1e-3,
    entropy=0.01,
    gamma=0.95,  # few samples: credit is kept to what an action did within some 4 s
    gae_lambda=0.9,
    steps=600_000,
)


def main(
    out: Annotated[Path, typer.Option(help="Folder for policy, curve and checkpoint.")] = Path(
        "runs/pixels"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Of networks, choices and games.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Decisions in all.")] = CONFIG.steps,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Ends earlier, the schedules too.")
    ] = None,
    num_envs: Annotated[int, typer.Option(min=1, help="Arenas side by side.")] = CONFIG.num_envs,
    threads: Annotated[int, typer.Option(min=1, help="That compute.")] = 2,
) -> None:
    """Trains the policy, or goes on with what lies in the folder."""
    torch.set_num_threads(threads)
    config = replace(CONFIG, steps=steps, num_envs=num_envs)
    with bar(resume=f"Run the same command again to continue in {out}.") as advance:
        model = train(config, out, seed=seed, minutes=minutes, num_threads=threads, watch=advance)
    agent = f'"sb3:{model}?sampled=true"'
    print(f"Policy: {model}\nMeasure it: arena-breaker benchmark random {agent} --pixel-size 84")


if __name__ == "__main__":
    typer.run(main)
