"""`DataSplit`: what a post-training learns from and what it is judged by, from stored episodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym.rollout import Episode, EpisodeStore
from nitrogen_adapter.config import NitroGenConfig
from nitrogen_adapter.data.dataset import EpisodeExamples, split_by_episode
from nitrogen_adapter.data.examples import Examples
from nitrogen_adapter.data.label_statistics import LabelStatistics
from nitrogen_adapter.data.minari_source import MinariError, MinariExamples
from nitrogen_adapter.data.sequences import SequenceExamples
from nitrogen_adapter.data.windows import ChunkSettings
from nitrogen_adapter.gamepad import GamepadSettings
from nitrogen_adapter.mapping import mapping_for

IN_MEMORY = 2 * 2**30
"""Bytes of frames up to which they are all made ahead. Our own value."""


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
    learnt, kept = split_by_episode(episodes, heldout, seed) if heldout else (episodes, [])

    def taken(side: Sequence[Episode]) -> EpisodeExamples:
        return EpisodeExamples(side, chunks, size=size, skin=skin, buttons=buttons)

    train = taken(learnt)
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
    learnt, kept = split_by_episode(numbers, heldout, seed) if heldout else (numbers, [])

    def taken(side: Sequence[int]) -> MinariExamples:
        return MinariExamples(
            dataset, mapping, pixels=pixels, settings=chunks, size=size, episodes=side
        )

    train = taken(learnt)
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
