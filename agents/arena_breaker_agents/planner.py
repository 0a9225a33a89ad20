"""`PlannerAgent`: plays many futures in the simulator itself before it moves."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from arena_breaker_agents.planning import Futures, PlannerOptions, Search
from arena_breaker_gym.rollout.agent import Observations
from arena_breaker_gym.rollout.plan import Plan

# The game draws its keys from a generator seeded with the bare seed; the planner's is another.
_STREAM = 2


class PlannerAgent:
    """Knows the whole state and the rules, so it is a measure and a tutor, no fair opponent.

    It plays candidate futures of held moves to its horizon, each with the gun on the nearest
    target, and plays the first actions of the best; then it plans again.
    """

    needs = ("saved",)

    def __init__(self, options: PlannerOptions | None = None) -> None:
        """Prepares a planner that knows no game yet.

        Args:
            options: How far it looks, and at how many futures; None: the defaults.
        """
        self.options = options or PlannerOptions()
        usual = self.options == PlannerOptions()
        self.name = "planner" if usual else f"planner, {self.options.name}"
        self._search: Search | None = None
        self._generators: dict[int, np.random.Generator] = {}
        self._last: dict[int, Futures] = {}
        self._ahead: dict[int, deque[NDArray[np.float32]]] = {}
        self._looked: frozenset[int] = frozenset()

    @classmethod
    def from_source(cls, text: str = "") -> Self:
        """A planner from what a command line says: "?horizon=24&candidates=32".

        Raises:
            ValueError: If an option is unknown or not allowed.
        """
        return cls(PlannerOptions.parsed(text))

    def prepare(self, plan: Plan, folder: Path | None, *, episodes: int) -> None:
        """A rollout begins: learns the stages, the frame skip and all other settings.

        Args:
            plan: What is to be played.
            folder: Not used; nothing is kept.
            episodes: Not used.
        """
        self._search = Search(plan.settings, self.options)

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """Forgets its plans in these arenas and seeds the generator of each."""
        for arena in arenas:
            entropy = None if seed is None else (seed, _STREAM)
            self._generators[arena] = np.random.default_rng(entropy)
            self._ahead[arena] = deque()
            self._last.pop(arena, None)

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.float32]:
        """One action for each arena, (n, 5); plans where the last plan's actions are played.

        Raises:
            ValueError: If no rollout has told it the game.
        """
        looked = [arena for arena in arenas if not self._ahead[arena]]
        for arena, state in zip(arenas, observations.saved, strict=True):
            if not self._ahead[arena]:
                self._plan(arena, state)
        self._looked = frozenset(looked)
        return np.array([self._ahead[arena].popleft() for arena in arenas], dtype=np.float32)

    def was_queried(self, arenas: Sequence[int]) -> list[bool]:
        """In which of these arenas the last `act` planned again."""
        return [arena in self._looked for arena in arenas]

    def close(self) -> None:
        """Lets go of the arenas that it plays its futures in."""
        self._search = None

    def _plan(self, arena: int, state: bytes) -> None:
        if self._search is None:
            raise ValueError("The planner plays under `rollout`, which tells it the game first.")
        best = self._search.best(state, self._last.get(arena), self._generators[arena])
        self._last[arena] = best.futures
        self._ahead[arena].extend(best.actions[0])
