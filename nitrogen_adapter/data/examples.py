"""What a student learns from: frames, or what was seen of them, paired with gamepad rows.

This is for a base model that starts from nothing. Told for every token which kinds of things
stand in its part of the frame, and where they are as seen from the player, a small model learns
in minutes what would otherwise take it hours of play. The head that is trained along belongs to
the training and is thrown away after it; at play a student sees pixels only.
"""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from nitrogen_adapter import gamepad
from nitrogen_adapter.vision import Fovea

BATCHES_AHEAD = 2
"""Batches that every worker makes before they are asked for."""

# A fork of this process would copy locks that other threads hold, of OpenMP or of a window. The
# server forks from a process that has done nothing but the imports, which also makes starting a
# worker cheap; where there is none, every worker begins from nothing.
_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
_IMPORTS = ("nitrogen_adapter.data.dataset",)

_ENDED = (
    "A worker process that makes training batches ended early: it was killed, or ran out of "
    "memory or shared memory; try fewer workers or smaller batches."
)

Parts = tuple[NDArray[Any] | None, ...]

ABSENT = -1
"""The kind of an empty row in a table of auxiliary targets."""

PLAYER = 0
"""The kind that others are located from."""

RARITY = 20.0
"""How much more a thing that is there counts than one that is not: most of a frame is floor."""

REACH = 4.0
"""Offsets from the player are learned in quarters of a frame, so that they are about 1 large."""

WHERE_SHARE = 0.3
"""How much the error of where things are counts beside the error of what they are."""

_TOGETHER = 256  # rows that are digested at once


class WorkerError(ChildProcessError):
    """A worker process ended before its work was done."""


class BatchSource(Protocol):
    """What gives the parts of a batch by row numbers."""

    def batch(self, rows: NDArray[np.int64]) -> Sequence[NDArray[Any] | None]:
        """Return the parts of the batch of these rows."""
        ...


def prefetched(
    source: BatchSource, orders: Iterable[NDArray[np.int64]], *, workers: int
) -> Iterator[Parts]:
    """Yield a batch for every order, made by worker processes and given out in order.

    Args:
        source: what makes batches; it is pickled once and sent to every worker.
        orders: row numbers of each batch; up to `BATCHES_AHEAD` a worker are taken ahead.
        workers: processes, at least 1. They live as long as the iterator and compute with one
            thread each.

    Yields:
        The parts of each batch, as arrays of their own.

    Raises:
        ValueError: if the source cannot be pickled, or as the source refuses a row.
        WorkerError: if a worker was killed or ran out of memory.
    """
    loader = DataLoader(
        _Served(_pickled(source)),
        sampler=orders,
        batch_size=None,  # an order is a whole batch already
        num_workers=workers,
        prefetch_factor=BATCHES_AHEAD,
        collate_fn=_unchanged,
        multiprocessing_context=_context(),
        generator=torch.Generator(),  # else the caller's global random numbers would move on
    )
    made = iter(loader)
    try:
        while (answer := _next(made)) is not None:
            yield _arrays(answer)
    finally:
        del made  # its end ends the workers


class _Refusal(str):
    """A source's refusal of a row, on its way from a worker."""

    __slots__ = ()


Answer = tuple[Tensor | None, ...] | _Refusal


class _Served(Dataset[Answer]):
    """A source at home in a worker: unpickled there at the first order."""

    def __init__(self, pickled: bytes) -> None:
        self._pickled = pickled
        self._source: BatchSource | None = None

    def __getitem__(self, rows: NDArray[np.int64]) -> Answer:
        if self._source is None:
            try:
                # The process that asks made it; nothing else is sent to this one.
                self._source = pickle.loads(self._pickled)  # nosec B301
            except (AttributeError, ImportError, pickle.UnpicklingError) as error:
                return _Refusal(f"A worker process cannot rebuild the examples ({error}).")
        try:
            parts = self._source.batch(rows)
        except ValueError as error:
            return _Refusal(error)
        # Tensors travel through shared memory, arrays would through a pipe.
        return tuple(None if part is None else _tensor(part) for part in parts)


def _tensor(part: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.require(part, requirements=["C", "W"]))


def _next(made: Iterator[Answer]) -> Answer | None:
    try:
        return next(made, None)
    except (ConnectionError, FileNotFoundError, EOFError) as error:
        raise WorkerError(_ENDED) from error  # between promising a batch and handing it over
    except RuntimeError as error:
        if "DataLoader worker" not in str(error) or "Caught" in str(error):
            raise  # a fault in the source, with the worker's own traceback
        raise WorkerError(_ENDED) from error


def _arrays(answer: Answer) -> Parts:
    if isinstance(answer, _Refusal):
        raise ValueError(str(answer))
    # Copied, since a piece of shared memory holds a file open for as long as it lives.
    return tuple(None if part is None else part.numpy().copy() for part in answer)


def _pickled(source: BatchSource) -> bytes:
    try:
        return pickle.dumps(source)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{type(source).__name__} cannot be sent to worker processes ({error}); "
            "use workers=0, or make it picklable."
        ) from error


def _context() -> object:
    context = multiprocessing.get_context(_METHOD)
    if _METHOD == "forkserver":
        context.set_forkserver_preload([*_IMPORTS])
    return context


def _unchanged(answer: object) -> object:
    return answer


