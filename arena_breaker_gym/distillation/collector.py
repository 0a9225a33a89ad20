"""`Collector`: arenas in which a student plays, while a teacher says what it would do there.

This is DAgger (Ross et al. 2011, arXiv 1011.0686): a student that only ever saw its teacher's
states does not know what to do after its own first mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.batch.observation import TABLES, StateTables
from arena_breaker_gym.distillation.states import LabelledStates, Looks
from arena_breaker_gym.distillation.takeover import Takeover
from arena_breaker_gym.rollout.agent import Agent
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings
from nitrogen_adapter.data.examples import TeacherTargets

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""A student: frames (n, size, size, 3) to chunks of actions (n, 18, 5)."""

HORIZON = 18  # actions of a chunk


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
        teacher: Agent,
        config: CollectorConfig,
        looks: Looks,
        *,
        settings: Settings,
        seed: int,
        num_threads: int = 1,
    ) -> None:
        """Begins an episode in every arena.

        Args:
            teacher: Who says what it would do.
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
        self._takeover = Takeover(teacher, settings, count=count, num_threads=num_threads)
        self._skins = np.arange(count) % len(looks)
        self._teaching = np.arange(count) < round(count * config.teacher_share)
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
        labels = self._takeover.chunks(records, steps=HORIZON)
        teacher = targets_of(self._teacher, arenas.observe())
        chunks = predict(self._looks.draw(records, self._skins)).copy()
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
