"""`Substitution`: one agent plays, but some channels of its actions are another's.

To see what limits a student, give it its tutor's move, aim or dash, one at a time, and look at how
much better it plays.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.rollout.agent import Agent, Observations, RunAware
from arena_breaker_gym.rollout.episode import Plan

CHANNELS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"move": (0, 1), "aim": (2, 3), "dash": (4,)}
)
"""The numbers of an action that belong together."""


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
