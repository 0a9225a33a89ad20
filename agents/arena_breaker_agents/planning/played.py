"""`Played`: futures that were played in the simulator, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena_breaker_agents.planning.futures import Futures


@dataclass(frozen=True)
class Played:
    """n futures with what each is worth and the actions with which it begins.

    Attributes:
        futures: The futures.
        worth: (n,), more is better.
        actions: (n, hold, 5) float32: those of the first segment.
    """

    futures: Futures
    worth: NDArray[np.float64]
    actions: NDArray[np.float32]

    def best(self, count: int) -> Played:
        """The best of them, best first; among equals the earlier."""
        rows = np.argsort(-self.worth, kind="stable")[:count]
        return Played(self.futures[rows], self.worth[rows], self.actions[rows])

    def then(self, others: Played) -> Played:
        """These, followed by others."""
        return Played(
            self.futures.then(others.futures),
            np.concatenate([self.worth, others.worth]),
            np.concatenate([self.actions, others.actions]),
        )
