"""Episodes of another Gymnasium environment as NitroGen's labels: frames, and what the gamepad did.

    python examples/record_any_game.py --out runs/car

MountainCar, played by one line of arithmetic, stands for your game; put in your own environment,
its table and who plays it. docs/finetune.md goes on from here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import gymnasium as gym
import numpy as np
import typer
from numpy.typing import NDArray

from nitrogen_adapter.data.label_recorder import LabelRecorder
from nitrogen_adapter.mapping import DiscreteMapping

# One entry an action: the gamepad's numbers that say it.
PEDALS = DiscreteMapping([("LEFT",), (), ("RIGHT",)], name="mountain-car")


def player(observation: NDArray[np.float32]) -> int:
    """Drives the way the car rolls already, 0 left and 2 right, so that it swings ever higher."""
    _, velocity = observation
    return 2 if velocity > 0.0 else 0


def main(
    out: Annotated[Path, typer.Option(help="Folder for the labels.")],
    episodes: Annotated[int, typer.Option(min=1, help="Episodes to record.")] = 20,
    max_steps: Annotated[int, typer.Option(min=1, help="Steps after which one ends.")] = 200,
    frame_size: Annotated[int, typer.Option(min=32, help="Side of the frames, pixels.")] = 256,
) -> None:
    """Records MountainCar."""
    game = gym.make("MountainCar-v0", render_mode="rgb_array", max_episode_steps=max_steps)
    env = LabelRecorder(game, out, PEDALS, frame_size=frame_size)
    for seed in range(episodes):
        observation, _ = env.reset(seed=seed)
        over = False
        while not over:
            observation, _, terminated, truncated, _ = env.step(player(observation))
            over = terminated or truncated
    env.close()
    print(f"{episodes} episodes: {out}")


if __name__ == "__main__":
    typer.run(main)
