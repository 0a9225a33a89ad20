"""`export_lerobot`: stored episodes as a LeRobot data set in the format v3.0.

An episode becomes one parquet file and one video, which the format allows and which keeps memory
bounded and lets a killed export go on. Frame t is what there was to see before action t: T frames
for T actions.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import arena_breaker_gym
from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym._runtime.files import folder_written_whole
from arena_breaker_gym._runtime.plain import plain_int
from arena_breaker_gym._runtime.stored import json_in, read_stored
from arena_breaker_gym.batch.observation import STATE_NUMBERS, TABLES
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.export.source import (
    EpisodeSource,
    ExportError,
    Moments,
    Pieces,
    moments_of,
    pieces_of,
    placed,
    source_of,
)
from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.store import EpisodeStore
from arena_breaker_gym.rollout.video import encoder
from arena_breaker_gym.settings import PIXEL_SIZES

VERSION = "v3.0"
TASK = "Survive in the arena and shoot down what attacks."
PIXELS = "observation.images.arena"
ACTIONS = ["move_x", "move_z", "aim_x", "aim_z", "dash"]
CHUNK = 1000  # files in a folder
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
INFO = "meta/info.json"
_GROUP = 4096  # rows that are written at once
_ROWS, _FILM, _ABOUT = "rows.parquet", "film.mp4", "about.json"  # of an episode

Progress = Callable[[int, int], None]
Columns = dict[str, NDArray[Any]]


class Sums:
    """Running figures of rows, each column for itself; of pictures, each colour for itself."""

    def __init__(self) -> None:
        """Begins with nothing."""
        self._count = 0
        self._parts: list[NDArray[np.float64]] = []

    def add(self, values: NDArray[Any]) -> None:
        """Takes in rows (n, ...), or pictures (n, H, W, 3) of uint8 as shares of 255."""
        rows = values.astype(np.float64)
        if values.ndim == 4:
            rows = rows.reshape(len(values), -1, 3) / 255.0
            found = [rows.min(1), rows.max(1), rows.mean(1), (rows**2).mean(1)]
        else:
            rows = rows.reshape(len(values), -1)
            found = [rows, rows, rows, rows**2]
        now = [found[0].min(0), found[1].max(0), found[2].sum(0), found[3].sum(0)]
        if self._parts:
            low, high, total, squares = self._parts
            now = [
                np.minimum(low, now[0]),
                np.maximum(high, now[1]),
                total + now[2],
                squares + now[3],
            ]
        self._parts, self._count = now, self._count + len(values)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {"count": self._count, "parts": [part.tolist() for part in self._parts]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Sums":
        """What `to_dict` told."""
        found = cls()
        found._count = values["count"]
        found._parts = [np.array(part) for part in values["parts"]]
        return found

    def merge(self, other: "Sums") -> None:
        """Takes in all that another took in."""
        if not self._parts:
            self._parts, self._count = list(other._parts), other._count
            return
        low, high, total, squares = self._parts
        their = other._parts
        self._parts = [
            np.minimum(low, their[0]),
            np.maximum(high, their[1]),
            total + their[2],
            squares + their[3],
        ]
        self._count += other._count

    def stats(self, *, picture: bool = False) -> dict[str, Any]:
        """The figures as nested lists, of pictures in the shape (3, 1, 1)."""
        low, high, total, squares = self._parts
        mean = total / self._count
        spread = np.sqrt(np.maximum(squares / self._count - mean**2, 0.0))
        shape = (3, 1, 1) if picture else (-1,)
        figures = {"min": low, "max": high, "mean": mean, "std": spread}
        named = {name: figure.reshape(shape).tolist() for name, figure in figures.items()}
        return {**named, "count": [self._count]}


@dataclass(frozen=True)
class _Terms:
    fps: int
    size: int


def export_lerobot(
    store: EpisodeStore,
    out: Path,
    *,
    pixel_size: int | None = None,
    licence: str = "MIT",
    progress: Progress | None = None,
) -> Path:
    """Writes stored episodes as a LeRobot data set, whole or not at all.

    Pixels are video (H.264), so not bit for bit what an agent saw, and rewards are float32; all
    else is lossless. A call that finds the same data set does nothing; after one that was killed
    it goes on with the first episode that is missing.

    Args:
        store: The episodes; all must have been played under the same settings.
        out: Folder of the data set, to be given to `LeRobotDataset(name, root=out)`.
        pixel_size: Side of the pixels; None: that of the episodes' settings.
        licence: Under which it may be used.
        progress: Told after every episode how many steps are written, and of how many.

    Returns:
        The folder.

    Raises:
        ExportError: If there is no episode, they differ in their settings, a step is no whole
            fraction of a second, or the folder holds other data.
        ReplayError: If an episode does not play as recorded.
        BusyError: If another process is writing the same data set.
        MissingExtraError: If pyarrow or the video encoder is not installed.
    """
    require("pyarrow", "nitrogen")
    require("imageio_ffmpeg", "video")
    source = source_of(store)
    terms = _terms_of(source, pixel_size)
    info = _info(source, terms, licence)
    if out.exists():
        _check_same(out, info)
        return out
    with pieces_of(out, info) as pieces, folder_written_whole(out) as part:
        _write(part, pieces, source, terms, info, progress)
    return out


def _terms_of(source: EpisodeSource, pixel_size: int | None) -> _Terms:
    fps, rest = divmod(TICKS_PER_SECOND, source.settings.frame_skip)
    if rest:
        raise ExportError(
            f"{source.store.folder}: {TICKS_PER_SECOND / source.settings.frame_skip:.2f} steps a "
            "second; LeRobot wants a whole number of them."
        )
    size = source.settings.pixel_size if pixel_size is None else plain_int("pixel_size", pixel_size)
    if size not in PIXEL_SIZES:
        raise ExportError(f"pixel_size must be one of {PIXEL_SIZES}, got {size}.")
    return _Terms(fps, size)


def _info(source: EpisodeSource, terms: _Terms, licence: str) -> dict[str, object]:
    return {
        "codebase_version": VERSION,
        "robot_type": "arena_breaker",
        "total_episodes": len(source),
        "total_frames": source.steps,
        "total_tasks": 1,
        "chunks_size": CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": terms.fps,
        "splits": {"train": f"0:{len(source)}"},
        "data_path": DATA,
        "video_path": VIDEO,
        "features": _features(terms),
        "arena_breaker": {
            "version": arena_breaker_gym.__version__,
            "engine_version": ENGINE_VERSION,
            "license": licence,
            "agents": list(source.agents),
            "settings": source.settings.to_dict(),
            "max_steps": source.max_steps,
            "episodes_digest": source.digest,
        },
    }


def _features(terms: _Terms) -> dict[str, object]:
    def of(dtype: str, *shape: int, names: object = None) -> dict[str, Any]:
        return {"dtype": dtype, "shape": list(shape), "names": names}

    picture = of("video", terms.size, terms.size, 3, names=["height", "width", "channels"])
    picture["info"] = {
        "video.height": terms.size,
        "video.width": terms.size,
        "video.codec": "h264",
        "video.pix_fmt": "yuv420p",
        "video.is_depth_map": False,
        "video.fps": terms.fps,
        "video.channels": 3,
        "has_audio": False,
    }
    numbers = [
        f"{table}_{place}"
        for table, (shape, _) in TABLES.items()
        for place in range(int(np.prod(shape)))
    ]
    return {
        PIXELS: picture,
        "observation.state": of("float32", STATE_NUMBERS, names=numbers),
        "action": of("float32", len(ACTIONS), names=ACTIONS),
        "next.reward": of("float32", 1),
        "next.done": of("bool", 1),
        "timestamp": of("float32", 1),
        "frame_index": of("int64", 1),
        "episode_index": of("int64", 1),
        "index": of("int64", 1),
        "task_index": of("int64", 1),
    }


def _check_same(out: Path, info: dict[str, object]) -> None:
    """Refuses a folder that holds anything but the very data set that is wanted."""
    try:
        same = json_in(read_stored(out / INFO)) == json.loads(json.dumps(info))
    except (OSError, ValueError):
        same = False
    if not same:
        raise ExportError(f"{out}: holds something else already; name another folder.")


def _write(
    folder: Path,
    pieces: Pieces,
    source: EpisodeSource,
    terms: _Terms,
    info: dict[str, object],
    progress: Progress | None,
) -> None:
    rows: list[dict[str, Any]] = []
    total: dict[str, Sums] = {}
    for number, episode in enumerate(source):
        before = rows[-1]["dataset_to_index"] if rows else 0
        write = partial(_write_piece, episode=episode, number=number, before=before, terms=terms)
        piece = pieces.get(number, write)
        place = {"chunk_index": number // CHUNK, "file_index": number % CHUNK}
        placed(piece / _ROWS, folder / DATA.format(**place))
        placed(piece / _FILM, folder / VIDEO.format(video_key=PIXELS, **place))
        told = json.loads((piece / _ABOUT).read_text(encoding="utf-8"))
        rows.append(told["row"])
        for name, part in told["sums"].items():
            total.setdefault(name, Sums()).merge(Sums.from_dict(part))
        if progress is not None:
            progress(before + len(episode), source.steps)
    _write_table(folder / EPISODES, rows)
    _write_tasks(folder / "meta/tasks.parquet")
    _write_json(folder / "meta/stats.json", _stats(total))
    _write_json(folder / INFO, info)


def _write_piece(
    folder: Path, *, episode: Episode, number: int, before: int, terms: _Terms
) -> None:
    """Writes an episode's rows, its video, and what the data set says of it."""
    sums = _write_episode(folder, episode, number, before, terms)
    row = _row(episode, number, before, terms, sums)
    told = {"row": row, "sums": {name: part.to_dict() for name, part in sums.items()}}
    _write_json(folder / _ABOUT, told)


