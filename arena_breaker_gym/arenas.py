"""`Arenas`: a batch of arenas to reset, step, observe, draw, save and restore.

The single environment is a batch of one and the vector environment a batch of n; both, and
every rollout and replay, run on this object. Arrays that it hands out are its own buffers,
written again by the next call: whoever keeps them, copies.
"""

import struct
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.compiled import compiled, entry_point
from arena_breaker_gym.engine.arena import ARENA, CAUSES, PLAYING, TICKS_PER_SECOND, VICTORY
from arena_breaker_gym.engine.player import DASH_THRESHOLD
from arena_breaker_gym.engine.record import Record, Stages
from arena_breaker_gym.engine.tick import ENGINE_VERSION, begin, tick
from arena_breaker_gym.observation import StateTables, empty_tables, observe_batch
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings
from arena_breaker_gym.snapshot import snapshot
from arena_breaker_gym.stages.loader import load_campaign

ACTION_LENGTH = 5  # move_x, move_z, aim_x, aim_z, dash

# The columns of `Arenas.info`, each a whole number of one arena after its last step.
INFO = (
    "score",
    "kills",
    "stage",
    "wave",
    "hp",
    "victory",
    "shots_fired",
    "hits",
    "dashes",
    "damage_taken",
)
REWARD_TERMS = ("score", "damage")

_STATE_HEADER = struct.Struct("<4sI32s")  # magic, engine version, digest of the stages
_STATE_MAGIC = b"ABS1"


