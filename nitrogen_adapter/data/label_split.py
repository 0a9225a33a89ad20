"""`split_labels`: folders of labels with frames, divided into what teaches and what judges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nitrogen_adapter.data.dataset import split_by_episode
from nitrogen_adapter.data.label_examples import LabelExamples, LabelTrack, label_tracks
from nitrogen_adapter.data.label_statistics import LabelStatistics
from nitrogen_adapter.data.labels import LabelError
from nitrogen_adapter.data.windows import ChunkSettings


class LabelSplit(NamedTuple):
    """Two sides of some labels; no video is on both.

    Attributes:
        train: what is learned from.
        heldout: what is kept from it, or None where nothing is.
        statistics: what `train` holds.
    """

    train: LabelExamples
    heldout: LabelExamples | None
    statistics: LabelStatistics


def split_labels(
    folders: Sequence[Path],
    chunks: ChunkSettings,
    *,
    size: int,
    old_layout: bool = False,
    dash: str | None = None,
    rows_per_step: int | None = None,
    heldout: float = 0.1,
    seed: int = 0,
) -> LabelSplit:
    """Take the labels of some folders; whole videos are held out.

    Args:
        folders: each a video, a shard, or a folder of shards, with frames beside the labels.
        chunks: which moments are taken.
        size: side that frames are resized to, in pixels.
        old_layout: whether the model wants sticks before buttons.
        dash: button of the gamepad that dashes, for the statistics.
        rows_per_step: rows of 1/60 s that make a step; what the metadata say where not given.
        heldout: share of the videos that is kept from training; 0: none.
        seed: of the choice of videos that are held out.

    Raises:
        ValueError: if a folder holds no labels, no frames lie beside them, there are too few
            videos to hold some out, or none has anything to learn from.
    """
    videos: dict[tuple[Path, str], list[LabelTrack]] = {}
    for folder in folders:
        for track in label_tracks(folder, rows_per_step=rows_per_step, old_layout=old_layout):
            videos.setdefault((track.chunks[0].parent, track.video), []).append(track)
    if heldout and len(videos) < 2:
        raise LabelError(
            "There is one video to learn from; expected at least 2, one to train on and one to "
            "hold out, or none held out (--heldout 0)."
        )
    every = list(videos)
    learnt, kept = split_by_episode(every, heldout, seed) if heldout else (every, [])

    def taken(side: Sequence[tuple[Path, str]]) -> LabelExamples:
        tracks = [track for video in side for track in videos[video]]
        return LabelExamples(tracks, chunks, size=size, old_layout=old_layout)

    train = taken(learnt)
    return LabelSplit(train, taken(kept) if kept else None, train.statistics(dash=dash))
