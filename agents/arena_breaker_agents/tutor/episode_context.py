"""`EpisodeContext`: a tutor's memory of one episode under way in one arena."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_agents.tutor import prompt
from arena_breaker_agents.tutor.decision import Decision


class EpisodeContext:
    """What is still to be played of the last decision, and what led to it.

    Attributes:
        seed: Of the episode.
        decisions: How many were made.
        steps: Steps played.
    """

    def __init__(self, seed: int, *, history: int) -> None:
        """An episode begins.

        Args:
            seed: Of the episode.
            history: Fewest turns of before that a question tells, once there are so many.
        """
        self.seed = seed
        self.decisions = 0
        self.steps = 0
        self._history = history
        self._held: deque[NDArray[np.float32]] = deque()
        self._past: list[str] = []

    @property
    def needs_decision(self) -> bool:
        """Whether the next step needs a new decision."""
        return not self._held

    @property
    def earlier(self) -> Sequence[str]:
        """Turns of before, as a question tells them.

        They grow to twice the fewest before the older half is dropped: a beginning that stays
        the same is found in the cache, one that slides never is.
        """
        return tuple(self._past)

    def hold(self, snapshot: Mapping[str, Any], decision: Decision) -> None:
        """Begins to play a decision.

        Args:
            snapshot: What it was made on.
            decision: What is played.
        """
        self._held = deque(decision.actions())
        self.decisions += 1
        if self._history:
            self._past.append(prompt.earlier(snapshot, decision.to_dict()))
        if len(self._past) > 2 * self._history:
            del self._past[: -self._history]

    def next(self) -> NDArray[np.float32]:
        """The next step's action, (5,)."""
        self.steps += 1
        return self._held.popleft()
