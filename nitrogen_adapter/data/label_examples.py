"""`LabelExamples`: labels in the public layout, ours or others', as examples to learn from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nitrogen_adapter import gamepad
from nitrogen_adapter.data.balance import Balance, Track, balance_of
from nitrogen_adapter.data.labels import (
    CHUNK_ROWS,
    LabelError,
    actions_file,
    read_metadata,
    read_rows,
)
from nitrogen_adapter.data.moments import ChunkSettings, busy_rows, kept_of
from nitrogen_adapter.data.sequences import Seen, SequenceExamples
from nitrogen_adapter.inference import scaled

_CHUNK = re.compile(r"(?P<video>.+)_chunk_(?P<number>\d+)")
_PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class LabelTrack:
    """Chunks of one video without a gap between them, step by step.

    Attributes:
        video: name of the video.
        rows: (T, 25) gamepad rows, one a step.
        chunks: the folders that they come from, in order.
        rows_per_step: label rows of 1/60 s in a step.
        groups: what the metadata say of it, for the balance report.
    """

    video: str
    rows: NDArray[np.float32]
    chunks: tuple[Path, ...]
    rows_per_step: int
    groups: dict[str, str]


def label_tracks(
    root: str | Path,
    *,
    kind: str = "processed",
    rows_per_step: int | None = None,
    old_layout: bool = False,
) -> list[LabelTrack]:
    """Read all labels below a folder; frames are not needed for it.

    Args:
        root: a video, a shard, or a folder of shards.
        kind: "processed" or "raw".
        rows_per_step: label rows that make a step, of which the first counts; None: what the
            metadata say, or else 1, so that a step is 1/60 s.
        old_layout: whether rows are to have their sticks first.

    Returns:
        The tracks by video; one goes on from chunk to chunk, and ends where a number is missing.

    Raises:
        LabelError: if there are none, or a file is damaged or holds something else.
    """
    if rows_per_step is not None and rows_per_step < 1:
        raise LabelError(f"rows_per_step is {rows_per_step}; expected at least 1.")
    tracks = [
        _track(run, kind=kind, rows_per_step=rows_per_step, old_layout=old_layout)
        for run in _runs(Path(root), kind)
    ]
    if not tracks:
        raise LabelError(f"{root}: holds no folder NAME_chunk_0000 with actions_{kind}.parquet.")
    return tracks


def label_balance(
    tracks: Sequence[LabelTrack],
    settings: ChunkSettings,
    *,
    old_layout: bool = False,
    dash: str | None = None,
) -> Balance:
    """Report what the kept chunks of some labels hold; see `balance.balance_of`."""
    counted = (
        Track(track.rows, _starts(track, settings, old_layout=old_layout), track.groups)
        for track in tracks
    )
    return balance_of(counted, settings, old_layout=old_layout, dash=dash)


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
            picture = _picture(self._frames[sequence][step])
            yield Seen(scaled(picture[np.newaxis], self.size)[0])

    def rows_at(self, sequence: int, steps: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the rows of some steps."""
        rows: NDArray[np.float32] = self.tracks[sequence].rows[steps]
        return rows

    def balance(self, *, dash: str | None = None) -> Balance:
        """Report what the labels hold, and which buttons are rare."""
        return label_balance(self.tracks, self.settings, old_layout=self.old_layout, dash=dash)

    def fingerprint(self) -> str:
        """Return a digest of the labels, and of the frames' names, sizes and times of change."""
        digest = sha256(f"{sorted(asdict(self.settings).items())} {self.size}".encode())
        for track, frames in zip(self.tracks, self._frames, strict=True):
            digest.update(track.rows.tobytes())
            for step, path in frames.items():
                about = path.stat()
                digest.update(f"{step} {path} {about.st_size} {about.st_mtime_ns}".encode())
        return digest.hexdigest()


def _starts(track: LabelTrack, settings: ChunkSettings, *, old_layout: bool) -> NDArray[np.int64]:
    return kept_of(busy_rows(track.rows, settings, old_layout=old_layout), settings)


def _with_frames(
    starts: NDArray[np.int64], frames: dict[int, Path], settings: ChunkSettings
) -> NDArray[np.int64]:
    """The moments of which every frame is there."""
    looked = starts[:, None] - settings.look_back
    there = np.isin(looked, np.array([*frames], dtype=np.int64))
    return starts[np.all(there, axis=1)]


def _runs(root: Path, kind: str) -> Iterator[list[Path]]:
    """Chunk folders that follow each other without a gap."""
    run: list[Path] = []
    for chunk in _chunks(root, kind):
        if run and not _follows(chunk, run[-1]):
            yield run
            run = []
        run.append(chunk)
    if run:
        yield run


def _chunks(root: Path, kind: str) -> list[Path]:
    """Chunk folders below a folder, by video and number."""
    found = [
        file.parent
        for file in root.rglob(actions_file(Path(), kind).name)
        if _CHUNK.fullmatch(file.parent.name)
    ]
    return sorted(found, key=lambda chunk: (chunk.parent, *_place(chunk)))


def _place(chunk: Path) -> tuple[str, int]:
    """A chunk's video and number."""
    match = _CHUNK.fullmatch(chunk.name)
    assert match is not None  # `_chunks` lets no other name through
    return match["video"], int(match["number"])


def _follows(chunk: Path, last: Path) -> bool:
    (video, number), (last_video, last_number) = _place(chunk), _place(last)
    return (chunk.parent, video, number) == (last.parent, last_video, last_number + 1)


def _track(
    run: Sequence[Path], *, kind: str, rows_per_step: int | None, old_layout: bool
) -> LabelTrack:
    parts = [read_rows(actions_file(chunk, kind)) for chunk in run]
    for part, chunk in zip(parts[:-1], run[:-1], strict=True):
        if len(part) != CHUNK_ROWS:
            raise LabelError(
                f"{chunk}: holds {len(part):,} rows, expected {CHUNK_ROWS:,} of a chunk that "
                "another follows."
            )
    about = read_metadata(run[0])
    every = rows_per_step or _rows_per_step(about, run[0])
    rows = np.concatenate(parts)[::every]
    if old_layout:
        rows = np.roll(rows, len(gamepad.STICKS), axis=1)
    groups: dict[str, str] = {
        name: str(about[name]) for name in ("stage", "agent") if name in about
    }
    return LabelTrack(_place(run[0])[0], rows, tuple(run), every, groups)


def _rows_per_step(about: dict[str, object], chunk: Path) -> int:
    every = about.get("rows_per_step", 1)
    if not isinstance(every, int) or not 1 <= every <= CHUNK_ROWS:
        raise LabelError(f"{chunk / 'metadata.json'}: rows_per_step is {every!r}.")
    return every


def _frames_of(track: LabelTrack) -> dict[int, Path]:
    """The frames that are there, by step, rising."""
    found: dict[int, Path] = {}
    for number, chunk in enumerate(track.chunks):
        for path in sorted((chunk / "frames").glob("*")):
            if path.suffix.lower() not in _PICTURES or not path.stem.isdecimal():
                continue
            step, rest = divmod(number * CHUNK_ROWS + int(path.stem), track.rows_per_step)
            if rest == 0 and step < len(track.rows):
                found[step] = path
    return found


def _picture(path: Path) -> NDArray[np.uint8]:
    """A picture file as (H, W, 3) RGB."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise LabelError(f"{path}: missing, damaged, or not a picture.") from error
