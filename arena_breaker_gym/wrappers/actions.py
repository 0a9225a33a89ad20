"""Other actions: `ActionNoise`, and `DiscreteActions`, a few buttons instead of five numbers.

Of the buttons one choice moves: a walk or a dash along one of some headings, or a rest. The other
aims: at one of the best targets (the aim assist, which needs the state), or along a heading.

Noise lets actions slip now and then, for policies that must forgive mistakes.

A policy trained with it keeps distances from which a slip does no harm, which makes it a better
teacher: a student that imitates it slips all the time.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from arena_breaker_gym._runtime.jit import jit_cached
from arena_breaker_gym.batch.arenas import ACTION_LENGTH
from arena_breaker_gym.batch.observation import SortBuffer, StateTables, sort_buffer
from arena_breaker_gym.engine.arena import Stages
from arena_breaker_gym.wrappers.targets import compass, lead, rank_targets, stage_of


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
    ) -> tuple[Any, dict[str, object]]:
        """Begins episodes; see `ArenaBreakerVectorEnv.reset`."""
        if seed is not None:
            first = seed if isinstance(seed, int | np.integer) else seed[0]
            self._rng = np.random.default_rng(first)
        return self.env.reset(seed=seed, options=options)

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, object]]:
        """Plays (n, 5) actions, slips included, for one step of every arena."""
        return self.env.step(self.noise.applied(actions, self._rng))


class DiscreteActions:
    """Makes actions of the choices of n arenas at once.

    Attributes:
        space: Of one arena's choices: `MultiDiscrete([2 · headings + 1, targets or aims])`.
    """

    def __init__(
        self, campaign: Stages, *, headings: int = 16, targets: int = 0, aims: int = 24
    ) -> None:
        """Makes one.

        Args:
            campaign: The stages that are played, as `Arenas.campaign`.
            headings: Of walks and dashes.
            targets: How many targets the aim assist offers; 0: none, choose a heading instead.
            aims: Headings of the aim stick where there is no aim assist.
        """
        self.space = spaces.MultiDiscrete([2 * headings + 1, targets or aims])
        self.assisted = targets > 0
        self._campaign = campaign
        self._moves = np.zeros((2 * headings + 1, 3))
        self._moves[:headings, :2] = self._moves[headings:-1, :2] = compass(headings)
        self._moves[headings:-1, 2] = 1.0
        self._aims = compass(aims)

    def __call__(
        self, choices: NDArray[np.integer], tables: StateTables | None = None
    ) -> NDArray[np.float32]:
        """Actions (n, 5) of choices (n, 2).

        Move choice m walks along heading m, or dashes along heading m − headings; the last one
        rests. Aim choice k shoots where a shot would meet the k-th target (see `targets`), the last
        one there is if there are fewer, and rests if there is none; without the assist, it shoots
        along heading k.

        Raises:
            ValueError: If a choice is out of range or their shape is wrong.
        """
        choices = self._checked(choices)
        actions = np.zeros((len(choices), ACTION_LENGTH), dtype=np.float32)
        move = self._moves[choices[:, 0]]
        actions[:, :2] = move[:, :2]
        actions[:, 4] = move[:, 2]
        if not self.assisted:
            actions[:, 2:4] = self._aims[choices[:, 1]]
        elif tables is None:
            raise ValueError("The aim assist needs the state's tables.")
        else:
            aims = choices[:, 1].astype(np.int64)
            _aim_batch(tables, self._campaign, aims, actions, sort_buffer())
        return actions

    def _checked(self, choices: NDArray[np.integer]) -> NDArray[np.integer]:
        choices = np.asarray(choices)
        most = self.space.nvec
        if choices.ndim != 2 or choices.shape[1] != len(most) or choices.dtype.kind not in "iu":
            raise ValueError(
                f"Choices must be whole numbers of shape (n, {len(most)}), "
                f"got {choices.dtype} {choices.shape}."
            )
        if (choices < 0).any() or (choices >= most).any():
            raise ValueError(f"Choices must be from 0 to below {most.tolist()}.")
        return choices


@jit_cached
def _aim_batch(
    tables: StateTables,
    campaign: Stages,
    chosen: NDArray[np.int64],
    actions: NDArray[np.float32],
    targets: SortBuffer,
) -> None:
    for row in range(actions.shape[0]):
        stage = campaign[stage_of(tables, row, campaign)]
        count = rank_targets(tables, row, stage, targets)
        if count > 0:
            enemy = tables.enemies[row, targets[min(chosen[row], count - 1)].slot]
            actions[row, 2], actions[row, 3] = lead(enemy)
