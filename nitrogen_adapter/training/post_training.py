"""`PostTraining`: a model learns from recorded play, and is judged by play that it did not learn.

The one way from a checkpoint and a folder of episodes, labels or a Minari data set to a trained
model: the command line, notebooks and scripts of your own all come through here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nitrogen_adapter import checkpoint
from nitrogen_adapter.data.examples import Examples
from nitrogen_adapter.data.features import cache_features
from nitrogen_adapter.data.label_examples import split_labels
from nitrogen_adapter.gamepad import GamepadSettings
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.presets import file_of
from nitrogen_adapter.training.config import TrainingConfig
from nitrogen_adapter.training.data_split import (
    DataSplit,
    HeldOut,
    chunks_for,
    from_episodes,
    from_minari,
    made_ahead,
    mean_row,
)
from nitrogen_adapter.training.processes import Processes
from nitrogen_adapter.training.run import SAVE_EVERY, TrainingRun, claim, finished
from nitrogen_adapter.training.trainer import Trainer

Advance = Callable[[str, float], None]

_DRAWING = 0.05  # of the progress: the drawing of frames


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What is learned from, and how much of it is kept to judge by.

    Attributes:
        episodes: folders with stored episodes.
        labels: folders of labels with frames beside them.
        minari: the name of a Minari data set. One of these three is given.
        rows_per_step: rows of labels that are a step of the game; None: as they say.
        table: gamepad table of the Minari data set's actions; None: the first that fits.
        pixels: which entry of its observations is the picture; None: the only one.
        skin: looks that episodes are drawn in; None: as they were played.
        stride: steps from one example to the next.
        action_shift: steps between a frame and its chunk; None: the model's own.
        dash_button: button of the gamepad that dashes.
        heldout: share of the episodes that nothing is learned from.
    """

    episodes: tuple[Path, ...] = ()
    labels: tuple[Path, ...] = ()
    minari: str | None = None
    rows_per_step: int | None = None
    table: str | None = None
    pixels: str | None = None
    skin: str | None = None
    stride: int = 1
    action_shift: int | None = None
    dash_button: str = "RIGHT_SHOULDER"
    heldout: float = 0.1

    def __post_init__(self) -> None:
        """Refuse none and several sources.

        Raises:
            ValueError: if so.
        """
        if sum(map(bool, (self.episodes, self.labels, self.minari))) != 1:
            raise ValueError("Name what to learn from: one of --episodes, --labels and --minari.")

    def split(self, model: NitroGen, seed: int) -> DataSplit:
        """Return what a model learns from and what it is judged by.

        Args:
            model: whose frames, chunks and gamepad layout count.
            seed: of the choice of episodes that are held out.

        Raises:
            ValueError: if the data cannot be had or learned from.
        """
        config = model.config
        chunks = chunks_for(config, stride=self.stride, action_shift=self.action_shift)
        buttons = GamepadSettings(dash_button=self.dash_button, old_layout=config.old_layout)
        terms: dict[str, Any] = {
            "size": config.vision.image_size,
            "heldout": self.heldout,
            "seed": seed,
        }
        if self.episodes:
            return from_episodes(self.episodes, chunks, skin=self.skin, buttons=buttons, **terms)
        if self.minari:
            picture: dict[str, Any] = {"table": self.table, "pixels": self.pixels}
            return from_minari(self.minari, chunks, buttons=buttons, **picture, **terms)
        split = split_labels(
            self.labels,
            chunks,
            old_layout=buttons.old_layout,
            dash=buttons.dash_button,
            rows_per_step=self.rows_per_step,
            **terms,
        )
        return DataSplit(*split, buttons)


@dataclass(frozen=True, kw_only=True)
class PostTrainingConfig:
    """What learns, from what, how, and how it is judged.

    Attributes:
        base: the name of a shipped checkpoint or of a preset, or a checkpoint file.
        data: what is learned from.
        training: how.
        balanced: whether rare buttons count more, the more the rarer they are; the weights that
            `training` names count on top.
        heldout_most: most held-out examples that are looked at each time.
        heldout_every: steps between two looks at them; None: an epoch.
        n_action_steps: actions of a chunk that will be played, and are judged by themselves.
        cache_features: whether each frame is looked at once only, and what was seen is kept.
        seed: of a preset's fresh weights and of what is held out.
    """

    base: str
    data: DataConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    balanced: bool = False
    heldout_most: int = 256
    heldout_every: int | None = None
    n_action_steps: int = 9
    cache_features: bool = False
    seed: int = 0


