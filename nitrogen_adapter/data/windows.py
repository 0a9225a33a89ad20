"""`ChunkSettings`: which moments of an episode become examples, and the idle rule."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.plain import check_kinds
from nitrogen_adapter import gamepad
from nitrogen_adapter.data.examples import ArrayExamples, Batch

_TOGETHER = 256  # rows that are collected between two looks at the arrays


@dataclass(frozen=True, kw_only=True)
class ChunkSettings:
    """Which moments of an episode become examples, and what an example shows.

    Attributes:
        horizon: actions in a chunk.
        stride: steps from one example to the next.
        action_shift: steps between the frame and the first action of its chunk.
        idle_threshold: a stick longer than this, or a button, makes a step busy. The public
            data set's figure.
        busy_share: least share of busy steps for a chunk to be kept. The article's half.
        frames: frames that an example shows, the newest of them its moment. Moments too early in
            an episode to have all of them are left out.
        frame_spacing: steps between two of these frames; a chunk's length unless told otherwise.
    """

    horizon: int = 18
    stride: int = 1
    action_shift: int = 0
    idle_threshold: float = 0.1
    busy_share: float = 0.5
    frames: int = 1
    frame_spacing: int = 18

    def __post_init__(self) -> None:
        """Refuse settings that cannot be meant.

        Raises:
            ValueError: if so, naming the setting.
        """
        check_kinds(self)
        leasts = {"horizon": 1, "stride": 1, "action_shift": 0, "frames": 1, "frame_spacing": 1}
        for name, least in leasts.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least {least}.")

    @property
    def look_back(self) -> NDArray[np.int64]:
        """Steps from a moment back to each of its frames (frames,), the oldest first, then 0."""
        return np.arange(self.frames - 1, -1, -1, dtype=np.int64) * self.frame_spacing


def busy_steps(actions: NDArray[np.float32], settings: ChunkSettings) -> NDArray[np.bool_]:
    """Which of (T, 5) actions press the dash or a stick beyond the idle threshold; (T,)."""
    move = np.hypot(actions[:, 0], actions[:, 1])
    aim = np.hypot(actions[:, 2], actions[:, 3])
    pressed = actions[:, 4] > gamepad.DOWN
    busy: NDArray[np.bool_] = (np.maximum(move, aim) > settings.idle_threshold) | pressed
    return busy


def busy_rows(
    rows: NDArray[np.float32], settings: ChunkSettings, *, old_layout: bool = False
) -> NDArray[np.bool_]:
    """Which of (T, 25) gamepad rows press a button or a stick beyond the idle threshold; (T,)."""
    busy: NDArray[np.bool_] = np.any(in_use(rows, settings, old_layout=old_layout), axis=1)
    return busy


def in_use(
    rows: NDArray[np.float32], settings: ChunkSettings, *, old_layout: bool = False
) -> NDArray[np.bool_]:
    """What each of (T, 25) gamepad rows uses.

    Returns:
        (T, 23) for the 21 buttons, the left and the right stick.
    """
    plain = gamepad.new_layout(rows, old_layout=old_layout)
    used = np.empty((len(rows), len(gamepad.BUTTONS) + 2), dtype=np.bool_)
    used[:, :-2] = plain[:, gamepad.NEW_LAYOUT.buttons] > gamepad.DOWN
    for column, stick in ((-2, gamepad.NEW_LAYOUT.left), (-1, gamepad.NEW_LAYOUT.right)):
        x, y = (plain[:, stick] * 2.0 - 1.0).T
        used[:, column] = np.hypot(x, y) > settings.idle_threshold
    return used


def chunk_starts(steps: int, settings: ChunkSettings) -> NDArray[np.int64]:
    """Every moment of so many steps that could be an example.

    All its frames lie before it and a whole chunk lies after it.
    """
    first = int(settings.look_back[0])
    end = steps - settings.action_shift - settings.horizon + 1
    return np.arange(first, max(end, first), settings.stride, dtype=np.int64)


def kept_of(busy: NDArray[np.bool_], settings: ChunkSettings) -> NDArray[np.int64]:
    """The moments whose chunks are busy enough to be kept, by the busy steps (T,)."""
    starts = chunk_starts(len(busy), settings)
    share = chunk_sums(busy, starts, settings) / settings.horizon
    kept: NDArray[np.int64] = starts[share >= settings.busy_share]
    return kept


def kept_starts(actions: NDArray[np.float32], settings: ChunkSettings) -> NDArray[np.int64]:
    """The moments of (T, 5) actions whose chunks are busy enough to be kept."""
    return kept_of(busy_steps(actions, settings), settings)


def chunk_sums(
    marks: NDArray[np.bool_], starts: NDArray[np.int64], settings: ChunkSettings
) -> NDArray[np.int64]:
    """How many steps of each moment's chunk are marked.

    Args:
        marks: (T, ...) by step.
        starts: (n,) moments with a whole chunk after them.
        settings: where a chunk lies.

    Returns:
        (n, ...) counts, 0 to `horizon`.
    """
    if len(starts) == 0:
        return np.zeros((0, *marks.shape[1:]), dtype=np.int64)
    before = np.zeros((len(marks) + 1, *marks.shape[1:]), dtype=np.int64)
    np.cumsum(marks, axis=0, out=before[1:])
    first = starts + settings.action_shift
    sums: NDArray[np.int64] = before[first + settings.horizon] - before[first]
    return sums


class Seen(NamedTuple):
    """A moment, looked at.

    Attributes:
        frame: (S, S, 3) uint8; it may be drawn over when the next moment is looked at.
        auxiliary: (M, 3) what stands where in it, or None if unknown.
    """

    frame: NDArray[np.uint8]
    auxiliary: NDArray[np.float32] | None = None


class SequenceExamples(ABC):
    """Frames and chunks by sequence and step, made only when they are asked for.

    Attributes:
        settings: which moments are examples, and what they show.
        size: side of the frames in pixels.
        windows: (N, 2) the sequence and the step of every example, both rising.
    """

    auxiliary_rows: int | None = None
    """Rows in a table of auxiliary targets, or None where there are none."""

    def __init__(
        self, starts: Sequence[NDArray[np.int64]], settings: ChunkSettings, *, size: int
    ) -> None:
        """Note the moments.

        Args:
            starts: the steps of each sequence's examples, rising.
            settings: which moments these are.
            size: side of the frames in pixels.

        Raises:
            ValueError: if there is no moment at all.
        """
        self.settings = settings
        self.size = size
        counts = [len(steps) for steps in starts]
        if sum(counts) == 0:
            raise ValueError(
                f"{len(starts)} episodes hold no chunk of {settings.horizon} actions that is busy "
                f"in at least {settings.busy_share:.0%} of its steps."
            )
        self._sequences = len(starts)
        owners = np.repeat(np.arange(len(starts)), counts)
        self.windows: NDArray[np.int64] = np.stack([owners, np.concatenate(starts)], axis=1)

    @abstractmethod
    def look(self, sequence: int, steps: NDArray[np.int64]) -> Iterator[Seen]:
        """Look at some moments of a sequence: (n,) steps, rising, none twice."""

    @abstractmethod
    def rows_at(self, sequence: int, steps: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the gamepad rows (..., 25) of some steps (...) of a sequence."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a digest of all that the examples depend on."""

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.windows)

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """Return the examples of these numbers, in this order."""
        batch = self._empty(len(rows))
        self._fill(batch, rows)
        return batch

    def collect(self, on_sequence: Callable[[int, int], None] | None = None) -> ArrayExamples:
        """Make all examples, in memory.

        Args:
            on_sequence: told after every sequence how many are done, and of how many.
        """
        whole = self._empty(len(self))
        total = self._sequences
        ends = np.searchsorted(self.windows[:, 0], np.arange(total), side="right")
        first = 0
        for number, end in enumerate(ends.tolist()):
            for begin in range(first, end, _TOGETHER):
                rows = np.arange(begin, min(begin + _TOGETHER, end))
                self._fill(_part(whole, rows), rows)
            first = end
            if on_sequence is not None:
                on_sequence(number + 1, total)
        return ArrayExamples(whole.inputs, whole.actions, whole.auxiliary)

    def _empty(self, count: int) -> Batch:
        settings, frame = self.settings, (self.size, self.size, 3)
        shape = frame if settings.frames == 1 else (settings.frames, *frame)
        auxiliary = None
        if self.auxiliary_rows is not None:
            auxiliary = np.empty((count, self.auxiliary_rows, 3), dtype=np.float32)
        return Batch(
            np.empty((count, *shape), dtype=np.uint8),
            np.empty((count, settings.horizon, gamepad.ROW), dtype=np.float32),
            auxiliary,
        )

    def _fill(self, out: Batch, rows: NDArray[np.int64]) -> None:
        """Makes the examples of some numbers in place."""
        moments = self.windows[rows]
        frames: NDArray[Any] = out.inputs.reshape(len(rows), -1, self.size, self.size, 3)
        chunk = np.arange(self.settings.horizon) + self.settings.action_shift
        for sequence in np.unique(moments[:, 0]).tolist():
            mine = np.flatnonzero(moments[:, 0] == sequence)
            steps = moments[mine, 1]
            out.actions[mine] = self.rows_at(sequence, steps[:, None] + chunk)
            looked = steps[:, None] - self.settings.look_back
            wanted = np.unique(looked)
            for step, seen in zip(wanted, self.look(sequence, wanted), strict=True):
                example, place = np.nonzero(looked == step)
                frames[mine[example], place] = seen.frame
                if out.auxiliary is not None:
                    out.auxiliary[mine[steps == step]] = seen.auxiliary


def _part(batch: Batch, rows: NDArray[np.int64]) -> Batch:
    """A view of consecutive rows."""
    part = slice(int(rows[0]), int(rows[-1]) + 1)
    auxiliary = None if batch.auxiliary is None else batch.auxiliary[part]
    return Batch(batch.inputs[part], batch.actions[part], auxiliary)
