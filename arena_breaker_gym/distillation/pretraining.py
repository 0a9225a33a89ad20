"""`Pretraining`: makes the base, a small NitroGen that has played this game in other looks.

In rounds: the student plays, the expert labels every state that it reaches, and it learns from the
states of the last few rounds, drawn in skins by chance. What comes out has never seen the skins
that are held out. `quiet_student` is how it plays while it learns.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from arena_breaker_agents.expert import ExpertAgent
from arena_breaker_agents.nitrogen import NitroGenPolicy
from arena_breaker_gym._runtime.files import Claim, claimed, sweep_leftovers
from arena_breaker_gym._runtime.run_folder import claim_folder, write_json
from arena_breaker_gym._runtime.stored import is_number, is_whole, json_in, read_stored
from arena_breaker_gym.distillation.collector import (
    Collector,
    CollectorConfig,
    LabelledStates,
    Looks,
    StateExamples,
)
from arena_breaker_gym.loggers import Board
from arena_breaker_gym.rollout import Agent, rollout
from arena_breaker_gym.settings import Settings
from nitrogen_adapter import checkpoint, gamepad
from nitrogen_adapter.inference import LocalPredictor
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.training.config import RENAMED, TrainingConfig
from nitrogen_adapter.training.trainer import Trainer, TrainingProgress, bfloat16_is_faster
from nitrogen_adapter.vision import normalise

SEEN_SKINS = ("blueprint", "chalkboard", "garden", "lava", "neon", "newsprint")
"""Few, and most drawn in lines on plain grounds: a base of nine skins of all kinds also played in a
tenth, so that nothing was left to teach; one of four was blind in a fifth and slow to adapt. Lava
and newsprint came when the shipped base had seen 2.5 million examples of the others."""

SEEN_BEFORE = ("handheld",)
"""Seen by the shipped base up to 6.5 million examples, and no longer: five shades in blocks of four
pixels hide shots at 96 pixels, and a third of the expert's kills was all that came of it. Garden
took its place."""

HELD_OUT_SKINS = ("default", "candy", "desert", "ice", "paper")

BASE, UNFINISHED, SETTINGS = "base.safetensors", "training.pt", "settings.json"
RESULT, REPORT = "model.pt", "report.json"
SO_FAR = "training.json"
"""How far a base's training had come, beside the base: who begins with it counts on from there."""

Advance = Callable[[str, float], None]

_GAMES = 50_000_000  # seeds of training games begin here, far from those of benchmarks
_EVALUATION_SEED = 40_000_000
_LARGEST_NOTE = 4096  # bytes of `training.json`


def _training() -> TrainingConfig:
    return TrainingConfig.distilling(
        steps=400_000,
        learning_rate=1e-3,
        warmup_steps=200,
        schedule="inverse_sqrt",
        ema_decay=0.9995,
        action_discount=1.0,
    )


@dataclass(frozen=True, kw_only=True)
class PretrainingConfig:
    """How a base is made.

    Attributes:
        preset: Which model; its frame size is what it sees.
        skins: In which looks.
        hud: Whether it sees the HUD that people see over the game.
        looks_a_round: How often the student looks in every arena between two trainings.
        rounds_kept: Rounds whose states it learns from.
        steps_a_round: Optimiser steps on them.
        flow_steps: Euler steps of the student at play; None: the model's own.
        evaluate_every: Rounds between two evaluations; None: there are none.
        evaluations: Episodes of an evaluation, on a seen skin, stage 1.
        collector: How it plays.
        training: How it learns; its `steps` come on top of those of a base that it begins with.
        seed: Of weights, games, and choices.
    """

    preset: str = "student"
    skins: tuple[str, ...] = SEEN_SKINS
    hud: bool = False
    looks_a_round: int = 32
    rounds_kept: int = 4
    steps_a_round: int = 192
    flow_steps: int | None = 2
    evaluate_every: int | None = 16
    evaluations: int = 32
    collector: CollectorConfig = field(default_factory=CollectorConfig)
    training: TrainingConfig = field(default_factory=_training)
    seed: int = 0

    @classmethod
    def annealing(cls, rounds: int, **changes: Any) -> Self:
        """How a base that has learned for long is brought to an end.

        The learning rate rises once more and falls to zero (a warm restart, Loshchilov and Hutter
        2017, arXiv 1608.03983), and the actions that are played before the next look count most.

        Args:
            rounds: Of play and training in which it falls.
            changes: Settings that are to be others.
        """
        config = cls(**changes)
        training = replace(
            config.training,
            steps=rounds * config.steps_a_round,
            schedule="cosine",
            learning_rate=5e-4,
            warmup_steps=500,
            ema_decay=0.999,
            action_discount=0.9,
        )
        return replace(config, training=training)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return json.loads(json.dumps({**asdict(self), "training": self.training.to_dict()}))  # type: ignore[no-any-return]


