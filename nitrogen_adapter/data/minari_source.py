"""`MinariExamples`: a Minari data set of any environment that shows pixels, as examples."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from arena_breaker_gym._runtime.extras import require
from nitrogen_adapter import gamepad
from nitrogen_adapter.data.label_statistics import LabelStatistics, Track, label_statistics
from nitrogen_adapter.data.windows import ChunkSettings, Seen, SequenceExamples, busy_rows, kept_of
from nitrogen_adapter.inference import scaled

MEMORY = 2**30
"""Bytes of frames, in their own size, that a process keeps. Our own value."""


_PICTURE = "RGB frames (H, W, 3) of uint8"


class MinariError(ValueError):
    """A Minari data set that cannot be learned from; the message names it and says why."""


class Packs(Protocol):
    """A mapping with the side that is needed here; `mapping.ActionMapping` is one."""

    def pack(self, actions: Any) -> NDArray[np.float32]:
        """Turn actions (T, ...) into gamepad rows (T, 25)."""
        ...


class MinariExamples(SequenceExamples):
    """Frames and packed actions of a Minari data set.

    All episodes are read once to pick the moments. Frames are then read by the episode and the
    latest episodes are kept, so random batches of a data set that is larger than `memory` are
    slow: `collect` or `features.cache_features` read it in order instead.
    """

    def __init__(
        self,
        dataset: object,
        mapping: Packs | Callable[[Any], NDArray[np.float32]],
        *,
        pixels: str | None = None,
        settings: ChunkSettings | None = None,
        size: int = 256,
        episodes: Sequence[int] | None = None,
        old_layout: bool | None = None,
        memory: int = MEMORY,
        on_episode: Callable[[int, int], None] | None = None,
    ) -> None:
        """Read the actions and pick the moments.

        Args:
            dataset: a `minari.MinariDataset`, the name of one on this machine (nothing is
                downloaded), or the path of its folder.
            mapping: what packs the actions of an episode, as Minari gives them, into rows.
            pixels: the observation's key, where observations are a dictionary; where it holds
                only one picture, that is taken.
            settings: which moments are taken.
            size: side that frames are resized to, in pixels, whatever their proportions.
            episodes: places of the episodes that are used, as `split_by_episode` gives them of
                `range(dataset.total_episodes)`; None uses all.
            old_layout: whether the mapping's rows have their sticks first; None asks the
                mapping's own settings, which a bare function has not.
            memory: bytes of frames that each process keeps.
            on_episode: told after every episode how many have been read, and of how many.

        Raises:
            MinariError: if there is no such data set, it shows no pixels, or the mapping gives no
                rows.
            MissingExtraError: if Minari is not installed.
            ValueError: if no chunk is busy enough to be kept.
        """
        chosen = settings or ChunkSettings()
        self.dataset = open_dataset(dataset)
        self.pixels = _pixels_of(self.dataset.observation_space, pixels)
        if old_layout is None:
            own = getattr(mapping, "settings", None)
            old_layout = bool(getattr(own, "old_layout", False))
        self.old_layout = old_layout
        self._memory = memory
        self._latest: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._places = list(range(self.dataset.total_episodes) if episodes is None else episodes)
        self._rows: list[NDArray[np.float32]] = []
        for done, place in enumerate(self._places):
            self._rows.append(_packed(mapping, self.dataset[place].actions, place))
            if on_episode is not None:
                on_episode(done + 1, len(self._places))
        super().__init__([self._starts(rows, chosen) for rows in self._rows], chosen, size=size)

    def look(self, sequence: int, steps: NDArray[np.int64]) -> Iterator[Seen]:
        """Read and resize the frames of some steps."""
        frames = self._episode(sequence)
        for step in steps.tolist():
            yield Seen(scaled(frames[step][np.newaxis], self.size)[0])

    def rows_at(self, sequence: int, steps: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the rows of some steps."""
        return self._rows[sequence][steps]

    def statistics(self, *, dash: str | None = None) -> LabelStatistics:
        """Report what the examples hold, and which buttons are rare."""
        tracks = (Track(rows, self._starts(rows, self.settings), {}) for rows in self._rows)
        return label_statistics(tracks, self.settings, old_layout=self.old_layout, dash=dash)

    def fingerprint(self) -> str:
        """Return a digest of the actions and of what is known of the data set's frames."""
        storage = self.dataset.storage
        about = [self.dataset.id, self.pixels, self.size, self._places, storage.metadata]
        digest = sha256(f"{about} {sorted(asdict(self.settings).items())}".encode())
        for file in sorted(Path(storage.data_path).rglob("*")):
            digest.update(f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}".encode())
        for rows in self._rows:
            digest.update(rows.tobytes())
        return digest.hexdigest()

    def __getstate__(self) -> dict[str, object]:
        """Leave behind the frames: another process reads its own."""
        return {**self.__dict__, "_latest": OrderedDict()}

    def _starts(self, rows: NDArray[np.float32], settings: ChunkSettings) -> NDArray[np.int64]:
        return kept_of(busy_rows(rows, settings, old_layout=self.old_layout), settings)

    def _episode(self, sequence: int) -> NDArray[np.uint8]:
        """The frames (T + 1, H, W, 3) of an episode, read unless it is one of the latest."""
        if sequence not in self._latest:
            observations = self.dataset[self._places[sequence]].observations
            frames = observations if self.pixels is None else observations[self.pixels]
            self._latest[sequence] = np.asarray(frames, dtype=np.uint8)
        self._latest.move_to_end(sequence)
        while len(self._latest) > 1 and _bytes_in(self._latest) > self._memory:
            self._latest.popitem(last=False)
        return self._latest[sequence]


