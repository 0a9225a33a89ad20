"""`DataSplit`: what a post-training learns from and what it is judged by, from stored episodes.

Noise and times are fixed, so two looks at one model give the same figures, and looks at a model
before, during and after a training can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym.engine.player import FIRE_THRESHOLD
from arena_breaker_gym.rollout import Episode, EpisodeStore
from nitrogen_adapter import gamepad
from nitrogen_adapter.config import NitroGenConfig
from nitrogen_adapter.data.dataset import EpisodeExamples, split_by_episode
from nitrogen_adapter.data.examples import Batch, Examples
from nitrogen_adapter.data.label_statistics import LabelStatistics
from nitrogen_adapter.data.minari_source import MinariError, MinariExamples
from nitrogen_adapter.data.windows import ChunkSettings, SequenceExamples
from nitrogen_adapter.gamepad import DEFAULT_GAMEPAD, GamepadSettings
from nitrogen_adapter.mapping import mapping_for
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.training.config import Augmentation, TrainingConfig
from nitrogen_adapter.training.objective import StepNoise, TrainingObjective

IN_MEMORY = 2 * 2**30
"""Bytes of frames up to which they are all made ahead. Our own value."""

Scores = dict[str, float | None]
"""Figures by name; None where there was nothing to judge."""

SCORES: Mapping[str, str] = {
    "loss": "flow loss",
    "move_error": "move: mean absolute error",
    "move_cosine": "move: cosine",
    "aim_cosine": "aim: cosine",
    "firing_correct": "aim: fires as it should",
    "dash_precision": "dash: precision",
    "dash_recall": "dash: recall",
    "dash_predicted": "dash: predicted share",
    "dash_rate": "dash: true share",
}
"""What each figure is of, in the order of a table. The loss is weighted as in training; errors are
of sticks in [-1, 1]; cosines are between predicted and true stick where the true one is pushed;
the aim fires as it should if it is beyond the ring where, and only where, the true one is; shares
are of steps."""

PUSHED = 0.1
"""A stick longer than this is pushed: the idle rule's threshold."""

_NOISE_SEED = 20_817  # of the fixed noise; any number does, if it stays the same


class DataSplit(NamedTuple):
    """Two sides of one collection of episodes; no episode is on both.

    Attributes:
        train: what is learned from.
        heldout: what is kept from it, or None where nothing is.
        statistics: what `train` holds.
        buttons: how actions lie on the gamepad.
    """

    train: SequenceExamples
    heldout: SequenceExamples | None
    statistics: LabelStatistics
    buttons: GamepadSettings

    def about(self) -> dict[str, Any]:
        """Return what tells it from other material, in plain values."""
        sides = {"train": self.train, "heldout": self.heldout}
        return {
            name: None
            if side is None
            else {"examples": len(side), "fingerprint": _fingerprint_of(side)}
            for name, side in sides.items()
        }


def chunks_for(
    config: NitroGenConfig, *, stride: int = 1, action_shift: int | None = None
) -> ChunkSettings:
    """Return which moments a model learns from: its own chunk, frames and shift.

    Args:
        config: of the model.
        stride: steps from one example to the next.
        action_shift: steps between a frame and its chunk; the model's own where not given.
    """
    return ChunkSettings(
        horizon=config.action_horizon,
        stride=stride,
        action_shift=config.action_shift if action_shift is None else action_shift,
        frames=config.frame_per_sample,
        frame_spacing=config.frame_spacing,
    )


def from_episodes(
    folders: Sequence[Path],
    chunks: ChunkSettings,
    *,
    size: int,
    buttons: GamepadSettings,
    heldout: float = 0.1,
    skin: str | None = None,
    seed: int = 0,
) -> DataSplit:
    """Take the episodes of some folders.

    Args:
        folders: each with stored episodes.
        chunks: which moments are taken.
        size: side of the frames in pixels.
        buttons: how actions lie on the gamepad.
        heldout: share of the episodes that is kept from training; 0: none.
        skin: looks to draw them in; those they were played in where not given.
        seed: of the choice of episodes that are held out.

    Raises:
        ValueError: if a folder holds no episodes, there are too few to hold some out, or none has
            anything to learn from.
    """
    episodes: list[Episode] = []
    for folder in folders:
        store = EpisodeStore(folder)
        if len(store) == 0:
            raise ValueError(f"{folder}: holds no stored episodes.")
        episodes += list(store)
    learned, kept = split_by_episode(episodes, heldout, seed) if heldout else (episodes, [])

    def taken(side: Sequence[Episode]) -> EpisodeExamples:
        return EpisodeExamples(side, chunks, size=size, skin=skin, buttons=buttons)

    train = taken(learned)
    return DataSplit(train, taken(kept) if kept else None, train.statistics(), buttons)


