"""`Student`: who is taught: the shipped base, a preset, a checkpoint, or a model on a server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from arena_breaker_agents.nitrogen import REMOTE, NitroGenPolicy
from arena_breaker_agents.registry import make_agent
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.bootcamp.plan import BootcampPlan, is_base
from arena_breaker_gym.distillation.collector import (
    Collector,
    CollectorConfig,
    LabelledStates,
    Looks,
    targets_of,
)
from arena_breaker_gym.distillation.pretraining import PretrainingConfig
from arena_breaker_gym.rollout import Agent, Episode
from arena_breaker_gym.settings import Settings
from nitrogen_adapter import checkpoint, gamepad
from nitrogen_adapter.config import NitroGenConfig
from nitrogen_adapter.data.dataset import ChunkSettings, EpisodeExamples
from nitrogen_adapter.data.examples import ArrayExamples, SightTargets, TeacherTargets
from nitrogen_adapter.data.label_statistics import LabelStatistics
from nitrogen_adapter.gamepad import GamepadSettings
from nitrogen_adapter.inference import ChunkPredictor, LocalPredictor
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.presets import PRESETS, file_of
from nitrogen_adapter.training.alignment import look_ahead
from nitrogen_adapter.training.config import TrainingConfig
from nitrogen_adapter.training.trainer import bfloat16_is_faster, computes_in_bfloat16

FRAME_SIZE = 256  # pixels of a side; NitroGen's own, which a server does not tell

_TOGETHER = 256  # states that are told of at once

ARENAS = 64  # in which it plays side by side in DAgger: few, so that its games go on for minutes
_ROUNDS_KEPT = 6  # of DAgger, whose states it learns from
_TIMES_LEARNED = 3  # so often a round of DAgger takes as many examples as it adds states
_TUTORS_SHARE = 0.1  # of the arenas: what only a good player reaches is met as well

_PRACTICE_ARENAS = 24
"""Few again: of 128 arenas 25,600 moments all lie in a game's first 20 seconds. Who learned to see
from those killed 50 instead of 64 with 32 arenas (100 episodes each, while this was made)."""

_PRACTICE_SEEDS = 35_000_000  # of the games in which it practises; no seed that is measured

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Student:
    """One student before and after training, in one folder.

    A model on a server can be measured and not trained from here.
    """

    def __init__(self, source: str, folder: Path, *, seed: int) -> None:
        """Looks who it is; nothing is written yet.

        Args:
            source: "base", the name of a preset, a checkpoint file, or "tcp://host:port".
            folder: Where its trainings are kept.
            seed: Of a preset's first weights.

        Raises:
            ValueError: If it is none of these.
        """
        self.source = source
        self.folder = folder
        self.seed = seed
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self._file = None if self.remote else file_of(source)

    @cached_property
    def _small(self) -> bool:
        """Whether it is one of ours, which plays from zeros; its file is read to know that."""
        return self.source in PRESETS or is_base(self.source)

    @property
    def remote(self) -> bool:
        """Whether a server predicts for it."""
        return self.source.startswith(REMOTE)

    def training_folder(self, name: str) -> Path:
        """Where a training is kept.

        Args:
            name: Of the student that comes out of it.
        """
        return self.folder / re.sub(r"\W+", "_", name)

    def trained(self, name: str) -> Path:
        """Where the checkpoint of a trained student lies."""
        return self.training_folder(name) / "model.pt"

    def fresh(self) -> NitroGen:
        """The model before training, in evaluation mode: dropout would make its play another."""
        if self._file is None:
            return NitroGen.preset(self.source, seed=self.seed, device=self.device).eval()
        return checkpoint.load(self._file, device=self.device)

    @property
    def frame_size(self) -> int:
        """Side of the frames that it looks at, in pixels."""
        return self.fresh().config.vision.image_size if self._small else FRAME_SIZE

    def agent(
        self, name: str, *, trained: bool, n_action_steps: int, hud: bool = False
    ) -> NitroGenPolicy:
        """The agent that plays as a student does before or after a training.

        Args:
            name: Of its rows, and of its training.
            trained: Whether it plays as after training.
            n_action_steps: Actions of a chunk that it plays before it looks again.
            hud: Whether it sees the HUD.
        """
        predictor = self._predictor(name if trained else None)
        return NitroGenPolicy(predictor, name=name, n_action_steps=n_action_steps, hud=hud)

    def most_arenas(self) -> int | None:
        """Arenas that it can play in at once; None: any number."""
        if not self.remote:
            return None
        predictor = self._predictor(None)
        predictor.close()
        return predictor.max_sessions

    def _predictor(self, trained: str | None) -> ChunkPredictor:
        if self.remote:
            from nitrogen_adapter.remote.client import RemotePredictor

            return RemotePredictor(self.source)
        model = self.fresh()
        if trained is not None:
            model = checkpoint.load(self.trained(trained), device=self.device)
        # The small student denoises from zeros, to the middle of what it thinks likely: drawn
        # noise gives a likely action, a new one at every look, and its play trembles.
        return LocalPredictor(
            model, quiet=self._small, autocast=self._small and bfloat16_is_faster(self.device)
        )


def homework(
    demonstrations: list[Episode],
    plan: BootcampPlan,
    model: NitroGen,
    *,
    on_episode: Callable[[int, int], None] | None = None,
) -> tuple[ArrayExamples, LabelStatistics]:
    """Frames and chunks as a student's model wants them, with what simulator and tutor know.

    Args:
        demonstrations: The tutor's episodes.
        plan: Which moments are taken, and the looks that they are drawn in.
        model: The student before it learns.
        on_episode: Told after every episode how many are drawn, and of how many.

    Returns:
        The examples, with auxiliary targets, with the tutor's own view of the states if it can
        tell it, and with what the student sees of them in looks that it knows; and what they hold.

    Raises:
        ValueError: If nothing is left to learn from.
    """
    config = model.config
    examples = EpisodeExamples(
        demonstrations,
        _chunks(plan, config),
        size=config.vision.image_size,
        skin=plan.skin,
        hud=plan.hud,
        buttons=GamepadSettings(old_layout=config.old_layout),
    )
    collected = examples.collect(on_episode)
    if plan.posttrain.teacher_weight:
        collected = replace(collected, teacher=_told(examples, plan))
    if plan.posttrain.alignment_weight and plan.familiar_skin is not None:
        frames = _drawn_in(plan.familiar_skin, examples)
        collected = replace(collected, sight=sight_of(model, frames, plan.posttrain))
    return collected, examples.statistics()


def _chunks(plan: BootcampPlan, config: NitroGenConfig) -> ChunkSettings:
    """Which moments become examples of a model."""
    return replace(
        plan.chunks,
        action_shift=config.action_shift,
        frames=config.frame_per_sample,
        frame_spacing=config.frame_spacing,
    )


def sight_of(
    model: NitroGen, frames: Iterable[NDArray[np.uint8]], training: TrainingConfig
) -> SightTargets:
    """What a student sees of moments in looks that it knows, before it learns.

    Args:
        model: The student.
        frames: Of all moments in their order, some at a time.
        training: What it is then told that in, and in which precision it computes there.
    """
    device = next(model.parameters()).device.type
    bfloat16 = computes_in_bfloat16(training, device)
    return look_ahead(model, frames, game=training.game, bfloat16=bfloat16)


def _drawn_in(skin: str, examples: EpisodeExamples) -> Iterator[NDArray[np.uint8]]:
    """The newest frames of all examples in another look."""
    stages = examples.episodes[0].settings.stages
    looks = Looks(Settings(stages=stages, pixel_size=examples.size), [skin])
    return (looks.draw_all(records) for records in examples.records())


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
    for records in examples.records(ahead=examples.settings.action_shift):
        for first in range(0, len(records), _TOGETHER):
            some = records[first : first + _TOGETHER]
            arenas.records[: len(some)] = some
            told = targets_of(tutor, arenas.observe())
            if told is not None:
                parts.append(told.rows(np.arange(len(some))))
    return TeacherTargets(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def practised_states(
    predict: Predict,
    settings: Settings,
    *,
    count: int,
    n_action_steps: int,
    seed: int,
    on_look: Callable[[int, int], None] | None = None,
) -> LabelledStates:
    """Moments that a student meets while it plays by itself; its own actions are their labels.

    A tutor's moments alone are too orderly to learn from them to see, in the crowds that a student
    gets into.

    Args:
        predict: The student: frames to chunks of actions.
        settings: Of the game; pixel size and skin are what it sees while it plays.
        count: How many moments, rounded up to a whole number of looks of all arenas.
        n_action_steps: Actions that it plays before it looks again.
        seed: Of the games.
        on_look: Told after every look how many there were, and of how many.
    """
    looks = Looks(settings, [settings.skin])
    config = CollectorConfig(
        arenas=_PRACTICE_ARENAS, teacher_share=0.0, n_action_steps=n_action_steps
    )
    collector = Collector(None, config, looks, settings=settings, seed=_PRACTICE_SEEDS + seed)
    met, total = [], -(-count // _PRACTICE_ARENAS)
    for done in range(1, total + 1):
        met.append(collector.collect(predict, 1))
        if on_look is not None:
            on_look(done, total)
    return LabelledStates.joined(met)


def shown_states(
    demonstrations: list[Episode],
    plan: BootcampPlan,
    config: NitroGenConfig,
    rows: NDArray[np.float32],
) -> LabelledStates:
    """The moments of a tutor's episodes that a homework is made of.

    Args:
        demonstrations: The episodes.
        plan: Says which moments.
        config: Of the model.
        rows: (n, 18, 25) what the tutor did from there on, as `homework` gives it.
    """
    examples = EpisodeExamples(demonstrations, _chunks(plan, config), skin=plan.skin)
    records = np.concatenate(list(examples.records()))
    return LabelledStates(records, gamepad.unpack(rows), None)


def rounds_of_dagger(plan: BootcampPlan, tutor: Agent) -> PretrainingConfig:
    """How a trained student goes on in the new looks, with its tutor's labels of what it meets.

    Args:
        plan: Says in how many rounds of how many states.
        tutor: Who labels them.
    """
    learning = plan.distillation
    steps = -(-_TIMES_LEARNED * plan.dagger_states // learning.batch_size)
    if not hasattr(tutor, "verdict"):  # it cannot say more than what it does
        learning = replace(learning, teacher_weight=0.0)
    return PretrainingConfig(
        skins=(plan.skin,),
        hud=plan.hud,
        looks_a_round=-(-plan.dagger_states // ARENAS),
        rounds_kept=_ROUNDS_KEPT,
        steps_a_round=steps,
        flow_steps=None,
        evaluate_every=None,
        collector=CollectorConfig(
            arenas=ARENAS, teacher_share=_TUTORS_SHARE, n_action_steps=plan.n_action_steps
        ),
        training=replace(learning, steps=plan.dagger * steps),
        seed=plan.seed,
    )