def _write_episode(
    folder: Path, episode: Episode, number: int, before: int, terms: _Terms
) -> dict[str, Sums]:
    """Writes an episode's rows and its video, and sums up both."""
    pa, pq = require("pyarrow", "nitrogen"), require("pyarrow.parquet", "nitrogen")
    rows, film = folder / _ROWS, folder / _FILM
    sums: dict[str, Sums] = {}
    with ExitStack() as stack:
        video = stack.enter_context(
            encoder(film, width=terms.size, height=terms.size, fps=Fraction(terms.fps))
        )
        writer = None
        waiting: list[Any] = []
        for columns, frames in _pieces(episode, number, before, terms):
            for name, values in {**columns, PIXELS: frames}.items():
                sums.setdefault(name, Sums()).add(values)
            for frame in frames:
                video.write(frame)
            waiting.append(_table(columns))
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(rows, waiting[0].schema))
            if sum(map(len, waiting)) >= _GROUP or waiting[-1]["frame_index"][
                -1
            ].as_py() + 1 == len(episode):
                writer.write_table(pa.concat_tables(waiting))
                waiting.clear()
    return sums


def _pieces(
    episode: Episode, number: int, before: int, terms: _Terms
) -> Iterator[tuple[Columns, NDArray[np.uint8]]]:
    """The columns and frames of an episode's T steps; its last moment belongs to no action."""
    for piece in moments_of(episode, observation="both", pixel_size=terms.size):
        first, last = piece.first, min(piece.first + len(piece), len(episode))
        if last == first:
            continue
        steps = np.arange(first, last)
        columns: Columns = {
            "observation.state": _state(piece)[: last - first],
            "action": episode.actions[first:last],
            "next.reward": episode.rewards[first:last].astype(np.float32),
            "next.done": steps == len(episode) - 1,
            "timestamp": (steps / terms.fps).astype(np.float32),
            "frame_index": steps,
            "episode_index": np.full(len(steps), number),
            "index": before + steps,
            "task_index": np.zeros(len(steps), np.int64),
        }
        yield columns, piece.observations["pixels"][: last - first]


