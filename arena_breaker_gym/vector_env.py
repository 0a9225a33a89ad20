"""`ArenaBreakerVectorEnv`: the Gymnasium face of a batch of arenas, stepped in one call."""

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from arena_breaker_gym._runtime.plain import plain_bool, plain_int
from arena_breaker_gym._runtime.pools import BufferPool, cores
from arena_breaker_gym.batch.arenas import INFO, REWARD_TERMS, Arenas
from arena_breaker_gym.batch.observation import STATE_NUMBERS, tables_in
from arena_breaker_gym.batch.seeding import KeyStreams
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.env import (
    DEFAULT_RENDER_SIZE,
    FLAT_TERMS,
    Observation,
    action_space_of,
    observation_space_of,
    stage_option,
    steps_a_second,
    view_of,
)
from arena_breaker_gym.rendering.frames import render_size_of
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings


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
        flat_info: object = True,  # NumPy's bools as well
        **settings: object,
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
            flat_info: False: the reward's terms are `info["rewards"]["score"]` and so on, not
                `reward_score`; some libraries cannot read a dict within `info`.
            **settings: Those of `arena_breaker_gym.settings.Settings`.

        Raises:
            UnknownSettingError: If an argument is unknown; it is a `TypeError` and a `ValueError`.
            ValueError: If a value is bad.
        """
        num_envs = plain_int("num_envs", num_envs)
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode must be None or 'rgb_array', got {render_mode!r}.")
        if num_threads is not None:
            num_threads = plain_int("num_threads", num_threads)
        limit = max(plain_int("max_episode_steps", max_episode_steps, least=None), 0)
        self.settings = Settings.from_keywords(settings)
        self.settings.check_skin()
        self.num_envs = num_envs
        self.copy = copy
        self.num_threads = num_threads
        self.flat_info = plain_bool("flat_info", flat_info)
        self._has_state = self.settings.observation != "pixels"
        self._has_pixels = self.settings.observation in ("both", "pixels")
        self._is_flat = self.settings.observation == "flat"
        self.render_mode = render_mode
        self.render_size = render_size_of(render_size)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {  # type: ignore[misc]
            **self.metadata,
            "autoreset_mode": self.autoreset_mode,
            "render_fps": steps_a_second(self.settings),
        }
        self.single_action_space = action_space_of()
        self.single_observation_space = observation_space_of(self.settings)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        threads = cores() if num_threads is None else num_threads
        self._arenas = Arenas(self.settings, count=num_envs, limit=limit, num_threads=threads)
        self._frames = BufferPool((num_envs, *[self.settings.pixel_size] * 2, 3))
        self._streams = KeyStreams(num_envs)
        self._unbegun = np.ones(num_envs, dtype=np.bool_)
        self._all_begun = False
        self._everyone = np.ones(num_envs, dtype=np.bool_)
        self._everyone.flags.writeable = False
        self._rewards = np.zeros(num_envs)
        self._flat = (  # where the vectors of mode "flat" are written, if none is the caller's
            np.empty((num_envs, STATE_NUMBERS), np.float32) if self._is_flat and not copy else None
        )
        self._terminated = np.zeros(num_envs, dtype=np.bool_)
        self._truncated = np.zeros(num_envs, dtype=np.bool_)
        self._view = (
            None
            if render_mode is None
            else view_of(self._arenas, size=self.render_size, fps=self.metadata["render_fps"])
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
        self._seed(seed, mask)
        self._begin(mask, stage)
        return self._observation(self._draw()), self._info(mask)

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[
        Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Moves every arena on by one step and resets ended ones as `autoreset_mode` says.

        Args:
            actions: (n, 5).

        Raises:
            ResetNeeded: If an arena has never been reset.
            ValueError: If the actions' shape or dtype is wrong, a number is not finite, or an
                ended arena was not reset in mode DISABLED; no arena has moved then.
        """
        if not self._all_begun:
            self._refuse_unbegun()
        arenas = self._arenas
        waiting = arenas.terminated | arenas.truncated
        if self.autoreset_mode is AutoresetMode.DISABLED:
            _refuse_ended(waiting)
        arenas.step(actions, ~waiting, observing=self._has_state)
        if waiting.any():
            self._begin(waiting)
        rewards, terminated, truncated = self._outcome()
        frames, final = self._draw(), {}
        if (
            self.autoreset_mode is AutoresetMode.SAME_STEP
            and (ended := terminated | truncated).any()
        ):
            final = self._final(ended, frames)
            frames = self._begin_again(ended, frames)
        observation = self._observation(frames)
        return observation, rewards, terminated, truncated, {**self._info(), **final}

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """The pictures of all arenas with HUD, (render_size, render_size, 3) uint8 each."""
        if self._view is None:
            return None
        return tuple(self._view.frame(index) for index in range(self.num_envs))

    def snapshot(self, index: int) -> dict[str, Any]:
        """The article's structured state of one arena."""
        return self._arenas.snapshot(index)

    def save_state(self, index: int) -> bytes:
        """The whole state of one arena, as `ArenaBreakerEnv.save_state` gives it."""
        return self._arenas.save(index)

    def restore_state(self, index: int, state: bytes) -> None:
        """Puts what `save_state` gave into one arena, which goes on from there.

        A state of an ended episode waits for its reset as any arena that has ended does.

        Raises:
            ValueError: If it is no state of this engine version and these stages; the arena is
                untouched then.
        """
        self._arenas.restore(index, state)
        self._note_begun(index)

    def _seed(self, seed: int | Sequence[int | None] | None, mask: NDArray[np.bool_]) -> None:
        """Seeds the streams of the arenas that are about to be reset."""
        if seed is None:
            return
        if not isinstance(seed, Sequence | np.ndarray):
            first = plain_int("seed", seed, least=0)
            seed = range(first, first + self.num_envs)
        if len(seed) != self.num_envs:
            raise ValueError(f"Expected {self.num_envs} seeds, one an arena, got {len(seed)}.")
        for index in np.flatnonzero(mask).tolist():
            one = seed[index]
            if one is not None:
                self._streams.seed(index, plain_int(f"seed[{index}]", one, least=0))

    def _begin(self, mask: NDArray[np.bool_], stage: int | None = None) -> None:
        """Begins the next episode in some arenas and observes it."""
        self._arenas.begin(mask, self._streams.draw(mask), stage=stage)
        if self._has_state:
            self._arenas.observe(mask)
        if not self._all_begun:
            self._note_begun(mask)

    def _note_begun(self, which: NDArray[np.bool_] | int) -> None:
        self._unbegun[which] = False
        self._all_begun = not self._unbegun.any()

    def _begin_again(
        self, mask: NDArray[np.bool_], frames: NDArray[np.uint8] | None
    ) -> NDArray[np.uint8] | None:
        """Begins the next episode in some arenas and draws it over the last frame of the old."""
        self._begin(mask)
        return self._draw(frames, mask)

    def _refuse_unbegun(self) -> None:
        raise gym.error.ResetNeeded(
            "Cannot call env.step() before calling env.reset(): arena "
            f"{int(self._unbegun.argmax())} has never been reset."
        )

    def _checked_mask(self, mask: object) -> NDArray[np.bool_]:
        if mask is None:
            return np.ones(self.num_envs, dtype=np.bool_)
        if (
            not isinstance(mask, np.ndarray)
            or mask.shape != (self.num_envs,)
            or mask.dtype != np.bool_
            or not mask.any()
        ):
            raise ValueError(
                f"reset_mask must be a bool array of shape ({self.num_envs},) with a True in it."
            )
        return np.array(mask, np.bool_)

    def _outcome(self) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """The step's rewards and ends, apart from the batch's own, which a reset clears."""
        arenas = self._arenas
        if self.copy:
            return arenas.rewards.copy(), arenas.terminated.copy(), arenas.truncated.copy()
        np.copyto(self._rewards, arenas.rewards)
        np.copyto(self._terminated, arenas.terminated)
        np.copyto(self._truncated, arenas.truncated)
        return self._rewards, self._terminated, self._truncated

    def _draw(
        self, frames: NDArray[np.uint8] | None = None, chosen: NDArray[np.bool_] | None = None
    ) -> NDArray[np.uint8] | None:
        """The arenas' pictures, or those chosen drawn into frames that there are already."""
        if not self._has_pixels:
            return None
        if not self.copy:
            return self._arenas.redraw(chosen)
        return self._arenas.compose(self._frames.take() if frames is None else frames, chosen)

    def _observation(self, frames: NDArray[np.uint8] | None) -> Observation:
        if not self._has_state:
            assert frames is not None
            return frames
        arenas = self._arenas
        if self._is_flat:
            return _flattened(arenas.tables, self._flat)
        tables = tables_in(arenas.state.copy(), self.num_envs) if self.copy else arenas.tables
        observation: dict[str, NDArray[Any]] = tables._asdict()
        if frames is not None:
            observation["pixels"] = frames
        return observation

    def _info(self, chosen: NDArray[np.bool_] | None = None) -> dict[str, Any]:
        """Gymnasium's form of a vector info: every column with the mask of those that have it."""
        columns, terms = self._arenas.info.T, self._arenas.reward_terms.T
        mask = self._everyone
        if chosen is not None:
            columns, terms, mask = (
                np.where(chosen, columns, 0),
                np.where(chosen, terms, 0.0),
                chosen,
            )
        elif self.copy:
            columns, terms, mask = columns.copy(), terms.copy(), mask.copy()
        info = _masked(INFO, columns, mask)
        info["victory"] = info["victory"] != 0
        if self.flat_info:
            return {**info, **_masked(FLAT_TERMS, terms, mask)}
        return {**info, "rewards": _masked(REWARD_TERMS, terms, mask), "_rewards": mask}

    def _final(self, ended: NDArray[np.bool_], frames: NDArray[np.uint8] | None) -> dict[str, Any]:
        """What ended arenas showed last, in Gymnasium's form: an object array of observations."""
        rows = np.flatnonzero(ended)
        last = self._rows(rows, frames)
        observations = np.full(self.num_envs, None, dtype=object)
        for place, index in enumerate(rows.tolist()):
            observations[index] = (
                {name: table[place] for name, table in last.items()}
                if isinstance(last, dict)
                else last[place]
            )
        mask = ended.copy()
        return {
            "final_obs": observations,
            "_final_obs": mask,
            "final_info": self._info(mask),
            "_final_info": mask,
        }

    def _rows(self, rows: NDArray[np.intp], frames: NDArray[np.uint8] | None) -> Observation:
        """Copies of some arenas' observations."""
        if not self._has_state:
            assert frames is not None
            return frames[rows]
        if self._is_flat:
            return _flattened([table[rows] for table in self._arenas.tables])
        tables = self._arenas.tables._asdict()
        if frames is not None:
            tables["pixels"] = frames
        return {name: table[rows] for name, table in tables.items()}


def _flattened(
    tables: Sequence[NDArray[np.float32]], out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The tables (n, ...) of some arenas, one after the other: (n, `STATE_NUMBERS`)."""
    rows = [table.reshape(len(table), -1) for table in tables]
    return np.concatenate(rows, axis=1, out=out)


def _refuse_ended(ended: NDArray[np.bool_]) -> None:
    if ended.any():
        raise ValueError(
            f"Arena {int(ended.argmax())} has ended: reset it before the next step, "
            'by reset(options={"reset_mask": mask}).'
        )


def _masked(names: Sequence[str], columns: NDArray[Any], mask: NDArray[np.bool_]) -> dict[str, Any]:
    info: dict[str, Any] = {}
    for name, column in zip(names, columns, strict=True):
        info[name] = column
        info[f"_{name}"] = mask
    return info
