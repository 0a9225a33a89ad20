"""Another game from its recording to a model that plays it: docs/finetune.md goes through it.

    python examples/walk_round_a_lake.py record --out runs/lake
    arena-breaker nitrogen posttrain base --labels runs/lake --out runs/walker
    python examples/walk_round_a_lake.py play runs/walker/model.pt

Gymnasium's FrozenLake stands for your game: put in your own environment, its table, and who plays.
Here an elf walks round and round a hole in the ice, and falls in if it is played badly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import gymnasium as gym
import numpy as np
import typer
from gymnasium.wrappers import AddRenderObservation

from nitrogen_adapter import NitroGen
from nitrogen_adapter.data.label_recorder import LabelRecorder
from nitrogen_adapter.inference import LocalPredictor
from nitrogen_adapter.mapping import DiscreteMapping
from nitrogen_adapter.presets import file_of

SIDE = 4  # cells of the path round the hole
LAKE = ("S" * SIDE, *["S" + "H" * (SIDE - 2) + "S"] * (SIDE - 2), "S" * SIDE)
LEFT, DOWN, RIGHT, UP = range(4)  # the game's actions
# The table: for each action, which of the gamepad's numbers say it.
STEPS = DiscreteMapping([("LEFT",), ("DOWN",), ("RIGHT",), ("UP",)], name="frozen-lake")

app = typer.Typer(help="Records and plays a walk round a lake.", add_completion=False)


def game(max_steps: int) -> gym.Env[int, int]:
    """The game, with pictures and an end."""
    return gym.make(
        "FrozenLake-v1",
        desc=LAKE,
        is_slippery=False,
        render_mode="rgb_array",
        max_episode_steps=max_steps,
    )


def walker(cell: int) -> int:
    """The way on round the lake, clockwise, from a cell's number."""
    row, column = divmod(cell, SIDE)
    if row == 0 and column < SIDE - 1:
        return RIGHT
    if column == SIDE - 1 and row < SIDE - 1:
        return DOWN
    return LEFT if row == SIDE - 1 and column > 0 else UP


@app.command()
def record(
    out: Annotated[Path, typer.Option(help="Folder for the labels.")],
    episodes: Annotated[int, typer.Option(min=1, help="Episodes to record.")] = 20,
    max_steps: Annotated[int, typer.Option(min=1, help="Steps of an episode.")] = 100,
) -> None:
    """Plays the game well and keeps pictures and actions as labels."""
    env = LabelRecorder(game(max_steps), out, STEPS)
    for seed in range(episodes):
        cell, _ = env.reset(seed=seed)
        over = False
        while not over:
            cell, _, terminated, truncated, _ = env.step(walker(int(cell)))
            over = terminated or truncated
    env.close()
    print(f"{episodes} episodes: {out}")


@app.command()
def play(
    model: Annotated[str, typer.Argument(help="A checkpoint, or a preset's name.")],
    episodes: Annotated[int, typer.Option(min=1, help="Episodes to play.")] = 10,
    max_steps: Annotated[int, typer.Option(min=1, help="Steps of an episode.")] = 100,
    n_action_steps: Annotated[
        int, typer.Option(min=1, max=18, help="Actions before a new look.")
    ] = 3,
) -> None:
    """Lets a model play by the picture alone and says how far it goes before it falls in."""
    file = file_of(model)
    loaded = NitroGen.preset(model) if file is None else NitroGen.from_checkpoint(file)
    predictor = LocalPredictor(loaded, name=model)
    env = AddRenderObservation(game(max_steps))
    walks = [_walk(env, predictor, n_action_steps, 1000 + episode) for episode in range(episodes)]
    dry = sum(in_time for _, in_time in walks)
    print(
        f"{np.mean([steps for steps, _ in walks]):.1f} cells round the lake on average, "
        f"dry after {max_steps} steps in {dry} of {episodes} episodes"
    )


def _walk(
    env: gym.Env[np.ndarray, int], predictor: LocalPredictor, n_action_steps: int, seed: int
) -> tuple[int, bool]:
    """Cells that a model walks the right way round, and whether it is dry at the end."""
    frame, _ = env.reset(seed=seed)
    predictor.reset([0], seed)
    cells = 0
    while True:
        chunk = STEPS.unpack(predictor.predict(frame[None], [0])[0])
        for action in chunk[:n_action_steps]:
            cells += int(action) == walker(env.unwrapped.s)
            frame, _, terminated, truncated, _ = env.step(int(action))
            if terminated or truncated:
                return cells, not terminated


if __name__ == "__main__":
    app()
