"""Trains the shipped expert: PPO on what one frame shows, with actions that slip.

    python examples/train_expert.py --out runs/expert        # killed, it goes on when run again
    arena-breaker benchmark scripted expert                   # the shipped one

Two things make it a teacher that can be imitated from pixels, beside `train_ppo.py`, whose config
this otherwise is. It never sees a velocity or hit points, which one frame does not show (a student
that cannot see what its teacher acts on learns an average of its actions). And its actions slip
while it learns, so that it keeps distances from which a mistake does no harm. The model card says
more: agents/arena_breaker_agents/expert_policy/README.md. Needs the extra `rl`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from train_ppo import CONFIG as PLAIN

from arena_breaker_agents.expert import export_policy
from arena_breaker_gym.cli.report import bar
from arena_breaker_gym.sb3.training import train
from arena_breaker_gym.wrappers import ActionNoise

CONFIG = replace(
    PLAIN,
    preprocessing=replace(PLAIN.preprocessing, single_frame=True),
    action_noise=ActionNoise(move=0.04, dash=0.03, aim=0.12),
    steps=4_000_000,
)


def main(
    out: Annotated[Path, typer.Option(help="Folder for policy, curve and checkpoint.")] = Path(
        "runs/expert"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Of networks, choices and games.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Decisions in all.")] = CONFIG.steps,
    threads: Annotated[int, typer.Option(min=1, help="That compute.")] = 2,
) -> None:
    """Trains the policy, or goes on with what lies in the folder."""
    torch.set_num_threads(threads)
    with bar(resume=f"Run the same command again to continue in {out}.") as advance:
        config = replace(CONFIG, steps=steps)
        model = train(config, out, seed=seed, num_threads=threads, watch=advance)
    policy = out / "expert.npz"
    export_policy(model, policy)
    print(f"Policy: {policy}\nMeasure it: arena-breaker benchmark scripted expert:{policy}")


if __name__ == "__main__":
    typer.run(main)
