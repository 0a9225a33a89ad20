"""`Collector`: arenas in which a student plays, while a teacher says what it would do there.

This is DAgger (Ross et al. 2011, arXiv 1011.0686): a student that only ever saw its teacher's
states does not know what to do after its own first mistake.

Each state is copied into arenas of its own, where the agent plays a few steps; the game that the
state came from goes on unchanged.

A state is drawn in another skin each time, with the same labels: one moment teaches what all looks
have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.pools import ThreadPool
from arena_breaker_gym.batch.arenas import ACTION_LENGTH, Arenas
from arena_breaker_gym.batch.observation import TABLES, StateTables
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.rollout.agent import Agent, RunAware
from arena_breaker_gym.rollout.batch import observations_of
from arena_breaker_gym.rollout.episode import Plan
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings
from arena_breaker_gym.stages.loader import load_campaign
from nitrogen_adapter import gamepad
from nitrogen_adapter.data.dataset import auxiliary_targets_of
from nitrogen_adapter.data.examples import Batch, SightTargets, TeacherTargets

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""A student: frames (n, size, size, 3) to chunks of actions (n, 18, 5)."""

HORIZON = 18  # actions of a chunk


class Takeover:
    """Arenas in which one agent takes over."""

    def __init__(
        self, agent: Agent, settings: Settings, *, count: int = 256, num_threads: int = 1
    ) -> None:
        """Makes the arenas.

        Args:
            agent: Who takes over; it begins every time without a memory.
            settings: Of the game that states come from.
            count: States that are played on side by side.
            num_threads: That step arenas; they change no result.
        """
        self._agent = agent
        self._arenas = Arenas(settings, count=count, num_threads=num_threads)
        if isinstance(agent, RunAware):
            plan = Plan(
                agent=agent.name,
                settings=settings,
                seed=0,
                stages=(1,),
                max_steps=MAX_EPISODE_STEPS,
            )
            agent.prepare(plan, None, episodes=0)

    def chunks(self, records: NDArray[np.void], *, steps: int) -> NDArray[np.float32]:
        """The agent's actions from some states on.

        Args:
            records: (n,) of dtype `engine.arena.ARENA`, episodes under way.
            steps: How many steps it plays.

        Returns:
            (n, steps, 5) actions; after an episode's end its last action stands.
        """
        count = len(self._arenas)
        parts = [
            self._chunks(records[first : first + count], steps)
            for first in range(0, len(records), count)
        ]
        return np.concatenate(parts)

    def _chunks(self, records: NDArray[np.void], steps: int) -> NDArray[np.float32]:
        arenas, count = self._arenas, len(records)
        arenas.records[:count] = records
        arenas.terminated[:] = False
        playing = np.arange(len(arenas)) < count
        actions = np.zeros((len(arenas), ACTION_LENGTH), dtype=np.float32)
        played = np.zeros((count, steps, ACTION_LENGTH), dtype=np.float32)
        self._agent.reset(range(count), 0)
        for step in range(steps):
            rows = np.flatnonzero(playing).tolist()
            if rows:
                seen = observations_of(arenas, rows, self._agent.needs)
                actions[rows] = self._agent.act(seen, rows)
                arenas.step(actions, playing)
                playing &= ~arenas.terminated
            played[:, step] = actions[:count]
        return played


class LabelledStates(NamedTuple):
    """States of the game with what a teacher would do there.

    Attributes:
        records: (n,) of dtype `engine.arena.ARENA`.
        actions: (n, 18, 5) the teacher's actions from there on.
        teacher: what else it thinks of the states; None if it says only what it would do.
    """

    records: NDArray[np.void]
    actions: NDArray[np.float32]
    teacher: TeacherTargets | None

    @classmethod
    def joined(cls, parts: Sequence[LabelledStates]) -> Self:
        """All states of some parts, which either all have a teacher's targets or none."""
        first = parts[0].teacher
        teacher = None
        if first is not None:
            columns = zip(*(one.teacher for one in parts if one.teacher), strict=True)
            teacher = TeacherTargets(*(np.concatenate(column) for column in columns))
        # NumPy drops the records' type where dtypes are equal but not the same.
        records = np.concatenate([one.records for one in parts], dtype=parts[0].records.dtype)
        return cls(records, np.concatenate([one.actions for one in parts]), teacher)


