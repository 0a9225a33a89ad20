"""`LabelExamples`: labels in the public layout, ours or others', as examples to learn from."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arena_breaker_gym._runtime.files import PART_SUFFIX
from arena_breaker_gym._runtime.stored import open_stored, shortened
from nitrogen_adapter import gamepad
from nitrogen_adapter.data.dataset import split_by_episode
from nitrogen_adapter.data.label_statistics import LabelStatistics, Track, label_statistics
from nitrogen_adapter.data.labels import (
    CHUNK_ROWS,
    CHUNK_S,
    KINDS,
    Box,
    LabelChunk,
    LabelError,
    actions_file,
    is_chunk,
    place_of,
    read_chunk,
)
from nitrogen_adapter.data.windows import ChunkSettings, Seen, SequenceExamples, busy_rows, kept_of
from nitrogen_adapter.inference import scaled

_LOG = logging.getLogger(__name__)
_PICTURES = (".png", ".jpg", ".jpeg")
_FORMATS = ("PNG", "JPEG")
_MOST_PIXELS = 2**25  # of a frame: some more than those of 7680 x 4320


@dataclass(frozen=True)
class LabelTrack:
    """Chunks of one video without a gap between them, step by step.

    Attributes:
        video: name of the video.
        rows: (T, 25) gamepad rows, one a step.
        chunks: the folders that they come from, in order.
        rows_per_step: rows of 1/60 s in a step; a video with other rows is brought to these.
        groups: what the metadata say of it, for the statistics.
        rows_per_second: rows that its files hold for a second, one a frame of the video.
        ticks: for each chunk, the row of its file that holds in each 1/60 s.
        boxes: for each chunk, where its frames show the controller, if they do.
        raw: those of the chunks whose raw labels were read.
    """

    video: str
    rows: NDArray[np.float32]
    chunks: tuple[Path, ...]
    rows_per_step: int
    groups: dict[str, str]
    rows_per_second: float
    ticks: tuple[NDArray[np.int64], ...]
    boxes: tuple[Box | None, ...]
    raw: tuple[Path, ...]


@dataclass(frozen=True)
class _Frame:
    """A picture's file, and where in it the controller is shown."""

    path: Path
    box: Box | None


def label_tracks(
    root: str | Path,
    *,
    kind: str = "processed",
    rows_per_step: int | None = None,
    old_layout: bool = False,
) -> list[LabelTrack]:
    """Read all labels below a folder; frames are not needed for it.

    What cannot be read is named in the log and left out, as if it were missing.

    Args:
        root: a video, a shard, or a folder of shards.
        kind: "processed" or "raw"; raw ones, too, stand in for processed ones that are missing,
            which the log tells.
        rows_per_step: rows of 1/60 s that make a step, of which the first counts; None: what the
            metadata say, or else 1.
        old_layout: whether rows are to have their sticks first.

    Returns:
        The tracks by video; one goes on from chunk to chunk, and ends where a number is missing.

    Raises:
        LabelError: if there are none, or none that can be read.
    """
    actions_file(Path(), kind)  # refuses another kind
    if rows_per_step is not None and rows_per_step < 1:
        raise LabelError(f"rows_per_step is {rows_per_step}; expected at least 1.")
    troubles: list[LabelError] = []
    tracks = [
        _track(run, rows_per_step=rows_per_step, old_layout=old_layout)
        for run in _runs(_chunks(Path(root), kind, troubles))
    ]
    if not tracks and troubles:
        raise troubles[0]
    _say(tracks, kind, troubles)
    if not tracks:
        raise LabelError(f"{root}: holds no folder NAME_chunk_0000 with actions_{kind}.parquet.")
    return tracks


def track_statistics(
    tracks: Sequence[LabelTrack],
    settings: ChunkSettings,
    *,
    old_layout: bool = False,
    dash: str | None = None,
) -> LabelStatistics:
    """Report what the kept chunks of some labels hold; see `label_statistics.label_statistics`."""
    counted = (
        Track(track.rows, _starts(track, settings, old_layout=old_layout), track.groups)
        for track in tracks
    )
    return label_statistics(counted, settings, old_layout=old_layout, dash=dash)


