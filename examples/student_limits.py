"""What limits a student: it plays with its tutor's move, aim or dash in place of its own.

    python examples/student_limits.py nitrogen_adapter/weights/base.safetensors --skin blueprint
    python examples/student_limits.py runs/alone/training/post_trained/model.pt --page

A row a substitution: where the tutor's channel helps most, the student is weakest. `--page` puts
the rows into docs/bootcamp.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from arena_breaker_agents.expert import ExpertAgent
from arena_breaker_agents.nitrogen import NitroGenPolicy
from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.cli.report import bar, print_json, print_table
from arena_breaker_gym.report.table import markdown_table, put_between_markers
from arena_breaker_gym.rollout import rollout
from arena_breaker_gym.rollout.agent import Agent, Observations, RunAware
from arena_breaker_gym.rollout.episode import Plan
from arena_breaker_gym.rollout.metrics import Row, row_of
from arena_breaker_gym.settings import Settings
from nitrogen_adapter import checkpoint
from nitrogen_adapter.inference import LocalPredictor
from nitrogen_adapter.training.trainer import bfloat16_is_faster

SEED = 1000  # of the first episode
PAGE = Path("docs/bootcamp.md")
SHOWN = ("kills", "survival_seconds", "first_wave_cleared", "dashes", "accuracy")
# The numbers of an action that belong together.
CHANNELS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"move": (0, 1), "aim": (2, 3), "dash": (4,)}
)


class Substitution:
    """Plays as one agent, with some channels of another."""

    def __init__(self, player: Agent, other: Agent, channels: Sequence[str]) -> None:
        """Takes over both agents.

        Args:
            player: Who plays.
            other: Whose channels are taken instead.
            channels: Names of `CHANNELS`.

        Raises:
            ValueError: If there is no such channel.
        """
        for channel in channels:
            if channel not in CHANNELS:
                raise ValueError(
                    f"There is no channel {channel!r}; expected one of {', '.join(CHANNELS)}."
                )
        self.needs = tuple(dict.fromkeys([*player.needs, *other.needs]))
        told = f" with {other.name}'s {' and '.join(channels)}" if channels else ""
        self.name = f"{player.name}{told}"
        self._both = (player, other)
        self._taken = [number for channel in channels for number in CHANNELS[channel]]

    def prepare(self, plan: Plan, folder: Path | None, *, episodes: int) -> None:
        """Lets both fit themselves to the game that is to be played."""
        for one in self._both:
            if isinstance(one, RunAware):
                one.prepare(plan, folder, episodes=episodes)

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """Begins an episode for both."""
        for one in self._both:
            one.reset(arenas, seed)

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.float32]:
        """One action for each arena, (n, 5)."""
        own, other = (np.array(one.act(observations, arenas)) for one in self._both)
        own[:, self._taken] = other[:, self._taken]
        return own

    def close(self) -> None:
        """Lets go of both."""
        for one in self._both:
            one.close()


def measured(student: Path, channels: tuple[str, ...], *, skin: str, episodes: int) -> Row:
    """A row: the student with the expert's channels."""
    mixed = bfloat16_is_faster("cpu")
    predictor = LocalPredictor(checkpoint.load(student), quiet=True, autocast=mixed)
    player = NitroGenPolicy(predictor, name="student", n_action_steps=3)
    agent = Substitution(player, ExpertAgent(), channels)
    settings = Settings(skin=skin, pixel_size=predictor.model.config.vision.image_size)
    games = rollout(agent, episodes=episodes, seed=SEED, num_envs=episodes, env=settings)
    return row_of(agent.name, games)


def put_on_page(rows: Sequence[Row]) -> None:
    """Writes the rows between the page's markers."""
    table = markdown_table(rows, SHOWN, before={"agent": [row["agent"] for row in rows]})
    text = put_between_markers(PAGE.read_text(encoding="utf-8"), "limits", table)
    with written_whole(PAGE) as part:
        part.write_text(text, encoding="utf-8")


def main(
    student: Annotated[Path, typer.Argument(help="Its checkpoint.")],
    *,
    skin: Annotated[str, typer.Option(help="Looks of the game.")] = "default",
    episodes: Annotated[int, typer.Option(min=2, help="For each row.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
    page: Annotated[bool, typer.Option("--page", help="Write them into the page, too.")] = False,
) -> None:
    """Measures and prints."""
    pairs = itertools.combinations(CHANNELS, 2)
    chosen: list[tuple[str, ...]] = [(), *((name,) for name in CHANNELS), *pairs]
    rows = []
    with bar(resume="Nothing is kept until all are measured.") as advance:
        for place, channels in enumerate(chosen):
            advance(" and ".join(channels) or "the student alone", place / len(chosen))
            rows.append(measured(student, channels, skin=skin, episodes=episodes))
    if page:
        put_on_page(rows)
    if json:
        print_json(rows)
    else:
        print_table(rows)


if __name__ == "__main__":
    typer.run(main)