class Looks:
    """Draws states in several skins."""

    def __init__(
        self,
        settings: Settings,
        skins: Sequence[str],
        *,
        hud: bool = False,
        num_threads: int = 1,
    ) -> None:
        """Prepares to draw.

        Args:
            settings: Of the game; its stages and pixel size count.
            skins: Their names.
            hud: Whether the HUD that people see lies over the frames.
            num_threads: That draw; they change no pixel.
        """
        models = load_campaign(settings.stages).models
        self.size = settings.pixel_size
        self.cameras = [Camera.over(m.size.width, m.size.depth, self.size) for m in models]
        self._renderers = [Renderer(models, size=self.size, skin=skin) for skin in skins]
        self._pool = ThreadPool(num_threads)
        self._hud = hud

    def __len__(self) -> int:
        """The number of skins."""
        return len(self._renderers)

    def draw(self, records: NDArray[np.void], skins: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Frames (n, size, size, 3) of n states, each in the skin of its number."""
        frames = np.empty((len(records), self.size, self.size, 3), dtype=np.uint8)
        for number in np.unique(skins).tolist():
            rows = np.flatnonzero(skins == number)
            renderer = self._renderers[number]
            frames[rows] = renderer.compose(records[rows], pool=self._pool)
        return self._under_hud(frames, records) if self._hud else frames

    def draw_all(self, records: NDArray[np.void]) -> NDArray[np.uint8]:
        """Frames (n, size, size, 3) of n states, all in the first skin."""
        return self.draw(records, np.zeros(len(records), dtype=np.int64))

    def _under_hud(self, frames: NDArray[np.uint8], records: NDArray[np.void]) -> NDArray[np.uint8]:
        from arena_breaker_gym.rendering.layers import draw_huds, hud_state_of  # with pygame

        return draw_huds(frames, [hud_state_of(records, row) for row in range(len(records))])


class StateExamples:
    """Labelled states as examples (see `nitrogen_adapter.data.examples.Examples`)."""

    def __init__(
        self,
        states: LabelledStates,
        looks: Looks,
        *,
        seed: int,
        sight: SightTargets | None = None,
        auxiliary: bool = True,
    ) -> None:
        """Takes over states; nothing is drawn yet.

        Args:
            states: They and their labels.
            looks: What they are drawn in.
            seed: Of the choice of skins.
            sight: What a model sees of them in a look that it knows; None: that is not told.
            auxiliary: Whether it is told what stands where.
        """
        self._states = states
        self._looks = looks
        self._seed = seed
        self._sight = sight
        self._auxiliary = auxiliary
        self._rows = gamepad.pack(states.actions)

    def __len__(self) -> int:
        """The number of states."""
        return len(self._states.records)

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """The examples of these numbers, drawn again."""
        states, looks = self._states, self._looks
        records = states.records[rows]
        # Another order of the same states, another choice of skins.
        rng = np.random.default_rng([self._seed, *rows[:4].tolist()])
        frames = looks.draw(records, rng.integers(len(looks), size=len(rows)))
        auxiliary = self._auxiliary_of(records) if self._auxiliary else None
        teacher = None if states.teacher is None else states.teacher.rows(rows)
        sight = None if self._sight is None else self._sight.rows(rows)
        return Batch(frames, self._rows[rows], auxiliary, teacher, sight)

    def _auxiliary_of(self, records: NDArray[np.void]) -> NDArray[np.float32]:
        cameras = self._looks.cameras
        return np.stack([auxiliary_targets_of(one, cameras[one["stage"]]) for one in records])


@dataclass(frozen=True, kw_only=True)
class CollectorConfig:
    """How a student plays while it learns.

    Attributes:
        arenas: Arenas side by side.
        teacher_share: Share of them in which the teacher plays, so that what only a good player
            reaches is seen as well.
        n_action_steps: Actions of a chunk that are played before the next look.
        stages: Episodes begin on one of these by chance; named twice, twice as often.
        max_steps: Steps after which an episode is cut off.
    """

    arenas: int = 256
    teacher_share: float = 0.25
    n_action_steps: int = 3
    stages: tuple[int, ...] = (1, 1, 2, 3)
    max_steps: int = MAX_EPISODE_STEPS


class Collector:
    """Arenas that play on from one collection to the next."""

    def __init__(
        self,
        teacher: Agent | None,
        config: CollectorConfig,
        looks: Looks,
        *,
        settings: Settings,
        seed: int,
        num_threads: int = 1,
    ) -> None:
        """Begins an episode in every arena.

        Args:
            teacher: Who says what it would do; None: the student itself, who then plays alone.
            config: How the student plays.
            looks: In which skins the student sees; arena i plays in number i modulo theirs.
            settings: Of the game.
            seed: Of the games.
            num_threads: That step and draw; they change no result.
        """
        self.config = config
        self._teacher = teacher
        self._looks = looks
        self._rng = np.random.default_rng(seed)
        count = config.arenas
        self._arenas = Arenas(
            settings, count=count, limit=config.max_steps, num_threads=num_threads
        )
        self._takeover: Takeover | None = None
        if teacher is not None:
            self._takeover = Takeover(teacher, settings, count=count, num_threads=num_threads)
        self._skins = np.arange(count) % len(looks)
        teaching = round(count * config.teacher_share) if teacher is not None else 0
        self._teaching = np.arange(count) < teaching
        everyone = np.ones(count, dtype=np.bool_)
        begin_by_chance(self._arenas, everyone, self._rng, config.stages)

    def collect(self, predict: Predict, looks: int) -> LabelledStates:
        """Plays on, and labels every state in which the student looks.

        Args:
            predict: The student.
            looks: How often it looks, in every arena.
        """
        return LabelledStates.joined([self._look(predict) for _ in range(looks)])

    def _look(self, predict: Predict) -> LabelledStates:
        arenas = self._arenas
        records = arenas.records.copy()
        chunks = predict(self._looks.draw(records, self._skins)).copy()
        labels = chunks
        teacher: TeacherTargets | None = None
        if self._teacher is not None and self._takeover is not None:
            labels = self._takeover.chunks(records, steps=HORIZON)
            teacher = targets_of(self._teacher, arenas.observe())
            chunks[self._teaching] = labels[self._teaching]
        playing = np.ones(len(arenas), dtype=np.bool_)
        for step in range(self.config.n_action_steps):
            arenas.step(chunks[:, step], playing)
            playing &= ~(arenas.terminated | arenas.truncated)
        if not playing.all():
            begin_by_chance(arenas, ~playing, self._rng, self.config.stages)
        return LabelledStates(records, labels, teacher)


def begin_by_chance(
    arenas: Arenas, chosen: NDArray[np.bool_], rng: np.random.Generator, stages: Sequence[int]
) -> None:
    """Begins an episode in each chosen arena, on a stage drawn by chance.

    Args:
        arenas: The batch.
        chosen: (n,) in which.
        rng: Draws stages and seeds, for all arenas each time.
        stages: To choose from; one that is named twice comes twice as often.
    """
    count = len(arenas)
    keys = rng.integers(0, 2**32, (count, 2))
    drawn = rng.choice(stages, count)
    for stage in sorted(set(stages)):
        mask = chosen & (drawn == stage)
        if mask.any():
            arenas.begin(mask, keys, stage=stage)


def targets_of(teacher: Agent, tables: StateTables) -> TeacherTargets | None:
    """What a teacher thinks of some states beside its actions; None if it cannot say."""
    verdict = getattr(teacher, "verdict", None)
    if verdict is None:
        return None
    return TeacherTargets(*verdict(dict(zip(TABLES, tables, strict=True))))