def _state(piece: Moments) -> NDArray[np.float32]:
    """All tables of each moment in one row, as `observation="flat"` has them."""
    tables = [piece.observations[name].reshape(len(piece), -1) for name in TABLES]
    return np.concatenate(tables, axis=1, dtype=np.float32)


def _table(columns: Columns) -> object:
    pa = require("pyarrow", "nitrogen")
    arrays = {}
    for name, values in columns.items():
        array = pa.array(values.reshape(-1))
        if values.ndim == 2:
            array = pa.FixedSizeListArray.from_arrays(array, values.shape[1])
        arrays[name] = array
    return pa.table(arrays)


def _row(
    episode: Episode, number: int, before: int, terms: _Terms, sums: dict[str, Sums]
) -> dict[str, object]:
    """What the data set says of an episode: where it lies, its figures, and where it is from."""
    chunk, file = divmod(number, CHUNK)
    return {
        "episode_index": number,
        "tasks": [TASK],
        "length": len(episode),
        "data/chunk_index": chunk,
        "data/file_index": file,
        "dataset_from_index": before,
        "dataset_to_index": before + len(episode),
        f"videos/{PIXELS}/chunk_index": chunk,
        f"videos/{PIXELS}/file_index": file,
        f"videos/{PIXELS}/from_timestamp": 0.0,
        f"videos/{PIXELS}/to_timestamp": len(episode) / terms.fps,
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
        "seed": episode.seed,
        "stage": episode.stage,
        "agent": episode.agent,
        "final_hash": episode.final_hash,
        **{
            f"stats/{name}/{figure}": values
            for name, figures in _stats(sums).items()
            for figure, values in figures.items()
        },
    }


def _stats(sums: dict[str, Sums]) -> dict[str, Any]:
    return {name: part.stats(picture=name == PIXELS) for name, part in sums.items()}


def _write_table(path: Path, rows: list[dict[str, object]]) -> None:
    pa, pq = require("pyarrow", "nitrogen"), require("pyarrow.parquet", "nitrogen")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def _write_tasks(path: Path) -> None:
    """Writes the one task as pandas would, whose index LeRobot reads the words from."""
    pa, pq = require("pyarrow", "nitrogen"), require("pyarrow.parquet", "nitrogen")
    column = {"metadata": None, "name": "task_index", "field_name": "task_index"}
    index = {"metadata": None, "name": None, "field_name": "__index_level_0__"}
    about = {
        "index_columns": ["__index_level_0__"],
        "column_indexes": [],
        "columns": [
            {**column, "pandas_type": "int64", "numpy_type": "int64"},
            {**index, "pandas_type": "unicode", "numpy_type": "object"},
        ],
        "pandas_version": "2.2.0",
    }
    table = pa.table({"task_index": [0], "__index_level_0__": [TASK]})
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(about)}), path)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")
