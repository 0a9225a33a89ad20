"""DAgger on the new look: the student plays, the tutor says what it would have done there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.distillation.collector import Collector, CollectorConfig
from arena_breaker_gym.distillation.states import Looks, StateExamples
from arena_breaker_gym.rollout import Agent
from arena_breaker_gym.settings import Settings
from nitrogen_adapter.data.examples import ArrayExamples, TeacherTargets

ARENAS = 64  # in which the student plays side by side
SEEDS = 30_000_000  # of the first round's games; no seed that is measured

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def visited_examples(
    predict: Predict,
    tutor: Agent,
    settings: Settings,
    *,
    count: int,
    n_action_steps: int,
    seed: int,
) -> ArrayExamples:
    """Frames that a student came to see while it played, with its tutor's next 18 actions.

    Args:
        predict: The student: frames to chunks of actions.
        tutor: Takes over at every look to say what it would do.
        settings: Of the game; pixel size and skin are what the student sees.
        count: How many examples, rounded up to a whole number of looks of all arenas.
        n_action_steps: Actions that the student plays before it looks again.
        seed: Of the games.
    """
    looks = Looks(settings, [settings.skin])
    config = CollectorConfig(arenas=ARENAS, teacher_share=0.0, n_action_steps=n_action_steps)
    collector = Collector(tutor, config, looks, settings=settings, seed=SEEDS + seed)
    states = collector.collect(predict, -(-count // ARENAS))
    batch = StateExamples(states, looks, seed=seed).batch(np.arange(len(states.records)))
    return ArrayExamples(*batch)


def joined(first: ArrayExamples, second: ArrayExamples) -> ArrayExamples:
    """All examples of two collections, without what only one of them knows."""
    auxiliary = teacher = None
    if first.auxiliary is not None and second.auxiliary is not None:
        auxiliary = np.concatenate([first.auxiliary, second.auxiliary])
    if first.teacher is not None and second.teacher is not None:
        pairs = zip(first.teacher, second.teacher, strict=True)
        teacher = TeacherTargets(*(np.concatenate(pair) for pair in pairs))
    return ArrayExamples(
        np.concatenate([first.inputs, second.inputs]),
        np.concatenate([first.actions, second.actions]),
        auxiliary,
        teacher,
    )
