"""The public label layout: what a gamepad did, row by row, as parquet files in a folder a chunk.

<shard>/<video>/<video>_chunk_NNNN/
        actions_raw.parquet  actions_processed.parquet  metadata.json

A chunk is 20 s, the last of a video what is left, and a row a frame of the video: 1/60 s in what
this package writes, 1/30 s and others in the public data set, whose metadata tell the rows of a
whole chunk. The columns are 17 booleans (or 0 and 1), one a button, and `j_left` and `j_right`,
lists of x and y in [-1, 1], (-1, -1) being top left. In what this package writes, `raw` is what the
agent asked for, limited to that square, and `processed` what the game made of it: sticks within
the circle; in the public set `processed` is missing where no one guarantees the labels. Frames may
lie beside them as `frames/000000.png` or `.jpg`, numbered by the row in their chunk; not every row
needs one. A film is unpacked so with `ffmpeg -i FILM -start_number 0 frames/%06d.png`. Where the
metadata tell the box in which a video shows its controller, frames are read with it blacked out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arena_breaker_gym._runtime.stored import (
    is_number,
    json_in,
    open_stored,
    read_stored,
    shortened,
)
from nitrogen_adapter import gamepad
from nitrogen_adapter.gamepad import NEW_LAYOUT, USABLE_BUTTONS

ROWS_PER_SECOND = 60
CHUNK_S = 20
CHUNK_ROWS = ROWS_PER_SECOND * CHUNK_S
"""Rows in a chunk of our own; the last one of a video may be shorter."""
MOST_ROWS_PER_SECOND = 480  # of any video: a bound on what is read

BUTTON_COLUMNS = tuple(name.lower() for name in USABLE_BUTTONS)
STICK_COLUMNS = ("j_left", "j_right")
KINDS = ("processed", "raw")

_STICKS = (NEW_LAYOUT.left, NEW_LAYOUT.right)
_PAIR = 2
_WIDEST = 64  # bytes that a number takes in any way of packing it, where it is not text
_ROOM = 2**16  # for the headers of a column's pages, and its values' dictionary
_LARGEST = 2**24  # bytes of metadata
_SLACK = 1e-6  # by which rounding may take a stick beyond 1

Box = tuple[float, float, float, float]

_NAME = re.compile(r"(?P<video>.+)_chunk_(?P<number>\d+)")
_ALIKE = 0.01  # rates that differ by less are one: 59.94 rows a second are 60


class LabelError(ValueError):
    """Labels that cannot be used; the message names the file and says why."""


def actions_file(chunk: Path, kind: str) -> Path:
    """Return the file of a chunk's actions.

    Args:
        chunk: its folder.
        kind: "processed" or "raw".

    Raises:
        ValueError: if the kind is another.
    """
    if kind not in KINDS:
        raise ValueError(f"Labels are {' or '.join(KINDS)}, not {kind!r}.")
    return chunk / f"actions_{kind}.parquet"


def write_rows(path: Path, rows: NDArray[np.float32]) -> None:
    """Write plain gamepad rows (n, 25) as label columns; unused numbers of a row are left out."""
    buttons = rows[:, NEW_LAYOUT.buttons] > gamepad.DOWN
    columns = {
        name.lower(): pa.array(buttons[:, gamepad.BUTTONS.index(name)]) for name in USABLE_BUTTONS
    }
    for name, stick in zip(STICK_COLUMNS, _STICKS, strict=True):
        # In doubles, so that reading gives the same rows bit for bit.
        pushed = rows[:, stick].astype(np.float64) * 2.0 - 1.0
        columns[name] = pa.array(pushed.tolist(), type=pa.list_(pa.float64()))
    pq.write_table(pa.table(columns), path)


def chunk_folder(video: Path, name: str, number: int) -> Path:
    """Return the folder of a video's chunk."""
    return video / f"{name}_chunk_{number:04d}"


def write_chunks(
    video: Path, name: str, kinds: Mapping[str, NDArray[np.float32]], about: Mapping[str, object]
) -> None:
    """Write the rows of a whole video, chunk by chunk.

    Args:
        video: its folder.
        name: what it is called; the chunks' folders are.
        kinds: for "processed", "raw" or both, plain gamepad rows (n, 25) of 1/60 s.
        about: what every chunk's metadata say of the whole.
    """
    total = len(next(iter(kinds.values())))
    for number, first in enumerate(range(0, total, CHUNK_ROWS)):
        chunk = chunk_folder(video, name, number)
        chunk.mkdir(parents=True, exist_ok=True)
        for kind, rows in kinds.items():
            write_rows(actions_file(chunk, kind), rows[first : first + CHUNK_ROWS])
        count = min(CHUNK_ROWS, total - first)
        text = json.dumps({**about, "chunk": number, "first_row": first, "rows": count}, indent=2)
        (chunk / "metadata.json").write_text(text + "\n", encoding="utf-8")


def read_rows(path: Path, *, most: int = CHUNK_ROWS) -> NDArray[np.float32]:
    """Read label columns as plain gamepad rows.

    Args:
        path: the file.
        most: rows that it may hold.

    Returns:
        (n, 25) rows, buttons first, numbers that no column fills 0; n is 1 to `most`.

    Raises:
        LabelError: if the file is missing, no parquet file, or holds something else.
    """
    table = _table(path, most)
    rows = gamepad.at_rest((table.num_rows,))
    for name, column in zip(USABLE_BUTTONS, BUTTON_COLUMNS, strict=True):
        rows[:, gamepad.BUTTONS.index(name)] = _booleans(table, column, path)
    for column, stick in zip(STICK_COLUMNS, _STICKS, strict=True):
        rows[:, stick] = (_pairs(table, column, path) + 1.0) / 2.0
    return rows


