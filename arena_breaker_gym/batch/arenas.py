"""`Arenas`: a batch of arenas to reset, step, observe, draw, save and restore.

The single environment is a batch of one and the vector environment a batch of n; both, and
every rollout and replay, run on this object. Arrays that it hands out are its own buffers,
written again by the next call: the caller must copy what it keeps.
"""

import struct
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.plain import plain_int
from arena_breaker_gym._runtime.pools import ThreadPool
from arena_breaker_gym.batch.observation import (
    STATE_NUMBERS,
    SortBuffer,
    StateTables,
    sort_buffer,
    tables_in,
)
from arena_breaker_gym.batch.snapshot import snapshot
from arena_breaker_gym.batch.stepping import (
    ACTION_LENGTH,
    INFO,
    REWARD_TERMS,
    begin_chosen,
    first_bad,
    observe_rows,
    put_back,
    step_rows,
    sums_of,
)
from arena_breaker_gym.engine.arena import ARENA, CAUSES, TICKS_PER_SECOND, VICTORY, Stages
from arena_breaker_gym.engine.soundness import PARTS
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings
from arena_breaker_gym.stages.loader import load_campaign

__all__ = ["ACTION_LENGTH", "INFO", "REWARD_TERMS", "Arenas"]

_LEAST_ROWS = 64  # arenas that a thread must have to step for a second one to pay
# Before a saved record: magic, engine version, digest of the stages, sums over the record.
_STATE_HEADER = struct.Struct("<4sI32sqq")
_STATE_MAGIC = b"ABS2"
# Before there were sums; such states are still read, though damage may then go unnoticed.
_OLD_HEADER = struct.Struct("<4sI32s")
_OLD_MAGIC = b"ABS1"


