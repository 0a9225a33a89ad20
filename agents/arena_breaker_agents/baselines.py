"""`IdleAgent` and `RandomAgent`: the floor under every comparison, and the yardstick for chance."""

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


# The game draws its keys from a generator seeded with the bare seed; the agent's is another.
_STREAM = 1


class RandomAgent:
    """Draws every number uniformly from [-1, 1]; dash, pressed above 0.5, a quarter of the time."""

    name = "random"
    needs = ()

    def __init__(self) -> None:
        """Makes an agent that has met no arena yet."""
        self._generators: dict[int, np.random.Generator] = {}

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """Seeds the generator of each of these arenas; None takes fresh entropy."""
        for arena in arenas:
            entropy = None if seed is None else (seed, _STREAM)
            self._generators[arena] = np.random.default_rng(entropy)

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.float32]:
        """A draw for each arena from its own generator, (n, 5)."""
        draws = [self._generators[arena].uniform(-1.0, 1.0, 5) for arena in arenas]
        return np.array(draws, dtype=np.float32)

    def close(self) -> None:
        """Holds nothing that needs closing."""
