"""`ActionNoise`: actions that now and then slip, for policies that must forgive mistakes.

A policy trained with it keeps distances from which a slip does no harm, which makes it a better
teacher: a student that imitates it slips all the time.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class ActionNoise:
    """How actions slip.

    Attributes:
        move: Share of steps, in [0, 1], whose move goes along a random heading.
        dash: Share of steps, in [0, 1], whose dash button is flipped.
        aim: Standard deviation in radians of the angle that the aim stick is turned by.

    Raises:
        ValueError: If a value is out of range.
    """

    move: float = 0.0
    dash: float = 0.0
    aim: float = 0.0

    def __post_init__(self) -> None:
        """Checks every value."""
        for name, most in (("move", 1.0), ("dash", 1.0), ("aim", np.inf)):
            value = getattr(self, name)
            if not 0.0 <= value <= most:
                raise ValueError(f"{name} must be from 0 to {most:g}, got {value!r}.")

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> Self:
        """Reads what `to_dict` gave.

        Raises:
            TypeError: If a name is unknown.
        """
        return cls(**values)

    def to_dict(self) -> dict[str, float]:
        """Plain JSON values."""
        return asdict(self)

    def applied(
        self, actions: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Copies of (n, 5) actions, some of which have slipped."""
        count, slipped = len(actions), actions.copy()
        lost = rng.random(count) < self.move
        heading = rng.uniform(0.0, 2.0 * np.pi, count)[lost]
        slipped[lost, 0], slipped[lost, 1] = np.cos(heading), np.sin(heading)
        flipped = rng.random(count) < self.dash
        slipped[flipped, 4] = 1.0 - slipped[flipped, 4]
        turn = rng.normal(0.0, self.aim, count)
        cosine, sine = np.cos(turn), np.sin(turn)
        slipped[:, 2] = cosine * actions[:, 2] - sine * actions[:, 3]
        slipped[:, 3] = sine * actions[:, 2] + cosine * actions[:, 3]
        return slipped


class ActionNoiseVectorEnv(gym.vector.VectorWrapper):
    """A batch of Arena Breakers in which actions slip; `reset(seed=)` also seeds the slips."""

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any], noise: ActionNoise) -> None:
        """Wraps a batch whose actions are five numbers."""
        super().__init__(env)
        self.noise = noise
        self._rng = np.random.default_rng()

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins episodes; see `ArenaBreakerVectorEnv.reset`."""
        if seed is not None:
            first = seed if isinstance(seed, int | np.integer) else seed[0]
            self._rng = np.random.default_rng(first)
        return self.env.reset(seed=seed, options=options)

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Plays (n, 5) actions, slips included, for one step of every arena."""
        return self.env.step(self.noise.applied(actions, self._rng))
