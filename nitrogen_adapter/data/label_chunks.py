"""`LabelChunk`: one folder of the public label layout, read, with what its metadata say of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.stored import is_number, shortened
from nitrogen_adapter.data.labels import (
    CHUNK_S,
    MOST_ROWS_PER_SECOND,
    ROWS_PER_SECOND,
    LabelError,
    actions_file,
    read_metadata,
    read_rows,
)

Box = tuple[float, float, float, float]

_NAME = re.compile(r"(?P<video>.+)_chunk_(?P<number>\d+)")
_ALIKE = 0.01  # rates that differ by less are one: 59.94 rows a second are 60


@dataclass(frozen=True)
class LabelChunk:
    """One chunk.

    Attributes:
        folder: where it lies.
        kind: which of its files was read, "processed" or "raw".
        rows: (n, 25) plain gamepad rows, one a frame of the video.
        rate: such rows in a second.
        about: its metadata.
        box: where the controller is shown in a frame: left, top, right and bottom as shares of
            its sides; None: nowhere.
    """

    folder: Path
    kind: str
    rows: NDArray[np.float32]
    rate: float
    about: dict[str, Any]
    box: Box | None

    @property
    def video(self) -> str:
        """The video's name."""
        return place_of(self.folder)[0]

    @property
    def whole(self) -> bool:
        """Whether it holds as many rows as a chunk that another follows."""
        return len(self.rows) >= math.floor(self.rate * CHUNK_S)

    @property
    def ticks(self) -> NDArray[np.int64]:
        """The row that holds in each 1/60 s: `arange` for a video of 60 frames a second."""
        count = round(len(self.rows) * ROWS_PER_SECOND / self.rate)
        # Half a tick on, so that no rounding reaches for the row before.
        held = np.floor((np.arange(max(count, 1)) + 0.5) * self.rate / ROWS_PER_SECOND)
        return held.astype(np.int64).clip(0, len(self.rows) - 1)

    def follows(self, last: LabelChunk) -> bool:
        """Whether it goes on where another ends."""
        (video, number), (last_video, last_number) = place_of(self.folder), place_of(last.folder)
        here, before = (self.folder.parent, video), (last.folder.parent, last_video)
        return here == before and number == last_number + 1


def is_chunk(folder: Path) -> bool:
    """Whether a folder has a chunk's name."""
    return _NAME.fullmatch(folder.name) is not None


def place_of(folder: Path) -> tuple[str, int]:
    """A chunk's video and number, by its folder's name."""
    match = _NAME.fullmatch(folder.name)
    assert match is not None  # `is_chunk` lets no other name through
    return match["video"], int(match["number"])


def read_chunk(folder: Path, kind: str) -> LabelChunk:
    """Read a chunk; its raw labels where the processed ones are missing.

    Args:
        folder: where it lies.
        kind: "processed" or "raw".

    Raises:
        LabelError: if a file is damaged or holds something else.
    """
    if kind == "processed" and not actions_file(folder, kind).exists():
        kind = "raw"
    about = read_metadata(folder)
    path = folder / "metadata.json"
    told = _told_rate(about, path)
    most = math.ceil((told or ROWS_PER_SECOND) * (1.0 + _ALIKE) * CHUNK_S)
    rows = read_rows(actions_file(folder, kind), most=max(most, ROWS_PER_SECOND * CHUNK_S))
    return LabelChunk(folder, kind, rows, told or ROWS_PER_SECOND, about, _box(about, path))


def _told_rate(about: Mapping[str, Any], path: Path) -> float | None:
    """Rows in a second, as metadata have it; None if they do not say."""
    if "rows_per_second" in about:  # ours
        rate = about["rows_per_second"]
    elif "chunk_size" in about:
        rate = _video_rate(about) or _share(about["chunk_size"], _seconds(about))
    else:
        return None
    if not is_number(rate) or not 1.0 <= rate <= MOST_ROWS_PER_SECOND:
        raise LabelError(
            f"{path}: tells no rows a second (chunk_size {shortened(about.get('chunk_size'))})."
        )
    alike = abs(rate / ROWS_PER_SECOND - 1.0) < _ALIKE
    return float(ROWS_PER_SECOND if alike else rate)


def _video_rate(about: Mapping[str, Any]) -> float | None:
    """Frames in a second by the numbers and times of a chunk's first and last, if it tells them."""
    video = about.get("original_video")
    if not isinstance(video, Mapping):
        return None
    names = ("start_frame", "end_frame", "start_time", "end_time")
    first, last, begin, end = (video.get(name) for name in names)
    if not all(map(is_number, (first, last, begin, end))) or not end > begin:  # type: ignore[operator]
        return None
    rate = (last - first) / (end - begin)  # type: ignore[operator]
    return float(rate) if 1.0 <= rate <= MOST_ROWS_PER_SECOND else None


def _seconds(about: Mapping[str, Any]) -> float:
    """How long a chunk is: 20 s, but for a video that is shorter itself."""
    video = about.get("original_video")
    told = video.get("duration") if isinstance(video, Mapping) else None
    return told if is_number(told) and 0.0 < told < CHUNK_S else CHUNK_S  # type: ignore[operator, return-value]


def _share(whole: Any, parts: float) -> Any:
    return whole / parts if is_number(whole) else whole


def _box(about: Mapping[str, Any], path: Path) -> Box | None:
    """Where the metadata say that the controller is shown.

    They hold left, top, width and height in pixels of the video, some beyond its edge.
    """
    told = about.get("bbox_controller_overlay")
    if told is None or told == []:
        return None
    if not (isinstance(told, list) and len(told) == 4 and all(map(is_number, told))):
        raise LabelError(
            f"{path}: bbox_controller_overlay is {shortened(told)}, expected four numbers."
        )
    left, top, width, height = told
    if width <= 0 or height <= 0:
        return None
    tall, wide = _resolution(about, told, path)
    return (left / wide, top / tall, (left + width) / wide, (top + height) / tall)


def _resolution(about: Mapping[str, Any], box: list[float], path: Path) -> tuple[float, float]:
    """The height and width that a box is counted in; 1 and 1 where it is told in shares."""
    if max(box) <= 1.0:
        return 1.0, 1.0
    video = about.get("original_video")
    told = video.get("resolution") if isinstance(video, Mapping) else None
    fine = isinstance(told, list) and len(told) == 2 and all(map(is_number, told))
    if told is None or not fine or min(told) <= 0:
        raise LabelError(
            f"{path}: tells where the controller is shown, but no resolution [height, width]."
        )
    return told[0], told[1]
