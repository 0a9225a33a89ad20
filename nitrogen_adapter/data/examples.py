"""What a student learns from: frames, or what was seen of them, paired with gamepad rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from nitrogen_adapter import gamepad
from nitrogen_adapter.data.auxiliary import mirror_auxiliary
from nitrogen_adapter.data.prefetch import Source, prefetched

_TOGETHER = 256  # rows that are digested at once


class TeacherTargets(NamedTuple):
    """What a teacher that reads the state would say about some frames; a student learns from it.

    Attributes:
        move: (n, moves) float32, logits of its whole distribution over discrete moves.
        aim: (n, 2) float32, its aim stick.
        senses: (n, numbers) float32, the features that it decides by.
    """

    move: NDArray[np.float32]
    aim: NDArray[np.float32]
    senses: NDArray[np.float32]

    def rows(self, rows: NDArray[np.int64]) -> TeacherTargets:
        """Return those of some frames."""
        return TeacherTargets(*(part[rows] for part in self))


class Batch(NamedTuple):
    """Some examples.

    Attributes:
        inputs: (n, S, S, 3) uint8 frames, (n, F, S, S, 3) where several belong to an example,
            the oldest first, or (n, T, C) features of any float type.
        actions: (n, 18, 25) float32 packed rows.
        auxiliary: (n, M, 3) float32 column, row (shares of the frame) and kind of the things in a
            frame, the player first and -1 as the kind of an empty row; None if nobody noted them.
        teacher: of the frames, or None if no teacher was asked.
    """

    inputs: NDArray[Any]
    actions: NDArray[np.float32]
    auxiliary: NDArray[np.float32] | None = None
    teacher: TeacherTargets | None = None

    def mirrored(self, *, old_layout: bool) -> Batch:
        """Return the examples, which must be frames, as a mirror shows them."""
        auxiliary = None if self.auxiliary is None else mirror_auxiliary(self.auxiliary)
        actions = gamepad.mirror(self.actions, old_layout=old_layout)
        return Batch(np.ascontiguousarray(self.inputs[..., ::-1, :]), actions, auxiliary)


class Examples(Protocol):
    """A numbered collection of examples; it may draw, read or play them only when asked.

    The same numbers must give the same examples, whenever they are asked for: that is what lets
    an interrupted training go on as if it had not been.
    """

    def __len__(self) -> int:
        """Count the examples."""
        ...

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """Return the examples of these numbers, in this order."""
        ...


@dataclass(frozen=True)
class ArrayExamples:
    """Examples that lie in memory, or in a memory-mapped file.

    Attributes:
        inputs: (N, S, S, 3) uint8 frames, or (N, T, C) float features.
        actions: (N, 18, 25) float32 packed rows.
        auxiliary: (N, M, 3) as in `Batch`, or None.
        teacher: of all frames, or None.
    """

    inputs: NDArray[Any]
    actions: NDArray[np.float32]
    auxiliary: NDArray[np.float32] | None = None
    teacher: TeacherTargets | None = None

    def __post_init__(self) -> None:
        """Refuse inputs and actions of different number.

        Raises:
            ValueError: if so, or if there are none.
        """
        auxiliary = self.actions if self.auxiliary is None else self.auxiliary
        counts = (len(self.inputs), len(self.actions), len(auxiliary))
        if len(set(counts)) > 1 or counts[0] == 0:
            raise ValueError(
                f"There are {counts[0]} inputs, {counts[1]} action chunks and "
                f"{counts[2]} auxiliary targets; "
                "expected as many of each, and at least one."
            )

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.inputs)

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """Return the examples of these numbers, in this order."""
        auxiliary = None if self.auxiliary is None else self.auxiliary[rows]
        teacher = None if self.teacher is None else self.teacher.rows(rows)
        return Batch(self.inputs[rows], self.actions[rows], auxiliary, teacher)

    def fingerprint(self) -> str:
        """Return a digest of the arrays; they are read to the end for it."""
        digest = blake2b(digest_size=32)
        for array in (self.inputs, self.actions, self.auxiliary, *(self.teacher or ())):
            if array is None:
                continue
            digest.update(f"{array.dtype} {array.shape}".encode())
            for first in range(0, len(array), _TOGETHER):
                digest.update(np.ascontiguousarray(array[first : first + _TOGETHER]).data)
        return digest.hexdigest()


def batches(
    examples: Examples, orders: Iterable[NDArray[np.int64]], *, workers: int = 0
) -> Iterator[Batch]:
    """Make batches in order, the same ones for any number of workers.

    Arrays that lie in memory or in a file are read here in any case: a copy of them in every
    worker would cost more than it brings. A script that asks for workers needs the usual
    `if __name__ == "__main__":`, since they import it.

    Args:
        examples: what the batches are made of; they must be picklable where there are workers.
        orders: row numbers (n,) of each batch. Without workers they are taken one by one; workers
            are given some ahead of the batch that is being used.
        workers: processes that make batches ahead; 0 makes each when it is asked for.

    Returns:
        An iterator; closing it, or letting go of it, ends the workers.

    Raises:
        ValueError: if `workers` is negative; while iterating, if the examples cannot be sent to a
            worker, or refuse a row.
        WorkerError: while iterating, if a worker was killed or ran out of memory.
    """
    if workers < 0:
        raise ValueError(f"workers is {workers}; expected 0 or more.")
    if workers == 0 or isinstance(examples, ArrayExamples):
        return (examples.batch(rows) for rows in orders)
    return _from_workers(examples, orders, workers)


def _from_workers(
    examples: Examples, orders: Iterable[NDArray[np.int64]], workers: int
) -> Iterator[Batch]:
    source = cast("Source", examples)  # a teacher's targets, if there are any, cannot travel
    for inputs, actions, auxiliary, _ in prefetched(source, orders, workers=workers):
        yield Batch(cast("NDArray[Any]", inputs), cast("NDArray[np.float32]", actions), auxiliary)
