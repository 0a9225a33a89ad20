"""`IdleAgent`: touches nothing; the floor under every comparison."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.rollout.agent import Observations


class IdleAgent:
    """Leaves both sticks at rest and never dashes."""

    name = "idle"
    needs = ()

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """Has nothing to forget."""

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.float32]:
        """Zeros, (n, 5)."""
        return np.zeros((len(arenas), 5), dtype=np.float32)

    def close(self) -> None:
        """Holds nothing that needs closing."""