def from_minari(
    name: str,
    chunks: ChunkSettings,
    *,
    size: int,
    buttons: GamepadSettings,
    heldout: float = 0.1,
    table: str | None = None,
    pixels: str | None = None,
    seed: int = 0,
) -> DataSplit:
    """Take the episodes of a Minari data set on this machine.

    Args:
        name: of the data set.
        chunks: which moments are taken.
        size: side that frames are resized to, in pixels.
        buttons: how actions lie on the gamepad.
        heldout: share of the episodes that is kept from training; 0: none.
        table: the gamepad table, of `mapping.TABLES`; the first that fits where not given.
        pixels: the observation's key, where there are several pictures.
        seed: of the choice of episodes that are held out.

    Raises:
        ValueError: if there is no such data set, or it cannot be learned from.
        MissingExtraError: if Minari is not installed.
    """
    dataset = _opened(name)
    mapping = mapping_for(dataset.action_space, table, settings=buttons)
    numbers = list(range(dataset.total_episodes))
    learned, kept = split_by_episode(numbers, heldout, seed) if heldout else (numbers, [])

    def taken(side: Sequence[int]) -> MinariExamples:
        return MinariExamples(
            dataset, mapping, pixels=pixels, settings=chunks, size=size, episodes=side
        )

    train = taken(learned)
    statistics = train.statistics(dash=buttons.dash_button)
    return DataSplit(train, taken(kept) if kept else None, statistics, buttons)


def made_ahead(
    examples: SequenceExamples,
    on_sequence: Callable[[int, int], None] | None = None,
    *,
    most: int = IN_MEMORY,
) -> Examples:
    """Return examples with all their frames in memory, if those are not too many bytes."""
    frame = 3 * examples.size**2 * examples.settings.frames
    return examples.collect(on_sequence) if len(examples) * frame <= most else examples


def _opened(name: str) -> Any:
    minari = require("minari", "minari")
    try:
        return minari.load_dataset(name)
    except (OSError, ValueError, KeyError) as error:
        raise MinariError(
            f"{name}: there is no such Minari data set on this machine, or it is damaged; "
            "expected a name such as those of `minari list local`."
        ) from error


def _fingerprint_of(examples: Any) -> str:
    return str(examples.fingerprint())


class HeldOut:
    """Some examples that are kept from training, or as many of them as there is time for."""

    def __init__(
        self,
        examples: Examples,
        *,
        most: int = 256,
        n_action_steps: int = 9,
        batch_size: int = 32,
        buttons: GamepadSettings = DEFAULT_GAMEPAD,
    ) -> None:
        """Choose what is looked at; nothing is yet.

        Args:
            examples: frames, or features, and packed rows.
            most: examples that are looked at each time, evenly spread over all.
            n_action_steps: actions of a chunk that are played, and therefore judged by themselves.
            batch_size: examples looked at together.
            buttons: how actions lie on the gamepad.

        Raises:
            ValueError: if a number is below 1.
        """
        counts = {"most": most, "n_action_steps": n_action_steps, "batch_size": batch_size}
        for name, value in counts.items():
            if value < 1:
                raise ValueError(f"{name} is {value}; expected at least 1.")
        count = min(most, len(examples))
        self.examples = examples
        self.n_action_steps = n_action_steps
        self.buttons = buttons
        self.rows = np.arange(count, dtype=np.int64) * len(examples) // count
        self._batch_size = batch_size

    def measure(
        self,
        model: NitroGen,
        config: TrainingConfig,
        *,
        on_batch: Callable[[int, int], None] | None = None,
    ) -> dict[str, Scores]:
        """Let a model predict the chunks.

        Args:
            model: in evaluation mode.
            config: what the loss weighs, and which game this is.
            on_batch: told after every batch how many examples are done, and of how many.

        Returns:
            `played` and `chunk`: figures, as `SCORES` names them, of the actions that would be
            played and of the whole chunk. The loss is one for both.
        """
        plain = replace(
            config, mirror=False, augment=Augmentation(), noise_samples=1, auxiliary_weight=0.0
        )
        objective = TrainingObjective(model, plain)
        losses, said, true, done = 0.0, [], [], 0
        for batch, noise in self._batches(model, plain):
            loss, rows = self._look(objective, batch, noise)
            losses += loss * len(rows)
            said.append(rows)
            true.append(batch.actions)
            done += len(rows)
            if on_batch is not None:
                on_batch(done, len(self.rows))
        return self._scores(np.concatenate(said), np.concatenate(true), losses / done)

    def constant(self, row: NDArray[np.float32]) -> dict[str, Scores]:
        """Judge a model that always says the same.

        Args:
            row: (25,) packed.

        Returns:
            As `measure`, without a loss.
        """
        true = np.concatenate(
            [self.examples.batch(part).actions for part in self._parts()], dtype=np.float32
        )
        return self._scores(np.broadcast_to(row, true.shape), true, None)

    def _batches(
        self, model: NitroGen, config: TrainingConfig
    ) -> Iterator[tuple[Batch, StepNoise]]:
        frames = self.examples.batch(self.rows[:1]).inputs.dtype == np.uint8
        for number, part in enumerate(self._parts()):
            seed = _NOISE_SEED + number
            noise = StepNoise.draw(model, config, len(part), seed=seed, frames=frames)
            yield self.examples.batch(part), noise

    def _parts(self) -> list[NDArray[np.int64]]:
        firsts = range(0, len(self.rows), self._batch_size)
        return [self.rows[first : first + self._batch_size] for first in firsts]

    @torch.no_grad()
    def _look(
        self, objective: TrainingObjective, batch: Batch, noise: StepNoise
    ) -> tuple[float, NDArray[np.float32]]:
        features = objective.features(batch.inputs)
        loss = objective.action_loss(features, batch.actions, noise)
        chunk: Tensor = objective.model.sample(noise=noise.noise[:, 0], features=features)
        return loss.item(), chunk.float().cpu().numpy()

    def _scores(
        self, said: NDArray[np.float32], true: NDArray[np.float32], loss: float | None
    ) -> dict[str, Scores]:
        predicted, wanted = (gamepad.unpack(rows, self.buttons) for rows in (said, true))
        first = slice(0, self.n_action_steps)
        return {
            "played": {"loss": loss, **compare(predicted[:, first], wanted[:, first])},
            "chunk": {"loss": loss, **compare(predicted, wanted)},
        }


