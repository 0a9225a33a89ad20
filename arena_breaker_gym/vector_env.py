"""`ArenaBreakerVectorEnv`: the Gymnasium face of a batch of arenas, stepped in one call."""

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from arena_breaker_gym.arenas import INFO, REWARD_TERMS, Arenas
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.env import (
    DEFAULT_RENDER_SIZE,
    Observation,
    action_space_of,
    draw_keys,
    observation_space_of,
    stage_option,
    view_of,
)
from arena_breaker_gym.observation import TABLES
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings, check_whole


class ArenaBreakerVectorEnv(gym.vector.VectorEnv[Observation, NDArray[np.float32], NDArray[Any]]):
    """n arenas in one batch: `gym.make_vec("ArenaBreaker-v0", num_envs=n)`.

    Arena i, seeded s + i, is bit-equal to a single environment seeded s + i, through resets.
    Observations, actions, rewards and `info` are those of `ArenaBreakerEnv` with a leading
    axis n. Autoreset follows Gymnasium: `NEXT_STEP` (default) resets an ended arena in the next
    call of `step`, ignoring its action, with reward 0; `SAME_STEP` resets at once and hands
    the last observation and info out as `final_obs` and `final_info`; `DISABLED` leaves it to
    `reset(options={"reset_mask": mask})`.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # Gymnasium declares it per instance
        "render_modes": ["rgb_array"],
        "render_fps": TICKS_PER_SECOND // 2,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        *,
        num_envs: int = 1,
        max_episode_steps: int = MAX_EPISODE_STEPS,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        copy: bool = True,
        num_threads: int | None = None,
        render_mode: str | None = None,
        render_size: int = DEFAULT_RENDER_SIZE,
        **settings: Any,
    ) -> None:
        """Makes the batch.

        Args:
            num_envs: How many arenas.
            max_episode_steps: Steps after which an episode is truncated; 0 or less: never.
            autoreset_mode: "NextStep", "SameStep" or "Disabled".
            copy: False hands out the batch's own arrays (observations, rewards, ends, infos),
                which the next call of `reset` or `step` writes again.
            num_threads: How many threads step, observe and draw; None: one a core. It changes
                no byte of what comes out.
            render_mode: None or "rgb_array".
            render_size: Side of the pictures that `render` gives.
            **settings: Those of `arena_breaker_gym.settings.Settings`.

        Raises:
            ValueError: If an argument is unknown or its value bad.
        """
        check_whole("num_envs", num_envs)
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode must be None or 'rgb_array', got {render_mode!r}.")
        if num_threads is not None:
            check_whole("num_threads", num_threads)
        self.settings = Settings.from_keywords(settings)
        self.num_envs = num_envs
        self.copy = copy
        self.num_threads = num_threads
        self.render_mode = render_mode
        self.render_size = render_size
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {  # type: ignore[misc]
            **self.metadata,
            "autoreset_mode": self.autoreset_mode,
            "render_fps": TICKS_PER_SECOND / self.settings.frame_skip,
        }
        self.single_action_space = action_space_of()
        self.single_observation_space = observation_space_of(self.settings)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._arenas = Arenas(self.settings, count=num_envs, limit=max(max_episode_steps, 0))
        self._generators: list[np.random.Generator | None] = [None] * num_envs
        self._ended = np.zeros(num_envs, dtype=np.bool_)
        self._view = (
            None
            if render_mode is None
            else view_of(self._arenas, size=render_size, fps=self.metadata["render_fps"])
        )

    @property
    def arenas(self) -> Arenas:
        """The batch that this environment is."""
        return self._arenas

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode in every arena, or in those of `options["reset_mask"]`.

        Args:
            seed: s seeds arena i with s + i; a sequence gives each its own; None goes on with
                the generators there are.
            options: `{"stage": n}` begins on stage n; `{"reset_mask": (n,) bool}` leaves the
                other arenas as they are.

        Raises:
            ValueError: If an option is unknown or badly formed, or seeds are not one an arena.
        """
        options = dict(options or {})
        mask = self._checked_mask(options.pop("reset_mask", None))
        stage = stage_option(options)
        for index, one in enumerate(self._seeds(seed)):
            if one is not None and mask[index]:
                self._generators[index] = seeding.np_random(one)[0]
        self._begin(mask, stage)
        return self._observe(), self._info()

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[
        Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Moves every arena on by one step and resets ended ones as `autoreset_mode` says.

        Args:
            actions: (n, 5).

        Raises:
            ValueError: If the actions' shape or dtype is wrong, a number is not finite, or an
                ended arena was not reset in mode DISABLED; no arena has moved then.
        """
        arenas = self._arenas
        waiting = self._ended
        if self.autoreset_mode is AutoresetMode.DISABLED and waiting.any():
            raise ValueError(
                f"Arena {int(waiting.argmax())} has ended: reset it before the next step, "
                'by reset(options={"reset_mask": mask}).'
            )
        arenas.step(actions, ~waiting)
        if waiting.any():
            self._begin(waiting)
        rewards = arenas.rewards.copy()
        terminated, truncated = arenas.terminated.copy(), arenas.truncated.copy()
        self._ended = terminated | truncated
        final: dict[str, Any] = {}
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._ended.any():
            final = self._final(self._ended)
            self._begin(self._ended)
        return self._observe(), rewards, terminated, truncated, {**self._info(), **final}

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """The pictures of all arenas with HUD, (render_size, render_size, 3) uint8 each."""
        if self._view is None:
            return None
        return tuple(self._view.frame(index) for index in range(self.num_envs))

    def snapshot(self, index: int) -> dict[str, Any]:
        """The article's structured state of one arena."""
        return self._arenas.snapshot(index)

    def _begin(self, mask: NDArray[np.bool_], stage: int | None = None) -> None:
        for index in np.flatnonzero(mask).tolist():
            generator = self._generators[index]
            if generator is None:
                generator = self._generators[index] = seeding.np_random()[0]
            self._arenas.reset(index, draw_keys(generator), stage=stage)
        self._ended = self._ended & ~mask

    def _seeds(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            return [int(seed) + index for index in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"Expected {self.num_envs} seeds, one an arena, got {len(seed)}.")
        return seed

    def _checked_mask(self, mask: Any) -> NDArray[np.bool_]:
        if mask is None:
            return np.ones(self.num_envs, dtype=np.bool_)
        fits = isinstance(mask, np.ndarray) and mask.shape == (self.num_envs,)
        if not fits or mask.dtype != np.bool_ or not mask.any():
            raise ValueError(
                f"reset_mask must be a bool array of shape ({self.num_envs},) with a True in it."
            )
        return mask.copy()  # type: ignore[no-any-return]

    def _observe(self) -> Observation:
        if self.settings.observation == "pixels":
            return self._arenas.compose().copy()
        tables = self._arenas.observe()
        observation: dict[str, NDArray[Any]] = {
            name: table.copy() for name, table in zip(TABLES, tables, strict=True)
        }
        if self.settings.observation == "both":
            observation["pixels"] = self._arenas.compose().copy()
        return observation

    def _info(self) -> dict[str, Any]:
        everyone = np.ones(self.num_envs, dtype=np.bool_)
        info = _masked(_columns(self._arenas.info, INFO), everyone)
        terms = _masked(_columns(self._arenas.reward_terms, REWARD_TERMS), everyone)
        return {**info, "rewards": terms, "_rewards": everyone}

    def _final(self, ended: NDArray[np.bool_]) -> dict[str, Any]:
        observations = np.full(self.num_envs, None, dtype=object)
        last = self._observe()
        for index in np.flatnonzero(ended).tolist():
            if isinstance(last, dict):
                observations[index] = {name: table[index] for name, table in last.items()}
            else:
                observations[index] = last[index]
        return {
            "final_obs": observations,
            "_final_obs": ended.copy(),
            "final_info": self._info(),
            "_final_info": ended.copy(),
        }


def _columns(table: NDArray[Any], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    columns = {name: table[:, column].copy() for column, name in enumerate(names)}
    if "victory" in columns:
        columns["victory"] = columns["victory"].astype(np.bool_)
    return columns


def _masked(columns: dict[str, NDArray[Any]], everyone: NDArray[np.bool_]) -> dict[str, Any]:
    """Gymnasium's form of a vector info: every column with the mask of arenas that have it."""
    info: dict[str, Any] = {}
    for name, column in columns.items():
        info[name] = column
        info[f"_{name}"] = everyone
    return info
