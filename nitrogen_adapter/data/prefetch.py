"""Prefetching: worker processes that make batches ahead of whoever trains on them."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

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


class WorkerError(ChildProcessError):
    """A worker process ended before its work was done."""


class Source(Protocol):
    """What gives the parts of a batch by row numbers."""

    def batch(self, rows: NDArray[np.int64]) -> Sequence[NDArray[Any] | None]:
        """Return the parts of the batch of these rows."""
        ...


def prefetched(
    source: Source, orders: Iterable[NDArray[np.int64]], *, workers: int
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
        self._source: Source | None = None

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


def _pickled(source: Source) -> bytes:
    try:
        return pickle.dumps(source)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{type(source).__name__} cannot be sent to worker processes ({error}); "
            "use workers=0, or make it picklable."
        ) from error


def _context() -> Any:
    context = multiprocessing.get_context(_METHOD)
    if _METHOD == "forkserver":
        context.set_forkserver_preload([*_IMPORTS])
    return context


def _unchanged(answer: Any) -> Any:
    return answer
