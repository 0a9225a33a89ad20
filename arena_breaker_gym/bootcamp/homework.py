"""The data set: what the student learns from its tutor's episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from arena_breaker_agents.registry import make_agent
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.bootcamp.plan import BootcampPlan
from arena_breaker_gym.distillation.collector import targets_of
from arena_breaker_gym.rollout import Agent, Episode
from arena_breaker_gym.settings import Settings
from nitrogen_adapter.config import NitroGenConfig
from nitrogen_adapter.data.dataset import EpisodeExamples
from nitrogen_adapter.data.examples import ArrayExamples, TeacherTargets
from nitrogen_adapter.data.label_statistics import LabelStatistics
from nitrogen_adapter.gamepad import GamepadSettings

_TOGETHER = 256  # states that are told of at once


def homework(
    demonstrations: list[Episode],
    plan: BootcampPlan,
    config: NitroGenConfig,
    *,
    on_episode: Callable[[int, int], None] | None = None,
) -> tuple[ArrayExamples, LabelStatistics]:
    """Frames and chunks as a student's model wants them, with what simulator and tutor know.

    Args:
        demonstrations: The tutor's episodes.
        plan: Which moments are taken, and the looks that they are drawn in.
        config: Of the model.
        on_episode: Told after every episode how many are drawn, and of how many.

    Returns:
        The examples, with sights, and with the tutor's own view of the states if it can tell it;
        and what they hold.

    Raises:
        ValueError: If nothing is left to learn from.
    """
    chunks = replace(
        plan.chunks,
        action_shift=config.action_shift,
        frames=config.frame_per_sample,
        frame_spacing=config.frame_spacing,
    )
    examples = EpisodeExamples(
        demonstrations,
        chunks,
        size=config.vision.image_size,
        skin=plan.skin,
        buttons=GamepadSettings(old_layout=config.old_layout),
    )
    collected = examples.collect(on_episode)
    if plan.posttrain.teacher_weight:
        collected = replace(collected, teacher=_told(examples, plan))
    return collected, examples.statistics()


def _told(examples: EpisodeExamples, plan: BootcampPlan) -> TeacherTargets | None:
    tutor = make_agent(plan.tutor)
    try:
        return told_by(tutor, examples)
    finally:
        tutor.close()


def told_by(tutor: Agent, examples: EpisodeExamples) -> TeacherTargets | None:
    """What a tutor thinks of the states of some examples; None if it cannot say."""
    if not hasattr(tutor, "verdict"):
        return None
    arenas = Arenas(Settings(stages=examples.episodes[0].settings.stages), count=_TOGETHER)
    parts = []
    for records in examples.records():
        for first in range(0, len(records), _TOGETHER):
            some = records[first : first + _TOGETHER]
            arenas.records[: len(some)] = some
            told = targets_of(tutor, arenas.observe())
            if told is not None:
                parts.append(told.rows(np.arange(len(some))))
    return TeacherTargets(*(np.concatenate(column) for column in zip(*parts, strict=True)))