def read_metadata(chunk: Path) -> dict[str, Any]:
    """Read a chunk's `metadata.json`; nothing if it has none.

    Raises:
        LabelError: if it holds no JSON object.
    """
    path = chunk / "metadata.json"
    if not path.exists():
        return {}
    try:
        metadata = json_in(read_stored(path, most=_LARGEST))
    except ValueError as error:
        raise LabelError(f"{path}: damaged, or not a JSON file.") from error
    if not isinstance(metadata, dict):
        raise LabelError(f"{path}: holds a {type(metadata).__name__}, expected a JSON object.")
    return metadata


def _table(path: Path, most: int) -> pa.Table:
    """The columns that rows are made of."""
    try:
        with open_stored(path) as opened, pq.ParquetFile(opened) as file:
            _check_outline(file, path, most)
            return file.read(columns=[*BUTTON_COLUMNS, *STICK_COLUMNS]).combine_chunks()
    except LabelError:
        raise
    except FileNotFoundError:
        raise LabelError(f"{path}: there is no such file.") from None
    # A damaged file can make its readers fail in any way; none of them is worth telling apart.
    except Exception as error:
        raise LabelError(f"{path}: cut short, damaged, or not a parquet file.") from error


def _check_outline(file: pq.ParquetFile, path: Path, most: int) -> None:
    """Refuses a file without the columns or larger than a chunk can be, before it is read."""
    names, count = file.schema_arrow.names, file.metadata.num_rows
    for name in (*BUTTON_COLUMNS, *STICK_COLUMNS):
        if name not in names:
            raise LabelError(f"{path}: the column {name!r} is missing.")
    if not 1 <= count <= most:
        raise LabelError(f"{path}: holds {count:,} rows, expected 1 to {most:,}.")
    for group in range(file.metadata.num_row_groups):
        for column in range(file.metadata.num_columns):
            _check_column(file.metadata.row_group(group).column(column), path, count)


def _check_column(column: Any, path: Path, rows: int) -> None:
    """Refuses a column whose few bytes unfold to more than rows can hold."""
    name = column.path_in_schema.partition(".")[0]
    if name not in (*BUTTON_COLUMNS, *STICK_COLUMNS):
        return  # it is not read
    values = rows * (_PAIR if name in STICK_COLUMNS else 1)
    if column.num_values > values or column.total_uncompressed_size > _ROOM + _WIDEST * values:
        raise LabelError(f"{path}: the column {name!r} holds more than its {rows:,} rows can.")


def _booleans(table: pa.Table, name: str, path: Path) -> NDArray[np.bool_]:
    """A button's column as (n,) booleans; some chunks hold them as numbers."""
    column = table.column(name)
    numbers = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    values = column.to_numpy() if numbers or pa.types.is_boolean(column.type) else None
    if values is None or column.null_count or not np.isin(values, (0, 1)).all():
        raise LabelError(f"{path}: the column {name!r} must hold booleans, without gaps.")
    pressed: NDArray[np.bool_] = values.astype(np.bool_)
    return pressed


def _pairs(table: pa.Table, name: str, path: Path) -> NDArray[np.float64]:
    """A stick's column as (n, 2) numbers in [-1, 1]."""
    column = table.column(name)
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or _is_pair(kind)):
        raise LabelError(f"{path}: the column {name!r} must hold lists [x, y].")
    if column.null_count or pc.any(pc.not_equal(pc.list_value_length(column), 2)).as_py():
        raise LabelError(f"{path}: the column {name!r} must hold two numbers in every row.")
    flat = pc.list_flatten(column)
    numbers = pa.types.is_floating(flat.type) or pa.types.is_integer(flat.type)
    if not numbers or flat.null_count:
        raise LabelError(f"{path}: the column {name!r} must hold two numbers in every row.")
    pairs = flat.to_numpy().astype(np.float64).reshape(-1, 2)
    fine = np.abs(pairs) <= 1.0 + _SLACK  # False for what is no number
    if not fine.all():
        row = int(np.flatnonzero(~fine.all(axis=1))[0])
        raise LabelError(
            f"{path}: row {row} of {name!r} is {pairs[row].tolist()}, expected within -1 to 1."
        )
    clipped: NDArray[np.float64] = pairs.clip(-1.0, 1.0)
    return clipped


def _is_pair(kind: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_list(kind))


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
    about: dict[str, object]
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


def _told_rate(about: Mapping[str, object], path: Path) -> float | None:
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


def _video_rate(about: Mapping[str, object]) -> float | None:
    """Frames in a second by the numbers and times of a chunk's first and last, if it tells them."""
    video = about.get("original_video")
    if not isinstance(video, Mapping):
        return None
    names = ("start_frame", "end_frame", "start_time", "end_time")
    told = [one for name in names if is_number(one := video.get(name))]
    if len(told) < len(names):
        return None
    first, last, begin, end = told
    if not end > begin:
        return None
    rate = (last - first) / (end - begin)
    return float(rate) if 1.0 <= rate <= MOST_ROWS_PER_SECOND else None


def _seconds(about: Mapping[str, object]) -> float:
    """How long a chunk is: 20 s, or less if the video itself is shorter."""
    video = about.get("original_video")
    told = video.get("duration") if isinstance(video, Mapping) else None
    return told if is_number(told) and 0.0 < told < CHUNK_S else CHUNK_S


def _share(whole: object, parts: float) -> object:
    return whole / parts if is_number(whole) else whole


def _box(about: Mapping[str, object], path: Path) -> Box | None:
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


def _resolution(about: Mapping[str, object], box: list[float], path: Path) -> tuple[float, float]:
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