class Arenas:
    """A batch of arenas under one set of settings.

    Attributes:
        settings: The settings of all arenas.
        records: (n,) array of dtype `engine.arena.ARENA`: the whole state of play.
        limit: Steps after which an episode is truncated; 0 for no limit.
        rewards: (n,) float64, the last step's.
        reward_terms: (n, 2) float64 in the order of `REWARD_TERMS`; a row sums to the reward.
        terminated: (n,) bool.
        truncated: (n,) bool.
        info: (n, 10) int64 in the order of `INFO`.
    """

    def __init__(self, settings: Settings, *, count: int, limit: int = 0) -> None:
        """Makes the batch; every arena must be reset before it is stepped.

        Args:
            settings: The settings of all arenas.
            count: How many arenas, at least 1.
            limit: Steps after which an episode is truncated; 0 for no limit.

        Raises:
            ValueError: If a setting cannot be met; a stage file is refused with a `StageError`.
        """
        self.settings = settings
        self.loaded = load_campaign(settings.stages)
        self._check_stage("start_stage", settings.start_stage)
        self.limit = limit
        self.records: NDArray[np.void] = np.zeros(count, dtype=ARENA)
        self.rewards = np.zeros(count)
        self.reward_terms = np.zeros((count, len(REWARD_TERMS)))
        self.terminated = np.zeros(count, dtype=np.bool_)
        self.truncated = np.zeros(count, dtype=np.bool_)
        self.info = np.zeros((count, len(INFO)), dtype=np.int64)
        self._tables = empty_tables(count)
        self._weights = np.array([settings.reward[term] for term in REWARD_TERMS])
        self._blank = np.zeros(1, dtype=ARENA)
        self._everyone = np.ones(count, dtype=np.bool_)

    def __len__(self) -> int:
        """The number of arenas."""
        return len(self.records)

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
        number = self.settings.start_stage if stage is None else stage
        self._check_stage("stage", number)
        self.records[index] = self._blank[0]
        fix = self.settings.point_blank_fix
        _begin_one(self.records, index, number - 1, np.array(keys, np.int64), fix, self.campaign)
        self.rewards[index] = 0.0
        self.reward_terms[index] = 0.0
        self.terminated[index] = False
        self.truncated[index] = False
        _write_info(self.records, self.info, index)

    def step(self, actions: NDArray[np.floating], playing: NDArray[np.bool_] | None = None) -> None:
        """Moves arenas on by one step: `frame_skip` ticks under one action each.

        Results stand in `rewards`, `reward_terms`, `terminated`, `truncated` and `info`.

        Args:
            actions: (n, 5): move_x, move_z, aim_x, aim_z, dash. Sticks longer than 1 are
                scaled to 1; dash is pressed above 0.5.
            playing: (n,) which arenas to move; None: all. The others stay as they are.

        Raises:
            ValueError: If the actions' shape or dtype is wrong or a number is not finite; no
                arena has moved then.
        """
        actions = self._checked(actions)
        moving = self._everyone if playing is None else playing
        limit = self.limit
        bad = _step_batch(
            self.records,
            actions,
            moving,
            self.settings.frame_skip,
            limit,
            self._weights,
            self.campaign,
            self.rewards,
            self.reward_terms,
            self.terminated,
            self.truncated,
            self.info,
        )
        if bad >= 0:
            raise ValueError(
                f"An action must be five finite numbers, but arena {bad} was given "
                f"{actions[bad].tolist()}."
            )

    def observe(self) -> StateTables:
        """The state of every arena as tables; see `observation.StateTables`."""
        limit = MAX_EPISODE_STEPS * self.settings.frame_skip
        observe_batch(self.records, self._tables, self.campaign, limit)
        return self._tables

    def compose(self, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Draws every arena: (n, size, size, 3) uint8, RGB, without HUD."""
        frames: NDArray[np.uint8] = self._renderer.compose(self.records, out)
        return frames

    @cached_property
    def _renderer(self) -> Any:
        from arena_breaker_gym.rendering.renderer import Renderer

        settings = self.settings
        return Renderer(self.loaded.models, size=settings.pixel_size, skin=settings.skin)

    def snapshot(self, index: int) -> dict[str, Any]:
        """The article's JSON of one arena; see `snapshot.snapshot`."""
        return snapshot(self.records, index)

    def save(self, index: int) -> bytes:
        """The whole state of one arena: a header and its record."""
        header = _STATE_HEADER.pack(_STATE_MAGIC, ENGINE_VERSION, self._digest)
        record: bytes = self.records[index].tobytes()
        return header + record

    def restore(self, index: int, state: bytes) -> None:
        """Puts a saved state into one arena.

        Args:
            index: Which arena.
            state: What `save` gave, of this or another batch with the same stages.

        Raises:
            ValueError: If it is no such state, of another version, or of other stages; the
                arena is untouched then.
        """
        expected = _STATE_HEADER.size + ARENA.itemsize
        if not isinstance(state, bytes) or len(state) != expected:
            size = f"{len(state)} bytes" if isinstance(state, bytes) else repr(type(state))
            raise ValueError(f"A saved state is {expected} bytes long, got {size}.")
        header = _STATE_HEADER.unpack_from(state)
        if header != (_STATE_MAGIC, ENGINE_VERSION, self._digest):
            raise ValueError(
                "This saved state belongs to another engine version or to other stages, "
                f"expected engine version {ENGINE_VERSION} and the same stage files."
            )
        self.records[index] = np.frombuffer(state, dtype=ARENA, offset=_STATE_HEADER.size)[0]
        self.terminated[index] = self.records[index].outcome != PLAYING
        self.truncated[index] = False
        _write_info(self.records, self.info, index)

    def summary(self, index: int) -> dict[str, Any]:
        """What the metrics table needs of an arena's episode, in plain numbers."""
        arena = self.records[index]
        tally = arena.tally
        ticks = max(int(arena.tick), 1)
        return {
            **dict(zip(INFO, self.info[index].tolist(), strict=True)),
            "victory": bool(arena.outcome == VICTORY),
            "waves_begun": int(tally.waves_begun),
            "waves_cleared": int(tally.waves_cleared),
            "survival_seconds": int(arena.tick) / TICKS_PER_SECOND,
            "aim_magnitude": float(tally.aim_length) / ticks,
            "firing_share": int(tally.firing_ticks) / ticks,
            "cause_of_death": CAUSES[tally.cause_of_death],
        }

    @cached_property
    def _digest(self) -> bytes:
        return bytes.fromhex(self.loaded.digest)

    def _check_stage(self, name: str, number: object) -> None:
        count = len(self.loaded.models)
        whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
        if not whole or not 1 <= number <= count:  # type: ignore[operator]  # `whole` says it is a number
            raise ValueError(f"{name} must be a whole number from 1 to {count}, got {number!r}.")

    def _checked(self, actions: NDArray[np.floating]) -> NDArray[np.float64]:
        array = np.asarray(actions)
        if array.shape != (len(self), ACTION_LENGTH):
            raise ValueError(
                f"Actions must have shape ({len(self)}, {ACTION_LENGTH}), got {array.shape}."
            )
        if array.dtype.kind not in "fi":
            raise ValueError(f"Actions must be numbers, got dtype {array.dtype}.")
        return array.astype(np.float64)


@entry_point
def _begin_one(
    arenas: NDArray[np.void],
    index: int,
    stage: int,
    keys: NDArray[np.int64],
    fix: bool,
    campaign: Stages,
) -> None:
    begin(arenas[index], stage, keys, fix, campaign)


@entry_point
def _write_info(arenas: NDArray[np.void], info: NDArray[np.int64], index: int) -> None:
    _inform(arenas[index], info[index])


@entry_point
def _step_batch(
    arenas: NDArray[np.void],
    actions: NDArray[np.float64],
    moving: NDArray[np.bool_],
    frame_skip: int,
    limit: int,
    weights: NDArray[np.float64],
    campaign: Stages,
    rewards: NDArray[np.float64],
    reward_terms: NDArray[np.float64],
    terminated: NDArray[np.bool_],
    truncated: NDArray[np.bool_],
    info: NDArray[np.int64],
) -> int:
    """Steps every moving arena; returns -1, or the first arena with a bad action, untouched all."""
    for index in range(arenas.shape[0]):
        if moving[index] and not _tame(actions[index]):
            return index
    for index in range(arenas.shape[0]):
        if not moving[index]:
            continue
        arena = arenas[index]
        score = arena.tally.score
        damage = arena.tally.damage_taken
        for _ in range(frame_skip):
            tick(arena, actions[index], campaign)
        reward_terms[index, 0] = weights[0] * (arena.tally.score - score)
        reward_terms[index, 1] = weights[1] * (arena.tally.damage_taken - damage)
        rewards[index] = reward_terms[index, 0] + reward_terms[index, 1]
        terminated[index] = arena.outcome != PLAYING
        out_of_time = limit > 0 and arena.tick >= limit * frame_skip
        truncated[index] = out_of_time and not terminated[index]
        _inform(arena, info[index])
    return -1


@compiled
def _tame(action: NDArray[np.float64]) -> bool:
    """Scales sticks longer than 1 to 1 and dash to 0 or 1; False if a number is not finite."""
    for index in range(ACTION_LENGTH):
        if not np.isfinite(action[index]):
            return False
    for stick in range(0, 4, 2):
        x = action[stick]
        z = action[stick + 1]
        length = np.sqrt(x * x + z * z)
        if length > 1.0:
            action[stick] = x / length
            action[stick + 1] = z / length
    action[4] = 1.0 if action[4] > DASH_THRESHOLD else 0.0
    return True


@compiled
def _inform(arena: Record, row: NDArray[np.int64]) -> None:
    tally = arena.tally
    row[0] = tally.score
    row[1] = tally.kills
    row[2] = arena.stage + 1
    row[3] = arena.director.wave + 1
    row[4] = arena.player.hp
    row[5] = 1 if arena.outcome == VICTORY else 0
    row[6] = tally.shots_fired
    row[7] = tally.hits
    row[8] = tally.dashes
    row[9] = tally.damage_taken
