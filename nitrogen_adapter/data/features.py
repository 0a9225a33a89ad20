"""`cache_features`: every frame is looked at once, for trainings with a frozen vision encoder."""

from __future__ import annotations

import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from arena_breaker_gym._runtime.files import make_folder, put_in_place, written_whole
from arena_breaker_gym._runtime.stored import StoredError, open_stored, read_stored
from nitrogen_adapter.data.examples import ArrayExamples, Batch, Examples, batches
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.vision import normalise

SAVE_EVERY = 1.0  # s: what a kill may cost

_NOTE_BYTES = 100  # of the number of rows that are there

SEES = ("vision_encoder.", "vl_self_attention_model.", "game_embedding.")
"""How the names of the parameters begin that features depend on."""


class FeatureStoreError(ValueError):
    """Cached features cannot be used; the message names the folder and says why."""


@dataclass(frozen=True)
class Column:
    """One array of a cache.

    Attributes:
        dtype: of its numbers.
        shape: of the whole array, rows first.
    """

    dtype: DTypeLike
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return int(np.dtype(self.dtype).itemsize * np.prod(self.shape[1:], dtype=np.int64))


class FeatureStore:
    """A folder of caches, each of them a folder named by what it was computed from.

    Arrays grow row by row in `.NAME.part`, which is renamed to `NAME` when they are whole. So a
    cache is there whole or not at all, and one that was cut short goes on where it stopped.
    """

    def __init__(self, folder: str | Path, name: str, columns: Mapping[str, Column]) -> None:
        """Name a cache; nothing is read or written yet.

        Args:
            folder: of all caches.
            name: of this one, different for whatever would give other numbers.
            columns: its arrays, all with equally many rows.
        """
        self.place = Path(folder) / name
        self.columns = dict(columns)
        self._part = self.place.with_name(f".{name}.part")
        self._lock = self.place.with_name(f".{name}.lock")

    @contextmanager
    def writing(self) -> Iterator[Writer | None]:
        """Give a writer to go on with, or None if the cache is whole already.

        While one process writes, others wait here. The cache is named when the block has written
        the last row; a block that ends before leaves what it wrote for the next.

        Raises:
            FeatureStoreError: if the disk has no room for all of it.
        """
        make_folder(self.place.parent)
        with FileLock(self._lock):
            if self.place.exists():
                yield None
                return
            self._part.mkdir(exist_ok=True)
            writer = Writer(self._part, self.columns)
            try:
                self._check_room(writer.rows)
                yield writer
            finally:
                writer.close()
            if writer.rows == writer.count:
                put_in_place(self._part, self.place)

    def open(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of a cache that is whole, mapped into memory and not read yet.

        Raises:
            FeatureStoreError: if a file is missing, cut short or of another shape.
        """
        return {name: self._opened(name, column) for name, column in self.columns.items()}

    def _opened(self, name: str, column: Column) -> NDArray[Any]:
        path = self.place / f"{name}.npy"
        header = _header(column)
        try:
            with open_stored(path) as file:  # no header but the one that is written here is read
                whole = file.read(len(header)) == header
                size = file.seek(0, os.SEEK_END)
        except (OSError, StoredError) as error:
            raise self._damaged(path) from error
        if not whole or size != len(header) + column.shape[0] * column.row_bytes:
            raise self._damaged(path)
        return np.memmap(path, column.dtype, mode="r", offset=len(header), shape=column.shape)

    def _damaged(self, path: Path) -> FeatureStoreError:
        return FeatureStoreError(
            f"{path}: missing or damaged; remove the folder {self.place} to compute it again."
        )

    def _check_room(self, rows: int) -> None:
        count = next(iter(self.columns.values())).shape[0]
        needed = sum(column.row_bytes for column in self.columns.values()) * (count - rows)
        free = shutil.disk_usage(self._part).free
        if needed > free:
            raise FeatureStoreError(
                f"{self.place}: {count:,} cached examples need {needed / 1e9:.1f} GB more, but "
                f"the disk has {free / 1e9:.1f} GB left."
            )


class Writer:
    """The arrays of a cache while they grow.

    Attributes:
        count: rows that there are to be.
        rows: rows that are there.
    """

    def __init__(self, folder: Path, columns: Mapping[str, Column]) -> None:
        """Open the files and keep the rows that are known to be on the disk."""
        self._columns = dict(columns)
        self.count = next(iter(columns.values())).shape[0]
        self._noted = folder / "rows.txt"
        self.rows = min(_rows_in(folder, columns), _number_in(self._noted))
        self._files = {
            name: _opened(folder / f"{name}.npy", self.rows, columns[name]) for name in columns
        }
        self._saved = time.monotonic()

    def append(self, **rows: NDArray[Any]) -> None:
        """Write the next rows of every array; now and then they are brought to the disk.

        Args:
            rows: (n, ...) by array.
        """
        for name, file in self._files.items():
            column = self._columns[name]
            fit = np.ascontiguousarray(rows[name], dtype=column.dtype)
            file.write(fit.reshape(len(fit), *column.shape[1:]).data)
        self.rows += len(next(iter(rows.values())))
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Bring everything to the disk, and note how much is there."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        with written_whole(self._noted) as part:
            part.write_text(str(self.rows), encoding="ascii")
        self._saved = time.monotonic()

    def close(self) -> None:
        """Save and close."""
        self.save()
        for file in self._files.values():
            file.close()


def _opened(path: Path, rows: int, column: Column) -> BinaryIO:
    """An array's file, cut to so many rows and ready for the next."""
    file = path.open("r+b" if rows else "w+b")
    if not rows:
        file.write(_header(column))
    file.truncate(len(_header(column)) + rows * column.row_bytes)
    file.seek(0, os.SEEK_END)
    return file


def _rows_in(folder: Path, columns: Mapping[str, Column]) -> int:
    """How many rows all the files hold whole; 0 if one is missing or of another shape."""
    counts = []
    for name, column in columns.items():
        header, path = _header(column), folder / f"{name}.npy"
        if not path.is_file():
            return 0
        with path.open("rb") as file:
            if file.read(len(header)) != header:
                return 0
        counts.append((path.stat().st_size - len(header)) // column.row_bytes)
    return min(counts)


def _number_in(path: Path) -> int:
    try:
        return max(0, int(read_stored(path, most=_NOTE_BYTES)))
    except (OSError, ValueError):
        return 0


def _header(column: Column) -> bytes:
    buffer = io.BytesIO()
    descr = np.dtype(column.dtype).str
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": descr, "fortran_order": False, "shape": column.shape}
    )
    return buffer.getvalue()


@runtime_checkable
class Fingerprinted(Protocol):
    """Examples that can be told from others, so that features of them can be kept."""

    def fingerprint(self) -> str:
        """Return a digest of all that the examples depend on."""
        ...


def cache_features(
    model: NitroGen,
    examples: Examples,
    *,
    mirror: bool = False,
    attended: bool = True,
    game: str | int | None = None,
    batch_size: int = 50,
    workers: int = 0,
    on_batch: Callable[[int, int], None] | None = None,
    folder: str | Path | None = None,
) -> ArrayExamples:
    """Let a model look at every frame once, for a training with a frozen vision encoder.

    Args:
        model: what looks.
        examples: frames and actions.
        mirror: whether to append every example's mirror image.
        attended: whether the frames' tokens have attended to each other, as the actions see them;
            False keeps the tower's own tokens, for a training of that attention.
        game: the game's name or number, for a model that was told games apart.
        batch_size: frames looked at together.
        workers: processes that draw frames meanwhile; see `examples.batches`.
        on_batch: told after every batch how many frames are done, and of how many.
        folder: of caches on the disk; features that were kept there are not computed again, and
            a run that was cut short goes on. None keeps them in memory. Each cache is named by
            a digest of the examples and of the weights that see, so a stale one is never used.

    Returns:
        The same actions with float16 features, followed by the mirror images if asked: (N, T, C),
        or with the tower's own tokens (N, F, tokens of a frame, C). From a folder they are mapped
        into memory and read when used.

    Raises:
        ValueError: if the disk is too small, a cache is damaged, or the examples have no
            `fingerprint` to keep features by.
    """
    look = _Look(model, examples, mirror, attended, game, batch_size, workers)
    columns = _columns(look)
    if folder is None:
        return _in_memory(look, columns, on_batch)
    store = FeatureStore(folder, f"features-{_key(look)}", columns)
    with store.writing() as writer:
        if writer is not None:
            for inputs, actions in _looked(look, writer.rows):
                writer.append(inputs=inputs, actions=actions)
                _tell(on_batch, writer.rows, writer.count)
    kept = store.open()
    return ArrayExamples(kept["inputs"], kept["actions"])


class _Look(NamedTuple):
    """What is looked at, and how."""

    model: NitroGen
    examples: Examples
    mirror: bool
    attended: bool
    game: str | int | None
    batch_size: int
    workers: int


def _in_memory(
    look: _Look, columns: Mapping[str, Column], on_batch: Callable[[int, int], None] | None
) -> ArrayExamples:
    inputs, actions = (
        np.empty(columns[name].shape, columns[name].dtype) for name in ("inputs", "actions")
    )
    whole = ArrayExamples(inputs, actions)
    done = 0
    for features, rows in _looked(look, 0):
        end = done + len(features)
        inputs[done:end], actions[done:end] = features, rows
        done = end
        _tell(on_batch, done, len(whole))
    return whole


def _columns(look: _Look) -> dict[str, Column]:
    """The arrays that there will be."""
    config, count = look.model.config, len(look.examples) * (1 + look.mirror)
    tokens: tuple[int, ...] = (config.max_sequence_length,)
    if not look.attended:
        frames = _with_frames(look.examples.batch(np.arange(1)).inputs).shape[1]
        tokens = (frames, config.vision.tokens)
    return {
        "inputs": Column(np.float16, (count, *tokens, config.vision.hidden_size)),
        "actions": Column(np.float32, (count, config.action_horizon, config.action_dim)),
    }


def _looked(look: _Look, first: int) -> Iterator[tuple[NDArray[np.float16], NDArray[np.float32]]]:
    """Features and actions of the rows from `first` on, batch by batch."""
    count = len(look.examples)
    for side in (False, True) if look.mirror else (False,):
        begin = min(max(first - side * count, 0), count)
        starts = range(begin, count, look.batch_size)
        orders: Sequence[NDArray[np.int64]] = [
            np.arange(start, min(start + look.batch_size, count)) for start in starts
        ]
        for batch in batches(look.examples, orders, workers=look.workers):
            shown = batch
            if side:
                shown = batch.mirrored(old_layout=look.model.config.old_layout)
            yield _features(look, shown), shown.actions


@torch.no_grad()
def _features(look: _Look, batch: Batch) -> NDArray[np.float16]:
    model, was_training = look.model, look.model.training
    model.eval()
    try:
        pixels = _with_frames(batch.inputs).to(next(model.parameters()).device)
        tokens = model.encode(pixels, look.game) if look.attended else model.see(pixels)
    finally:
        model.train(was_training)
    features: NDArray[np.float16] = tokens.to(torch.float16).cpu().numpy()
    return features


def _with_frames(inputs: NDArray[np.uint8]) -> Tensor:
    """Frames as a model takes them: (n, F, 3, S, S) in [-1, 1], F being 1 where not told."""
    pixels = normalise(inputs)
    return pixels[:, None] if inputs.ndim == 4 else pixels


def _tell(on_batch: Callable[[int, int], None] | None, done: int, total: int) -> None:
    if on_batch is not None:
        on_batch(done, total)


def _key(look: _Look) -> str:
    """A name that is another one whenever the features would be others."""
    if not isinstance(look.examples, Fingerprinted):
        raise ValueError(
            f"{type(look.examples).__name__} has no fingerprint() to keep its features by; "
            "leave the folder out to keep them in memory."
        )
    config = look.model.config
    about: dict[str, object] = {
        "examples": look.examples.fingerprint(),
        "weights": _weights_digest(look.model),
        "frame": config.vision.image_size,
        "tokens": config.max_sequence_length,
        "old_layout": config.old_layout,
        "mirror": look.mirror,
        "attended": look.attended,
        "game": look.model.game_row(look.game),
    }
    return blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16).hexdigest()


def _weights_digest(model: NitroGen) -> str:
    digest = blake2b(digest_size=32)
    for name, value in sorted(model.state_dict().items()):
        if name.startswith(SEES):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            flat = value.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