class Pretraining:
    """One base in one folder, killed and run again as often as you like.

    It also goes on with a student in looks of its own, and with another teacher: that is DAgger.

    The folder gets `settings.json`, `training.pt` (what goes on), `base.safetensors` with its
    configuration (the averaged weights, in half precision) and `training.json` (how far it has
    come), `metrics.jsonl` and `tensorboard/`. States are not kept: a run that goes on plays again
    before it learns.
    """

    def __init__(
        self,
        folder: Path,
        config: PretrainingConfig | None = None,
        *,
        start: Path | None = None,
        teacher: Agent | None = None,
        device: str = "cpu",
        num_threads: int = 2,
    ) -> None:
        """Prepares; nothing is played yet.

        Args:
            folder: Of the run.
            config: How; None: as the shipped base.
            start: A checkpoint whose weights it begins with; None: fresh ones. If `training.json`
                lies beside it, steps are counted on from there.
            teacher: Who says what it would do; None: the expert.
            device: Where it learns.
            num_threads: That compute.

        Raises:
            ValueError: If the folder is another base's, or there is no such skin; a folder that was
                not there is not made then.
        """
        self.config = config or PretrainingConfig()
        self.folder = folder
        torch.set_num_threads(num_threads)
        model = _model(self.config, start, device)
        self._settings = Settings(pixel_size=model.config.vision.image_size)
        self._looks = Looks(
            self._settings, self.config.skins, hud=self.config.hud, num_threads=num_threads
        )
        sweep_leftovers(folder)  # once it is known that there is all that it takes
        claim_folder(
            folder / SETTINGS,
            self.config.to_dict(),
            what="a base",
            renamed=RENAMED,
            usual={"hud": False},
        )
        self._teacher = ExpertAgent() if teacher is None else teacher
        self._num_threads = num_threads
        self._collector = self._new_collector(0)
        self._kept: deque[LabelledStates] = deque(maxlen=self.config.rounds_kept)
        self._played_before = start is not None
        self._trainer = self._new_trainer(model)
        if start is not None:
            self._count_on(start.with_name(SO_FAR))
        if self._trainer.step:
            self._collector = self._new_collector(self._trainer.step)
        self._resumed: int | None = None
        self._resume()

    @property
    def rounds(self) -> int:
        """Rounds done."""
        return self._trainer.step // self.config.steps_a_round

    def run(self, advance: Advance, *, until_round: int | None = None) -> Path:
        """Goes on until a round is reached, or to the end.

        Args:
            advance: Called with what is going on and the share done, in [0, 1].
            until_round: The last round; None: as many as the training's steps come to.

        Returns:
            The base's file.

        Raises:
            ValueError: If another run is at work in the folder, it is deleted meanwhile, or what
                it begins with has as many rounds already.
        """
        with claimed(self.folder) as claim:
            self._resume()
            self._run(advance, until_round, claim)
        return self.folder / BASE

    def report(self) -> None:
        """Writes the result as a post-training leaves it, `model.pt` and `report.json`."""
        model = checkpoint.load(self.folder / BASE)
        checkpoint.save(self.folder / RESULT, model)
        about: dict[str, object] = {
            "parameters": model.num_parameters(),
            "trained_parameters": self._trainer.learning(),
            "examples": self._trainer.step * self.config.training.batch_size,
            "steps": self._trainer.step,
            "seconds": round(self._trainer.seconds, 3),
            "played": None,
            "scores": {},
        }
        write_json(self.folder / REPORT, about)

    def _resume(self) -> None:
        """Goes on from the folder's state, unless it is the one that was read or written last."""
        found = _version_of(self.folder / UNFINISHED)
        if found in (None, self._resumed):
            return
        self._trainer.resume(self.folder / UNFINISHED)
        self._resumed, self._played_before = found, True
        self._collector = self._new_collector(self._trainer.step)
        self._kept.clear()

    def _run(self, advance: Advance, until_round: int | None, claim: Claim) -> None:
        total = self._trainer.total_steps // self.config.steps_a_round
        last = total if until_round is None else min(until_round, total)
        if self.rounds >= last:
            self._end_again(last)
            return
        board = Board(self.folder, step=self._trainer.step)
        try:
            while self.rounds < last and self._trainer.fraction < 1.0:
                self._round(board, advance, last)
                claim.check()
                self._save(board)
        finally:
            board.close()

    def _end_again(self, last: int) -> None:
        """Writes the base of a training that is done: a kill may have come before it was."""
        if self._resumed is None:
            raise ValueError(
                f"What it begins with has {self.rounds} rounds already, and {last} are wanted in "
                "all: nothing is left to do."
            )
        self._save_base()

    def _round(self, board: Board, advance: Advance, last: int) -> None:
        self._collect()
        trainer = self._trainer
        end = trainer.step + self.config.steps_a_round
        losses: list[float] = []

        def watch(now: TrainingProgress) -> None:
            losses.append(now.loss)
            words = f"round {self.rounds}, loss {now.loss:.3f}, {now.examples_per_second:.0f}/s"
            advance(words, now.step / (last * self.config.steps_a_round))

        trainer.run(watch, until_step=end)
        board.note("train", trainer.step, {"loss": float(np.mean(losses)), **self._figures()})
        every = self.config.evaluate_every
        if every is not None and self.rounds % every == 0:
            board.note("play", trainer.step, self._evaluate())

    def _save(self, board: Board) -> None:
        board.save()
        self._trainer.save(self.folder / UNFINISHED)
        self._resumed = _version_of(self.folder / UNFINISHED)
        self._save_base()

    def _figures(self) -> dict[str, float | None]:
        trainer = self._trainer
        samples = trainer.step * self.config.training.batch_size
        return {"samples": samples, "training_seconds": trainer.seconds, "clock": time.time()}

    def _collect(self) -> None:
        """Plays a round; without any state yet, as many rounds as are kept."""
        wanted = 1 if self._kept else (self.config.rounds_kept if self._played_before else 1)
        with self._trainer.averaged() as model:
            for _ in range(wanted):
                predict = quiet_student(model, self.config.flow_steps)
                self._kept.append(self._collector.collect(predict, self.config.looks_a_round))
        states = LabelledStates.joined(list(self._kept))
        self._trainer.learn_from(StateExamples(states, self._looks, seed=self._trainer.step))

    def _evaluate(self) -> dict[str, float | None]:
        assert self.config.evaluate_every is not None
        skin = self.config.skins[self.rounds // self.config.evaluate_every % len(self.config.skins)]
        with self._trainer.averaged() as model:
            predictor = LocalPredictor(model, quiet=True)
            agent = NitroGenPolicy(
                predictor,
                n_action_steps=self.config.collector.n_action_steps,
                hud=self.config.hud,
            )
            episodes = rollout(
                agent,
                episodes=self.config.evaluations,
                seed=_EVALUATION_SEED,
                num_envs=self.config.evaluations,
                env={"skin": skin, "pixel_size": self._settings.pixel_size},
            )
        figures = [one.metrics for one in episodes]
        names = ("kills", "survival_seconds", "dashes")
        means = {name: float(np.mean([one[name] for one in figures])) for name in names}
        return {"skin": self.config.skins.index(skin), **means}

    def _save_base(self) -> None:
        with self._trainer.averaged() as model:
            checkpoint.save(self.folder / BASE, model, dtype=torch.float16)
        so_far = {"steps": self._trainer.step, "seconds": round(self._trainer.seconds, 1)}
        write_json(self.folder / SO_FAR, so_far)

    def _count_on(self, file: Path) -> None:
        if not file.exists():
            return
        try:
            so_far = json_in(read_stored(file, most=_LARGEST_NOTE))
            steps, seconds = so_far["steps"], so_far["seconds"]
        except (ValueError, KeyError, TypeError):
            steps = seconds = None
        if not is_whole(steps) or not is_number(seconds) or seconds < 0:
            raise ValueError(
                f"{file}: damaged; expected the steps and seconds of the base beside it. Delete it "
                "to count from nothing."
            )
        self._trainer.begin_at(steps, float(seconds))

    def _new_collector(self, step: int) -> Collector:
        return Collector(
            self._teacher,
            self.config.collector,
            self._looks,
            settings=self._settings,
            seed=_GAMES + self.config.seed + step,
            num_threads=self._num_threads,
        )

    def _new_trainer(self, model: NitroGen) -> Trainer:
        first = self._collector.collect(_idle, 1)
        examples = StateExamples(first, self._looks, seed=self.config.seed)
        return Trainer(model, examples, self.config.training)


def _version_of(file: Path) -> int | None:
    """Tells the states that stand under one name, one after another, apart; None: there is none."""
    return file.stat().st_mtime_ns if file.exists() else None


def _model(config: PretrainingConfig, start: Path | None, device: str) -> NitroGen:
    if start is not None:
        return checkpoint.load(start, device=device)
    return NitroGen.preset(config.preset, seed=config.seed, device=device)


def _idle(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.zeros((len(frames), 18, 5), dtype=np.float32)


def quiet_student(
    model: NitroGen, steps: int | None = None
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A student that denoises from zeros, towards the middle of what it thinks likely.

    Args:
        model: In evaluation mode; it looks at one frame at a time.
        steps: Euler steps; None: the model's own.

    Returns:
        Frames (n, size, size, 3) to chunks of actions (n, 18, 5).
    """
    config = model.config
    device = next(model.parameters()).device

    @torch.inference_mode()
    def predict(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        noise = torch.zeros(len(frames), config.action_horizon, config.action_dim, device=device)
        mixed = bfloat16_is_faster(device.type)
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            rows = model.sample(normalise(frames)[:, None].to(device), noise, steps)
        actions: NDArray[np.float32] = gamepad.unpack(rows.float().cpu().numpy())
        return actions

    return predict