class LabelExamples(SequenceExamples):
    """Examples of labels that have their frames beside them, read when they are asked for."""

    def __init__(
        self,
        tracks: Sequence[LabelTrack],
        settings: ChunkSettings | None = None,
        *,
        size: int = 256,
        old_layout: bool = False,
    ) -> None:
        """Pick the moments: busy ones of which every frame is there.

        Args:
            tracks: from `label_tracks`.
            settings: which moments are taken.
            size: side that frames are resized to, in pixels.
            old_layout: whether the tracks' rows have their sticks first.

        Raises:
            ValueError: if no frame lies beside the labels, or no chunk is busy enough.
        """
        chosen = settings or ChunkSettings()
        self.tracks = list(tracks)
        self.old_layout = old_layout
        self._frames = [_frames_of(track) for track in self.tracks]
        if not any(self._frames):
            raise LabelError(
                "No frames lie beside the labels: expected files such as frames/000000.png in the "
                "chunks' folders; without them labels can be read and counted only."
            )
        starts = [
            _with_frames(_starts(track, chosen, old_layout=old_layout), frames, chosen)
            for track, frames in zip(self.tracks, self._frames, strict=True)
        ]
        super().__init__(starts, chosen, size=size)

    def look(self, sequence: int, steps: NDArray[np.int64]) -> Iterator[Seen]:
        """Read the frames of some steps.

        Raises:
            LabelError: if one is damaged.
        """
        for step in steps.tolist():
            frame = self._frames[sequence][step]
            picture = _masked(_picture(frame.path), frame.box)
            yield Seen(scaled(picture[np.newaxis], self.size)[0])

    def rows_at(self, sequence: int, steps: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the rows of some steps."""
        rows: NDArray[np.float32] = self.tracks[sequence].rows[steps]
        return rows

    def statistics(self, *, dash: str | None = None) -> LabelStatistics:
        """Report what the labels hold, and which buttons are rare."""
        return track_statistics(self.tracks, self.settings, old_layout=self.old_layout, dash=dash)

    def fingerprint(self) -> str:
        """Return a digest of the labels, and of the frames' names, sizes and times of change."""
        digest = sha256(f"{sorted(asdict(self.settings).items())} {self.size}".encode())
        for track, frames in zip(self.tracks, self._frames, strict=True):
            digest.update(track.rows.tobytes())
            for step, frame in frames.items():
                about = frame.path.stat()
                told = f"{step} {frame.path} {about.st_size} {about.st_mtime_ns} {frame.box}"
                digest.update(told.encode())
        return digest.hexdigest()


def _starts(track: LabelTrack, settings: ChunkSettings, *, old_layout: bool) -> NDArray[np.int64]:
    return kept_of(busy_rows(track.rows, settings, old_layout=old_layout), settings)


def _with_frames(
    starts: NDArray[np.int64], frames: dict[int, _Frame], settings: ChunkSettings
) -> NDArray[np.int64]:
    """The moments of which every frame is there."""
    looked = starts[:, None] - settings.look_back
    there = np.isin(looked, np.array([*frames], dtype=np.int64))
    return starts[np.all(there, axis=1)]


def _runs(chunks: Iterator[LabelChunk]) -> Iterator[list[LabelChunk]]:
    """Chunks that follow each other without a gap."""
    run: list[LabelChunk] = []
    for chunk in chunks:
        if run and not (chunk.follows(run[-1]) and _goes_on(run[-1])):
            yield run
            run = []
        # The size of a last one says no rate.
        rest = bool(run) and len(chunk.rows) < len(run[-1].rows)
        run.append(replace(chunk, rate=run[-1].rate) if rest else chunk)
    if run:
        yield run


def _goes_on(chunk: LabelChunk) -> bool:
    if not chunk.whole:
        _LOG.warning(
            "%s: holds %s rows, expected %s of a chunk that another follows; the track ends there.",
            chunk.folder,
            f"{len(chunk.rows):,}",
            f"{round(chunk.rate * CHUNK_S):,}",
        )
    return chunk.whole


def _chunks(root: Path, kind: str, troubles: list[LabelError]) -> Iterator[LabelChunk]:
    """Chunks below a folder, by video and number; what cannot be read is named and left out."""
    kinds = KINDS if kind == "processed" else (kind,)
    found = {file.parent for one in kinds for file in root.rglob(actions_file(Path(), one).name)}
    chunks = [one for one in found if is_chunk(one) and not _is_part(one.relative_to(root))]
    for folder in sorted(chunks, key=lambda folder: (folder.parent, *place_of(folder))):
        try:
            yield read_chunk(folder, kind)
        except LabelError as trouble:
            troubles.append(trouble)


def _is_part(place: Path) -> bool:
    """Whether a chunk is of a video that is being written, or was when its writer was killed."""
    return any(part.endswith(PART_SUFFIX) for part in place.parts)


def _say(tracks: Sequence[LabelTrack], kind: str, troubles: Sequence[LabelError]) -> None:
    """Says what was left out, and what is not of the kind that was asked for."""
    for trouble in troubles:
        _LOG.warning("%s The chunk is left out.", trouble)
    raw = [chunk for track in tracks for chunk in track.raw]
    if raw and kind == "processed":
        _LOG.warning(
            "%s of %s chunks have no %s: their raw labels are read (the first is %s).",
            f"{len(raw):,}",
            f"{sum(len(track.chunks) for track in tracks):,}",
            actions_file(Path(), kind).name,
            raw[0],
        )


def _track(run: Sequence[LabelChunk], *, rows_per_step: int | None, old_layout: bool) -> LabelTrack:
    about = run[0].about
    every = rows_per_step or _rows_per_step(about, run[0].folder)
    rows = np.concatenate([chunk.rows[chunk.ticks] for chunk in run])[::every]
    if old_layout:
        rows = np.roll(rows, len(gamepad.STICKS), axis=1)
    groups: dict[str, str] = {
        name: str(about[name]) for name in ("stage", "agent", "game") if name in about
    }
    return LabelTrack(
        run[0].video,
        rows,
        tuple(chunk.folder for chunk in run),
        every,
        groups,
        rows_per_second=run[0].rate,
        ticks=tuple(chunk.ticks for chunk in run),
        boxes=tuple(chunk.box for chunk in run),
        raw=tuple(chunk.folder for chunk in run if chunk.kind == "raw"),
    )


def _rows_per_step(about: dict[str, object], chunk: Path) -> int:
    every = about.get("rows_per_step", 1)
    if not isinstance(every, int) or not 1 <= every <= CHUNK_ROWS:
        raise LabelError(f"{chunk / 'metadata.json'}: rows_per_step is {shortened(every)}.")
    return every


def _frames_of(track: LabelTrack) -> dict[int, _Frame]:
    """The frames that are there, by step, rising; one is seen until the next row's."""
    found: dict[int, _Frame] = {}
    begun = 0
    for folder, ticks, box in zip(track.chunks, track.ticks, track.boxes, strict=True):
        pictures = {
            int(path.stem): path
            for path in sorted((folder / "frames").glob("*"))
            if path.suffix.lower() in _PICTURES and path.stem.isdecimal()
        }
        for tick, row in enumerate(ticks.tolist() if pictures else ()):
            step, rest = divmod(begun + tick, track.rows_per_step)
            if rest == 0 and row in pictures and step < len(track.rows):
                found[step] = _Frame(pictures[row], box)
        begun += len(ticks)
    return found


def _masked(picture: NDArray[np.uint8], box: Box | None) -> NDArray[np.uint8]:
    """A picture (H, W, 3) without the controller that it shows, which would be the answer."""
    if box is None:
        return picture
    tall, wide = picture.shape[:2]
    left, top, right, bottom = (
        share * side for share, side in zip(box, (wide, tall, wide, tall), strict=True)
    )
    masked = picture.copy()
    rows = slice(max(0, math.floor(top)), max(0, math.ceil(bottom)))
    masked[rows, max(0, math.floor(left)) : max(0, math.ceil(right))] = 0
    return masked


def _picture(path: Path) -> NDArray[np.uint8]:
    """A picture file as (H, W, 3) RGB."""
    try:
        # No warning of Pillow's own about a size: what is too large is refused here.
        with (
            open_stored(path) as file,
            warnings.catch_warnings(action="ignore"),
            Image.open(file, formats=_FORMATS) as picture,
        ):
            if picture.width * picture.height <= _MOST_PIXELS:
                return np.asarray(picture.convert("RGB"))
    except Image.DecompressionBombError:
        pass
    # A damaged file can make its reader fail in any way; none of them is worth telling apart.
    except Exception as error:
        raise LabelError(f"{path}: missing, damaged, or not a picture.") from error
    raise LabelError(f"{path}: has more than {_MOST_PIXELS:,} pixels.")


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
    learned, kept = split_by_episode(every, heldout, seed) if heldout else (every, [])

    def taken(side: Sequence[tuple[Path, str]]) -> LabelExamples:
        tracks = [track for video in side for track in videos[video]]
        return LabelExamples(tracks, chunks, size=size, old_layout=old_layout)

    train = taken(learned)
    return LabelSplit(train, taken(kept) if kept else None, train.statistics(dash=dash))