def compare(said: NDArray[np.float32], true: NDArray[np.float32]) -> Scores:
    """Judge predicted actions by the true ones, channel by channel.

    Args:
        said: (..., 5) actions, as `gamepad.unpack` gives them.
        true: (..., 5) likewise.

    Returns:
        All figures of `SCORES` but the loss.
    """
    dashed, dash = said[..., 4] > gamepad.DOWN, true[..., 4] > gamepad.DOWN
    fires, fire = (_length(one[..., 2:4]) >= FIRE_THRESHOLD for one in (said, true))
    return {
        "move_error": float(np.abs(said[..., 0:2] - true[..., 0:2]).mean()),
        "move_cosine": _cosine(said[..., 0:2], true[..., 0:2]),
        "aim_cosine": _cosine(said[..., 2:4], true[..., 2:4]),
        "firing_correct": float((fires == fire).mean()),
        "dash_precision": _share(dash[dashed]),
        "dash_recall": _share(dashed[dash]),
        "dash_predicted": float(dashed.mean()),
        "dash_rate": float(dash.mean()),
    }


def mean_row(
    examples: Examples, *, most: int = 512, old_layout: bool = False
) -> NDArray[np.float32]:
    """Return the best answer of a model that sees nothing: mean sticks, each button as mostly.

    Args:
        examples: those that are learned from.
        most: how many are looked at, evenly spread over all.
        old_layout: whether rows have their sticks first.

    Returns:
        (25,) a packed row.
    """
    count = min(most, len(examples))
    rows = np.arange(count, dtype=np.int64) * len(examples) // count
    total = np.zeros(gamepad.ROW)
    for part in np.array_split(rows, -(-count // 64)):
        total += examples.batch(part).actions.sum(axis=(0, 1), dtype=np.float64)
    horizon = examples.batch(rows[:1]).actions.shape[1]
    mean = (total / (count * horizon)).astype(np.float32)
    buttons = gamepad.layout(old_layout=old_layout).buttons
    mean[buttons] = mean[buttons] > gamepad.DOWN
    row: NDArray[np.float32] = mean
    return row


def _cosine(said: NDArray[np.float32], true: NDArray[np.float32]) -> float | None:
    """Mean cosine where the true stick is pushed; a predicted stick at rest counts as 0."""
    pushed = _length(true) > PUSHED
    if not pushed.any():
        return None
    said, true = said[pushed], true[pushed]
    lengths = np.maximum(_length(said) * _length(true), 1e-9)
    return float(((said * true).sum(axis=-1) / lengths).mean())


def _length(sticks: NDArray[np.float32]) -> NDArray[np.float32]:
    length: NDArray[np.float32] = np.linalg.norm(sticks, axis=-1)
    return length


def _share(marks: NDArray[np.bool_]) -> float | None:
    return float(marks.mean()) if len(marks) else None
