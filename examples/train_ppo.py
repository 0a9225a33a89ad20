"""PPO learns Arena Breaker from the state and plays better than the hand-written player.

    python examples/train_ppo.py --out runs/ppo               # killed, it goes on when run again
    arena-breaker benchmark scripted sb3:runs/ppo/model.zip   # who kills more?

The native batch steps 256 arenas in one call; the policy sees the vector of `FeatureExtractor`
ten times a second and chooses where to walk or dash and which target to shoot.
docs/training.md says what came of it. Needs the extra `rl`.
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
    preprocessing=PreprocessingConfig(senses=True, headings=16, targets=4),
    # Rewards are small, so that returns of 50 kills do not swamp the value's loss.
    settings={"observation": "state", "frame_skip": 6, "reward": {"score": 0.02, "damage": -0.4}},
    max_episode_steps=1200,  # of 6 ticks: the standard 120 s
    net_arch=(256, 128),
    num_envs=256,
    n_steps=32,
    batch_size=512,
    n_epochs=4,
    learning_rate=1e-3,
    entropy=0.01,
    gamma=0.99,
    steps=1_000_000,
)


def main(
    out: Annotated[Path, typer.Option(help="Folder for policy, curve and checkpoint.")] = Path(
        "runs/ppo"
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
    print(f"Policy: {model}\nMeasure it: arena-breaker benchmark scripted sb3:{model}")


if __name__ == "__main__":
    typer.run(main)
