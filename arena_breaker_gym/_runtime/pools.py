"""`ThreadPool` and `BufferPool`: threads that share out a batch, large arrays used again.

They are Python's own threads; compiled code releases the interpreter while it runs, so they
run side by side. Which thread does which piece is chance, and no piece knows of it.
"""

import math
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from queue import SimpleQueue
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

_PIECES_EACH = 4  # pieces a thread: one that is held up leaves the rest to the others

Piece: TypeAlias = tuple[Any, ...]
Answers: TypeAlias = "SimpleQueue[BaseException | None]"

_LEAST = 2**22  # bytes; memory for less is had as fast as it is found here
_KEPT = 2  # buffers that wait: a loop holds one observation while the next is written


class ThreadPool:
    """The thread that calls and `size` - 1 helpers, who come with the first work to share.

    Any number of pools may work at once, each called by one thread at a time. A process that
    was forked gets helpers of its own.
    """

    def __init__(self, size: int) -> None:
        """Makes a pool of `size` threads, the caller's among them."""
        self.size = size
        self._tasks: SimpleQueue[_Task | None] | None = None
        self._process = 0

    def __reduce__(self) -> Any:
        """A copy has helpers of its own."""
        return ThreadPool, (self.size,)

    def cut(self, rows: int, *, least: int) -> list[tuple[int, int]]:
        """Pieces (first row, row after the last) that make up a batch.

        Args:
            rows: How many there are.
            least: So few that a second thread would cost more than it helps.
        """
        threads = min(self.size, rows // least)
        if threads < 2:
            return [(0, rows)]
        count = min(threads * _PIECES_EACH, rows // least)
        ends = [rows * piece // count for piece in range(count + 1)]
        return list(pairwise(ends))

    def share(self, work: Callable[..., object], pieces: Sequence[Piece]) -> None:
        """Calls `work(*piece)` for every piece and returns when all are done.

        Raises:
            BaseException: What one of the calls raised; pieces not begun by then are left out.
        """
        if len(pieces) == 1:  # one environment's step: no time for ceremony
            work(*pieces[0])
            return
        helpers = min(self.size, len(pieces)) - 1
        if helpers < 1:
            for piece in pieces:
                work(*piece)
            return
        task = _Task(work, pieces)
        tasks = self._at_work()
        for _ in range(helpers):
            tasks.put(task)
        task.run()
        for failure in [task.answers.get() for _ in range(helpers + 1)]:
            if failure is not None:
                raise failure

    def _at_work(self) -> "SimpleQueue[_Task | None]":
        """Where the helpers of this process take their tasks from."""
        if self._tasks is None or self._process != os.getpid():
            self._tasks, self._process = SimpleQueue(), os.getpid()
            for _ in range(self.size - 1):
                threading.Thread(target=_help, args=(self._tasks,), daemon=True).start()
            weakref.finalize(self, _dismiss, self._tasks, self.size - 1).atexit = False
        return self._tasks


class _Task:
    """Pieces of work that several threads take from until none is left."""

    def __init__(self, work: Callable[..., object], pieces: Sequence[Piece]) -> None:
        self.answers: Answers = SimpleQueue()
        self._work = work
        self._left = deque(pieces)

    def run(self) -> None:
        """Does pieces until none is left, and answers with what went wrong, or None."""
        try:
            while (piece := self._next()) is not None:
                self._work(*piece)
        except BaseException as failure:  # whatever it was, the caller waits for an answer
            self._left.clear()
            self.answers.put(failure)
        else:
            self.answers.put(None)

    def _next(self) -> Piece | None:
        try:
            return self._left.popleft()
        except IndexError:
            return None


def _help(tasks: "SimpleQueue[_Task | None]") -> None:
    while (task := tasks.get()) is not None:
        task.run()
        del task  # or its arrays would live until the next one


def _dismiss(tasks: "SimpleQueue[_Task | None]", helpers: int) -> None:
    for _ in range(helpers):
        tasks.put(None)


def cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class BufferPool:
    """Hands out uint8 arrays of one shape, not filled with anything.

    Asking the system for tens of megabytes at every step takes longer than drawing them. An array
    comes back by itself when no reference to it, or to any view of it, is left.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        """Makes a pool without a buffer in it."""
        self._shape = shape
        self._waiting: deque[NDArray[np.uint8]] = deque(maxlen=_KEPT)

    def __reduce__(self) -> Any:
        """A copy has buffers of its own."""
        return BufferPool, (self._shape,)

    def take(self) -> NDArray[np.uint8]:
        """An array that nothing else holds."""
        if math.prod(self._shape) < _LEAST:
            return np.empty(self._shape, dtype=np.uint8)
        try:
            buffer = self._waiting.pop()
        except IndexError:
            buffer = np.empty(self._shape, dtype=np.uint8)
        loan = _Loan(buffer)
        weakref.finalize(loan, self._waiting.append, buffer).atexit = False
        return np.asarray(loan)


class _Loan:
    """What every array on a buffer holds on to: NumPy's views keep their memory's owner alive."""

    def __init__(self, buffer: NDArray[np.uint8]) -> None:
        self.__array_interface__ = buffer.__array_interface__