def _bytes_in(arrays: OrderedDict[int, NDArray[np.uint8]]) -> int:
    return sum(array.nbytes for array in arrays.values())


def open_dataset(dataset: Any) -> Any:
    """Return a `minari.MinariDataset`, given itself, its name or the path of its folder.

    Raises:
        MinariError: if there is no such data set on this machine; nothing is downloaded.
        MissingExtraError: if Minari is not installed.
    """
    minari = require("minari", "minari")
    if isinstance(dataset, minari.MinariDataset):
        return dataset
    try:
        if isinstance(dataset, Path):
            data = dataset / "data"
            return minari.MinariDataset(data if data.is_dir() else dataset)
        return minari.load_dataset(dataset)
    except (OSError, ValueError, KeyError) as error:
        raise MinariError(
            f"{dataset}: there is no such Minari data set on this machine, or it is damaged; "
            "expected a name such as those of `minari list local`, or a folder."
        ) from error


def _pixels_of(space: spaces.Space[Any], key: str | None) -> str | None:
    """The key of the observation's picture, or None where it is the observation itself."""
    if not isinstance(space, spaces.Dict):
        if key is None and _is_picture(space):
            return None
        raise MinariError(f"{_said(key)}, but observations are {space}; expected {_PICTURE}.")
    pictures = [name for name, part in space.items() if _is_picture(part)]
    if key is None and len(pictures) == 1:
        return str(pictures[0])
    if key in pictures:
        return key
    raise MinariError(
        f"{_said(key)}, but observations with {_PICTURE} are {pictures or 'none'} of {list(space)}."
    )


def _said(key: str | None) -> str:
    return "No key was given for the pixels" if key is None else f"The pixels' key is {key!r}"


def _is_picture(space: spaces.Space[Any]) -> bool:
    shape = space.shape or ()
    return space.dtype == np.uint8 and len(shape) == 3 and shape[2] == 3


def _packed(
    mapping: Packs | Callable[[Any], NDArray[np.float32]], actions: object, place: int
) -> NDArray[np.float32]:
    """An episode's rows, checked."""
    pack: Any = getattr(mapping, "pack", mapping)
    rows = np.asarray(pack(actions), dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] != gamepad.ROW:
        raise MinariError(
            f"The mapping gave rows of the shape {rows.shape} for episode {place}; "
            f"expected (steps, {gamepad.ROW})."
        )
    if not ((rows >= 0.0) & (rows <= 1.0)).all():
        raise MinariError(f"The mapping gave rows beyond 0 to 1 for episode {place}.")
    return rows
