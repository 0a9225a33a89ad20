"""NitroGen at any Gymnasium environment with pixels: what it sees, and how its gamepad plays.

    python examples/nitrogen_any_game.py                       # CartPole, a small untrained model
    python examples/nitrogen_any_game.py --model ng.pt --steps 500

A table between the 25 gamepad numbers and the environment's actions is all that a new game needs.
CartPole's two actions are bound to the left stick; spaces with a ready-made table need not even
that (`nitrogen_adapter.mapping.mapping_for`).
"""

from __future__ import annotations

from typing import Annotated

import gymnasium as gym
import numpy as np
import typer
from gymnasium.wrappers import AddRenderObservation

from nitrogen_adapter import NitroGen
from nitrogen_adapter.inference import LocalPredictor
from nitrogen_adapter.mapping import DiscreteMapping
from nitrogen_adapter.presets import PRESETS

PUSHES = DiscreteMapping([("LEFT",), ("RIGHT",)], name="cart-pole")


def play(predictor: LocalPredictor, *, steps: int, n_action_steps: int, seed: int) -> list[float]:
    """Plays CartPole by its picture and returns the length of each episode.

    Args:
        predictor: Who plays.
        steps: Steps in all.
        n_action_steps: How many of a chunk's actions are played before the next look.
        seed: Of the environment and of the player's noise.
    """
    env = AddRenderObservation(gym.make("CartPole-v1", render_mode="rgb_array"))
    frame, _ = env.reset(seed=seed)
    predictor.reset([0], seed)
    lengths, chunk, since = [0.0], np.empty(0), n_action_steps
    for _ in range(steps):
        if since == n_action_steps:
            chunk, since = PUSHES.unpack(predictor.predict(frame[None], [0])[0]), 0
        frame, _, terminated, truncated, _ = env.step(int(chunk[since]))
        since += 1
        lengths[-1] += 1
        if terminated or truncated:
            frame, _ = env.reset()
            predictor.reset([0], seed + len(lengths))
            lengths.append(0.0)
            since = n_action_steps
    env.close()
    return lengths[:-1]


def main(
    model: Annotated[str, typer.Option(help="A checkpoint, or the name of a preset.")] = "tiny",
    steps: Annotated[int, typer.Option(min=1, help="Steps to play.")] = 300,
    n_action_steps: Annotated[
        int, typer.Option(min=1, max=18, help="Actions before a new look.")
    ] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Of game and noise.")] = 0,
) -> None:
    """Plays CartPole from pixels and says how long the pole stood."""
    loaded = NitroGen.preset(model) if model in PRESETS else NitroGen.from_checkpoint(model)
    for use in PUSHES.table():
        print(f"{use.number} ({use.xbox}): {use.meaning}")
    lengths = play(
        LocalPredictor(loaded, name=model), steps=steps, n_action_steps=n_action_steps, seed=seed
    )
    print(f"{len(lengths)} episodes of {np.mean(lengths):.1f} steps on average")


if __name__ == "__main__":
    typer.run(main)
