"""What limits a student: it plays with its tutor's move, aim or dash in place of its own.

    python examples/student_limits.py nitrogen_adapter/weights/base.safetensors --skin blueprint

A row a substitution: where the tutor's channel helps most, the student is weakest.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import typer

from arena_breaker_agents.expert import ExpertAgent
from arena_breaker_agents.nitrogen import NitroGenPolicy
from arena_breaker_agents.substitution import CHANNELS, Substitution
from arena_breaker_gym.cli.report import bar, print_json, print_table
from arena_breaker_gym.rollout import rollout
from arena_breaker_gym.rollout.metrics import Row, row_of
from arena_breaker_gym.settings import Settings
from nitrogen_adapter import checkpoint
from nitrogen_adapter.inference import LocalPredictor

SEED = 1000  # of the first episode


def measured(student: Path, channels: tuple[str, ...], *, skin: str, episodes: int) -> Row:
    """A row: the student with the expert's channels."""
    predictor = LocalPredictor(checkpoint.load(student), quiet=True)
    player = NitroGenPolicy(predictor, name="student", n_action_steps=3)
    agent = Substitution(player, ExpertAgent(), channels)
    settings = Settings(skin=skin, pixel_size=predictor.model.config.vision.image_size)
    games = rollout(agent, episodes=episodes, seed=SEED, num_envs=episodes, env=settings)
    return row_of(agent.name, games)


def main(
    student: Annotated[Path, typer.Argument(help="Its checkpoint.")],
    *,
    skin: Annotated[str, typer.Option(help="Looks of the game.")] = "default",
    episodes: Annotated[int, typer.Option(min=2, help="For each row.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Measures and prints."""
    pairs = itertools.combinations(CHANNELS, 2)
    chosen: list[tuple[str, ...]] = [(), *((name,) for name in CHANNELS), *pairs]
    rows = []
    with bar(resume="Nothing is kept until all are measured.") as advance:
        for place, channels in enumerate(chosen):
            advance(" and ".join(channels) or "the student alone", place / len(chosen))
            rows.append(measured(student, channels, skin=skin, episodes=episodes))
    if json:
        print_json(rows)
    else:
        print_table(rows)


if __name__ == "__main__":
    typer.run(main)