class AuxiliaryTargets(NamedTuple):
    """Where things stand in frames, as tensors.

    Attributes:
        places: (n, M, 2) column and row as shares of the frame, in [0, 1).
        kinds: (n, M) whole numbers; `ABSENT` where a row is empty.
    """

    places: Tensor
    kinds: Tensor

    @classmethod
    def of(cls, table: NDArray[np.float32]) -> AuxiliaryTargets:
        """Read a table (n, M, 3) of column, row, kind; the first row is the player's."""
        tensor = torch.from_numpy(np.ascontiguousarray(table))
        return cls(tensor[..., :2], tensor[..., 2].long())


def mirror_auxiliary(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a table (n, M, 3) of column, row, kind as a mirror shows it."""
    result = table.copy()
    result[..., 0] = 1.0 - result[..., 0]
    return result


class AuxiliaryHead(nn.Module):
    """Reads off a frame's tokens what stands where; its error teaches those who made the tokens."""

    def __init__(self, width: int, kinds: int, grid: int) -> None:
        """Build the head.

        Args:
            width: features of a token.
            kinds: how many kinds of things there are, the player among them.
            grid: tokens along one side of a frame.
        """
        super().__init__()
        self.kinds, self.grid = kinds, grid
        self.what = nn.Linear(width, kinds)
        self.where = nn.Linear(width, 2)

    def loss(self, features: Tensor, auxiliary: AuxiliaryTargets) -> Tensor:
        """Return how wrong the head is.

        Args:
            features: (n, grid * grid, C) what a model sees of a frame each.
            auxiliary: of the n frames.

        Returns:
            A scalar.
        """
        frame, row = torch.nonzero(auxiliary.kinds != ABSENT, as_tuple=True)
        column_row = (auxiliary.places[frame, row] * self.grid).long().clamp(0, self.grid - 1)
        cell = column_row[:, 1] * self.grid + column_row[:, 0]
        there = torch.zeros((*features.shape[:2], self.kinds), device=features.device)
        there[frame, cell, auxiliary.kinds[frame, row]] = 1.0
        rarity = torch.full((self.kinds,), RARITY, device=features.device)
        what = F.binary_cross_entropy_with_logits(self.what(features), there, pos_weight=rarity)
        from_player = auxiliary.places[frame, row] - auxiliary.places[frame, PLAYER]
        where = F.smooth_l1_loss(self.where(features[frame, cell]), REACH * from_player)
        return what + WHERE_SHARE * where


def place_loss(fovea: Fovea, cells: Tensor, place: Tensor) -> Tensor:
    """Return how wrong a fovea is about where the player is.

    Args:
        fovea: of the tower.
        cells: (n, C, grid, grid) the tower's cells of n frames.
        place: (n, 2) column and row as shares of the frame.

    Returns:
        A scalar: the cross-entropy of the cell, and the error of the place in cells.
    """
    grid = fovea.grid
    column_row = (place * grid).long().clamp(0, grid - 1)
    cell = F.cross_entropy(fovea.scores(cells), column_row[:, 1] * grid + column_row[:, 0])
    return cell + F.smooth_l1_loss(grid * fovea.place(cells), grid * place)


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


class SightTargets(NamedTuple):
    """What a model sees of some moments in a look that it knows; it learns to see it in another.

    Attributes:
        features: (n, T, C) float16, what the actions get to see.
        cells: (n, grid, grid, C) float16, patches of the newest frames; None for a tower without.
        near: (n, side, side, C) float16, patches about the player; None without a fovea.
    """

    features: NDArray[np.float16]
    cells: NDArray[np.float16] | None = None
    near: NDArray[np.float16] | None = None

    def rows(self, rows: NDArray[np.int64]) -> SightTargets:
        """Return those of some moments."""
        patches = (None if part is None else part[rows] for part in self[1:])
        return SightTargets(self.features[rows], *patches)


class Batch(NamedTuple):
    """Some examples.

    Attributes:
        inputs: (n, S, S, 3) uint8 frames, (n, F, S, S, 3) where several belong to an example,
            the oldest first, or (n, T, C) features of any float type.
        actions: (n, 18, 25) float32 packed rows.
        auxiliary: (n, M, 3) float32 column, row (shares of the frame) and kind of the things in a
            frame, the player first and -1 as the kind of an empty row; None if not recorded.
        teacher: of the frames, or None if no teacher was asked.
        sight: what a model sees of the same moments in a look that it knows; or None.
    """

    inputs: NDArray[Any]
    actions: NDArray[np.float32]
    auxiliary: NDArray[np.float32] | None = None
    teacher: TeacherTargets | None = None
    sight: SightTargets | None = None

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
        sight: of all frames, as in `Batch`, or None.
    """

    inputs: NDArray[Any]
    actions: NDArray[np.float32]
    auxiliary: NDArray[np.float32] | None = None
    teacher: TeacherTargets | None = None
    sight: SightTargets | None = None

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
        sight = None if self.sight is None else self.sight.rows(rows)
        return Batch(self.inputs[rows], self.actions[rows], auxiliary, teacher, sight)

    def fingerprint(self) -> str:
        """Return a digest of the arrays; they are read to the end for it."""
        digest = blake2b(digest_size=32)
        told = (*(self.teacher or ()), *(self.sight or ()))
        for array in (self.inputs, self.actions, self.auxiliary, *told):
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
    # What a teacher and a model that knows another look tell, if they do, cannot travel.
    source = cast("BatchSource", examples)
    for inputs, actions, auxiliary, *_ in prefetched(source, orders, workers=workers):
        yield Batch(cast("NDArray[Any]", inputs), cast("NDArray[np.float32]", actions), auxiliary)