class Arenas:
    """A batch of arenas under one set of settings.

    Attributes:
        settings: The settings of all arenas.
        records: (n,) array of dtype `engine.arena.ARENA`: the whole state of play.
        limit: Steps after which an episode is truncated; 0 for no limit.
        rewards: (n,) float64, the last step's.
        terminated: (n,) bool.
        truncated: (n,) bool.
        state: (n · 397,) float32: what `observe` writes, all tables one after the other.
    """

    def __init__(
        self, settings: Settings, *, count: int, limit: int = 0, num_threads: int = 1
    ) -> None:
        """Makes the batch; every arena must be reset before it is stepped.

        Args:
            settings: The settings of all arenas.
            count: How many arenas, at least 1.
            limit: Steps after which an episode is truncated; 0 for no limit.
            num_threads: How many threads work on a batch that is large enough to share; they
                change nothing of what comes out.

        Raises:
            ValueError: If a setting cannot be met; a stage file is refused with a `StageError`.
        """
        self.settings = settings
        self.loaded = load_campaign(settings.stages)
        self._checked_stage("start_stage", settings.start_stage)
        self.limit = limit
        self.records: NDArray[np.void] = np.zeros(count, dtype=ARENA)
        self.rewards = np.zeros(count)
        self._term_columns = np.zeros((len(REWARD_TERMS), count))
        self.terminated = np.zeros(count, dtype=np.bool_)
        self.truncated = np.zeros(count, dtype=np.bool_)
        self._info_columns = np.zeros((len(INFO), count), dtype=np.int64)
        self.state = np.zeros(count * STATE_NUMBERS, dtype=np.float32)
        self._weights = np.array([settings.reward[term] for term in REWARD_TERMS], np.float64)
        self._blank = np.zeros(1, dtype=ARENA)
        self._kept = np.zeros(1, dtype=ARENA)  # a saved state, until it has been looked at
        self._kept_bytes = self._kept.view(np.uint8)
        self._everyone = np.ones(count, dtype=np.bool_)
        self._actions = np.zeros((count, ACTION_LENGTH))
        self._keys = np.zeros((count, 2), dtype=np.int64)
        self._pool = ThreadPool(num_threads)
        self._pieces = [
            (first, last, sort_buffer()) for first, last in self._pool.cut(count, least=_LEAST_ROWS)
        ]
        self._standard = MAX_EPISODE_STEPS * settings.frame_skip  # ticks

    def __len__(self) -> int:
        """The number of arenas."""
        return len(self.records)

    @property
    def reward_terms(self) -> NDArray[np.float64]:
        """(n, 3) float64 in the order of `REWARD_TERMS`; a row sums to the reward."""
        return self._term_columns.T

    @property
    def info(self) -> NDArray[np.int64]:
        """(n, 10) int64 in the order of `INFO`; each column lies in one piece."""
        return self._info_columns.T

    def facts(self, index: int) -> list[int]:
        """One arena's row of `info`, in plain numbers."""
        facts: list[int] = self._info_columns[:, index].tolist()
        return facts

    def terms(self, index: int) -> list[float]:
        """One arena's row of `reward_terms`, in plain numbers."""
        terms: list[float] = self._term_columns[:, index].tolist()
        return terms

    @property
    def tables(self) -> StateTables:
        """What `observe` wrote last, as views of `state`."""
        return tables_in(self.state, len(self))

    @property
    def campaign(self) -> Stages:
        """All stages as the rules look them up: (n,) of dtype `stages.table.STAGE`."""
        return self.loaded.table

    def reset(self, index: int, keys: Sequence[int], *, stage: int | None = None) -> None:
        """Begins a new episode in one arena.

        Args:
            index: Which arena.
            keys: Two whole numbers in [0, 2^32) for the game's random numbers.
            stage: Stage (1, 2, …) to begin on; None: the settings' `start_stage`.

        Raises:
            ValueError: If there is no such stage.
        """
        chosen = np.zeros(len(self), dtype=np.bool_)
        chosen[index] = True
        self._keys[index] = keys
        self.begin(chosen, self._keys, stage=stage)

    def begin(
        self, chosen: NDArray[np.bool_], keys: NDArray[np.int64], *, stage: int | None = None
    ) -> None:
        """Begins a new episode in every chosen arena.

        Args:
            chosen: (n,) which arenas; the others stay as they are.
            keys: (n, 2) whole numbers in [0, 2^32), read where an arena is chosen.
            stage: Stage (1, 2, …) to begin on; None: the settings' `start_stage`.

        Raises:
            ValueError: If there is no such stage; no arena has changed then.
        """
        wanted = self.settings.start_stage if stage is None else stage
        number = self._checked_stage("stage", wanted)
        begin_chosen(
            self.records,
            chosen,
            keys,
            number - 1,
            self.settings.point_blank_fix,
            self._blank,
            self.campaign,
            self.rewards,
            self._term_columns,
            self.terminated,
            self.truncated,
            self._info_columns,
        )

    def step(
        self,
        actions: NDArray[np.floating],
        playing: NDArray[np.bool_] | None = None,
        *,
        observing: bool = False,
    ) -> None:
        """Moves arenas on by one step: `frame_skip` ticks under one action each.

        Results stand in `rewards`, `reward_terms`, `terminated`, `truncated` and `info`.

        Args:
            actions: (n, 5): move_x, move_z, aim_x, aim_z, dash. Sticks longer than 1 are
                scaled to 1; dash is pressed above 0.5.
            playing: (n,) which arenas to move; None: all. The others stay as they are.
            observing: Whether `tables` are written as well, as by `observe` but in one go.

        Raises:
            ValueError: If the actions' shape or dtype is wrong or a number is not finite, or
                `playing` is no such array; no arena has moved then.
        """
        self._take(actions)
        moving = self._everyone if playing is None else self._mask(playing)
        bad = first_bad(self._actions, moving)
        if bad >= 0:
            raise ValueError(
                f"An action must be five finite numbers, but arena {bad} was given "
                f"{self._actions[bad].tolist()}."
            )

        def work(first: int, last: int, nearest: SortBuffer) -> None:
            step_rows(
                first,
                last,
                self.records,
                self._actions,
                moving,
                self.settings.frame_skip,
                self.limit,
                self._weights,
                self.campaign,
                self.rewards,
                self._term_columns,
                self.terminated,
                self.truncated,
                self._info_columns,
                observing,
                self.state,
                self._standard,
                nearest,
            )

        self._pool.share(work, self._pieces)

    def observe(self, chosen: NDArray[np.bool_] | None = None) -> StateTables:
        """The state of every arena as `tables`, of which only chosen rows are written again."""
        rows = self._everyone if chosen is None else self._mask(chosen)

        def work(first: int, last: int, nearest: SortBuffer) -> None:
            observe_rows(
                first,
                last,
                self.records,
                rows,
                self.state,
                self.campaign,
                self._standard,
                nearest,
            )

        self._pool.share(work, self._pieces)
        return self.tables

    def compose(
        self, out: NDArray[np.uint8] | None = None, chosen: NDArray[np.bool_] | None = None
    ) -> NDArray[np.uint8]:
        """Draws every arena, or those chosen.

        Args:
            out: (n, size, size, 3) uint8 to draw into; None: new frames.
            chosen: (n,) which arenas; None: all.

        Returns:
            The frames, RGB, without HUD.
        """
        frames: NDArray[np.uint8] = self._renderer.compose(
            self.records, out, chosen=chosen, pool=self._pool
        )
        return frames

    def redraw(self, chosen: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
        """Draws every arena, or those chosen, into frames that the batch keeps.

        Only what has changed since the last call is drawn, which is much faster than `compose`.

        Returns:
            (n, size, size, 3) uint8: always the same array, read-only, since its next content
            is built on what is in it.
        """
        frames: NDArray[np.uint8] = self._renderer.redraw(
            self.records, self._canvas, chosen=chosen, pool=self._pool
        )
        return frames

    @cached_property
    def _renderer(self) -> Any:
        from arena_breaker_gym.rendering.renderer import Renderer

        settings = self.settings
        return Renderer(self.loaded.models, size=settings.pixel_size, skin=settings.skin)

    @cached_property
    def _canvas(self) -> object:
        from arena_breaker_gym.rendering.frames import FrameCache

        return FrameCache(len(self), self.settings.pixel_size)

    def snapshot(self, index: int) -> dict[str, Any]:
        """The article's JSON of one arena; see `snapshot.snapshot`."""
        return snapshot(self.records, index)

    def save(self, index: int) -> bytes:
        """The whole state of one arena: a header and its record."""
        record: bytes = self.records[index].tobytes()
        sums = sums_of(np.frombuffer(record, np.uint32))
        return _STATE_HEADER.pack(_STATE_MAGIC, ENGINE_VERSION, self._digest, *sums) + record

    def restore(self, index: int, state: bytes) -> None:
        """Puts a saved state into one arena.

        Args:
            index: Which arena.
            state: What `save` gave, of this or another batch with the same stages.

        Raises:
            ValueError: If it is no such state, of another version, of other stages, or damaged;
                the arena is untouched then.
        """
        self._kept_bytes[:] = np.frombuffer(state, np.uint8, offset=self._checked_header(state))
        fault = put_back(
            self._kept,
            self.records,
            range(len(self))[index],
            self.campaign,
            self.limit * self.settings.frame_skip,
            self.terminated,
            self.truncated,
            self._info_columns,
        )
        if fault:
            raise ValueError(
                "This saved state is damaged, or was made by something else: its "
                f"{PARTS[fault]} is such as no game on these stages has."
            )

    def _checked_header(self, state: bytes) -> int:
        """Where a saved state's record begins.

        Raises:
            ValueError: If what stands before is not what `save` writes there.
        """
        expected = _STATE_HEADER.size + ARENA.itemsize
        if not isinstance(state, bytes):
            raise ValueError(f"A saved state is {expected} bytes long, got {type(state)!r}.")
        header = _OLD_HEADER if state.startswith(_OLD_MAGIC) else _STATE_HEADER
        if len(state) != header.size + ARENA.itemsize:
            raise ValueError(f"A saved state is {expected} bytes long, got {len(state)} bytes.")
        magic, version, digest, *sums = header.unpack_from(state)
        known = magic in (_STATE_MAGIC, _OLD_MAGIC)
        if not known or (version, digest) != (ENGINE_VERSION, self._digest):
            raise ValueError(
                "This saved state belongs to another engine version or to other stages, "
                f"expected engine version {ENGINE_VERSION} and the same stage files."
            )
        if sums and tuple(sums) != sums_of(np.frombuffer(state, np.uint32, offset=header.size)):
            raise ValueError("This saved state is damaged: its record is not the one it was.")
        return header.size

    def summary(self, index: int) -> dict[str, Any]:
        """What the metrics table needs of an arena's episode, in plain numbers."""
        arena = self.records[index]
        statistics = arena.statistics
        ticks = max(int(arena.tick), 1)
        return {
            **dict(zip(INFO, self.facts(index), strict=True)),
            "victory": bool(arena.outcome == VICTORY),
            "waves_begun": int(statistics.waves_begun),
            "waves_cleared": int(statistics.waves_cleared),
            "survival_seconds": int(arena.tick) / TICKS_PER_SECOND,
            "aim_magnitude": float(statistics.aim_length) / ticks,
            "firing_share": int(statistics.firing_ticks) / ticks,
            "cause_of_death": CAUSES[statistics.cause_of_death],
        }

    @cached_property
    def _digest(self) -> bytes:
        return bytes.fromhex(self.loaded.digest)

    def _checked_stage(self, name: str, number: object) -> int:
        return plain_int(name, number, most=len(self.loaded.models))

    def _mask(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        mask = np.ascontiguousarray(chosen)
        if mask.dtype != np.bool_ or mask.shape != self._everyone.shape:
            raise ValueError(
                f"Which arenas must be told by {len(self)} bools, got {mask.dtype} {mask.shape}."
            )
        return mask

    def _take(self, actions: NDArray[np.floating]) -> None:
        array = np.asarray(actions)
        if array.shape != self._actions.shape:
            raise ValueError(f"Actions must have shape {self._actions.shape}, got {array.shape}.")
        if array.dtype.kind not in "fi":
            raise ValueError(f"Actions must be numbers, got dtype {array.dtype}.")
        self._actions[...] = array
