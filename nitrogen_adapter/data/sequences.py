"""`SequenceExamples`: what examples that are cut out of sequences of steps have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nitrogen_adapter import gamepad
from nitrogen_adapter.data.examples import ArrayExamples, Batch
from nitrogen_adapter.data.windows import ChunkSettings

_TOGETHER = 256  # rows that are collected between two looks at the arrays


class Seen(NamedTuple):
    """A moment, looked at.

    Attributes:
        frame: (S, S, 3) uint8; it may be drawn over when the next moment is looked at.
        auxiliary: (M, 3) what stands where in it, or None if nobody knows.
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