class PostTraining:
    """One post-training in one folder; killed and run again, it goes on.

    The folder is a `TrainingRun`'s, with `settings.json` (what the training is of).
    """

    def __init__(
        self,
        config: PostTrainingConfig,
        folder: Path,
        *,
        processes: Processes | None = None,
        workers: int = 0,
        save_every: float = SAVE_EVERY,
        keep_adapter: bool = False,
    ) -> None:
        """Read model and data, and take the folder; nothing is learned yet.

        Args:
            config: what, from what, how.
            folder: of the run.
            processes: those that train together; this one alone where not given.
            workers: processes that make batches ahead.
            save_every: seconds between two saves.
            keep_adapter: whether what LoRA learned is also written by itself.

        Raises:
            ValueError: if model or data cannot be had, or the folder is another training's.
        """
        self.folder = folder
        self.processes = processes or Processes()
        self.model = _model(config, str(self.processes.device))
        self._split = config.data.split(self.model, config.seed)
        if config.n_action_steps > self._split.train.settings.horizon:
            raise ValueError(
                f"--n-action-steps is {config.n_action_steps}, beyond a chunk's "
                f"{self._split.train.settings.horizon} actions."
            )
        self.config = replace(config, training=_fitted(config, self._split))
        self._workers = workers
        self._save_every = save_every
        self._keep_adapter = keep_adapter
        claim(folder, self.about(), processes=self.processes)

    @property
    def report(self) -> dict[str, Any] | None:
        """What came of it, as `report.json` has it; None before the end."""
        return finished(self.folder)

    def about(self) -> dict[str, Any]:
        """Return what makes this training this one, in plain values."""
        config = self.config
        return {
            "base": _identity(config),
            "data": self._split.about(),
            "recipe": config.training.to_dict(),
            "judged": {
                "heldout_most": config.heldout_most,
                "heldout_every": config.heldout_every,
                "execute": config.n_action_steps,  # its name in stored files
            },
            "cached": config.cache_features,
        }

    def run(
        self, advance: Advance, *, on_start: Callable[[str], None] | None = None
    ) -> dict[str, object]:
        """Do what is left to do.

        Args:
            advance: called with what is going on and the share done, in [0, 1].
            on_start: told in a sentence how much learns from how much.

        Returns:
            The report, which only the main process writes.

        Raises:
            ValueError: if the loss is no longer a number.
        """
        if self.report is None:
            self._train(advance, on_start)
        return self.report or {}

    def _train(self, advance: Advance, on_start: Callable[[str], None] | None) -> None:
        examples = self._examples(advance)
        total = self.model.num_parameters()  # before adapters join them
        trainer = Trainer(
            self.model,
            examples,
            self.config.training,
            processes=self.processes,
            workers=self._workers,
        )
        if on_start is not None:
            on_start(
                f"{trainer.learning():,} of {total:,} parameters learn, from "
                f"{len(examples):,} examples."
            )
        run = TrainingRun(
            trainer,
            self.folder,
            heldout=self._heldout(),
            heldout_every=self.config.heldout_every,
            save_every=self._save_every,
            keep_adapter=self._keep_adapter,
            processes=self.processes,
        )
        old_layout = self.model.config.old_layout
        run.run(
            lambda: mean_row(examples, old_layout=old_layout),
            lambda words, share: advance(words, _DRAWING + (1.0 - _DRAWING) * share),
        )

    def _heldout(self) -> HeldOut | None:
        if self._split.heldout is None:
            return None
        return HeldOut(
            self._split.heldout,
            most=self.config.heldout_most,
            n_action_steps=self.config.n_action_steps,
            buttons=self._split.buttons,
        )

    def _examples(self, advance: Advance) -> Examples:
        """Frames, drawn ahead if they fit into memory, or what the model sees of them."""

        def show(words: str) -> Callable[[int, int], None]:
            return lambda done, total: advance(words, _DRAWING * done / total)

        training = self.config.training
        if not self.config.cache_features:
            return made_ahead(self._split.train, show("Frames are drawn"))
        if not training.tower_is_frozen or training.augment:
            raise ValueError("--cache-features needs a frozen vision tower and no augmentation.")
        return cache_features(
            self.model,
            self._split.train,
            mirror=training.mirror,
            attended=training.features_are_frozen,
            game=training.game,
            workers=self._workers,
            on_batch=show("Frames are looked at"),
            folder=self.folder / "features",
        )


def _model(config: PostTrainingConfig, device: str) -> NitroGen:
    file = file_of(config.base)
    if file is None:
        return NitroGen.preset(config.base, seed=config.seed, device=device)
    return checkpoint.load(file, device=device)


def _fitted(config: PostTrainingConfig, split: DataSplit) -> TrainingConfig:
    """How it is trained, as far as the data decide it."""
    training = config.training
    if split.train.auxiliary_rows is None:  # it is not noted what stands where
        training = replace(training, auxiliary_weight=0.0)
    # Recorded play says what was done; what else a teacher thought, and how its moments look in
    # another skin, is known to a bootcamp alone.
    training = replace(training, teacher_weight=0.0, alignment_weight=0.0)
    if config.balanced:
        training = replace(training, weights={**split.statistics.weights(), **training.weights})
    return training


def _identity(config: PostTrainingConfig) -> dict[str, object]:
    path = file_of(config.base)
    if path is None:
        return {"preset": config.base, "seed": config.seed}
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
