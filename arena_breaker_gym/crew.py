"""`Crew`: threads that share out the rows of a batch among themselves.

They are Python's own threads; compiled code releases the interpreter while it runs, so they
run side by side. Which thread does which piece is chance, and no piece knows of it.
"""

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from queue import SimpleQueue
from typing import Any, TypeAlias

_PIECES_EACH = 4  # pieces a thread: whoever is held up leaves the rest to the others

Piece: TypeAlias = tuple[Any, ...]
Answers: TypeAlias = "SimpleQueue[BaseException | None]"


class Crew:
    """The thread that calls and `size` - 1 helpers, who come with the first work to share.

    Any number of crews may work at once, each called by one thread at a time. A process that
    was forked gets helpers of its own.
    """

    def __init__(self, size: int) -> None:
        """Makes a crew of `size` threads, the caller's among them."""
        self.size = size
        self._orders: SimpleQueue[_Order | None] | None = None
        self._process = 0

    def __reduce__(self) -> Any:
        """A copy has helpers of its own."""
        return Crew, (self.size,)

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
        order = _Order(work, pieces)
        orders = self._at_work()
        for _ in range(helpers):
            orders.put(order)
        order.carry_out()
        for failure in [order.answers.get() for _ in range(helpers + 1)]:
            if failure is not None:
                raise failure

    def _at_work(self) -> "SimpleQueue[_Order | None]":
        """Where the helpers of this process take their orders from."""
        if self._orders is None or self._process != os.getpid():
            self._orders, self._process = SimpleQueue(), os.getpid()
            for _ in range(self.size - 1):
                threading.Thread(target=_help, args=(self._orders,), daemon=True).start()
            weakref.finalize(self, _dismiss, self._orders, self.size - 1).atexit = False
        return self._orders


class _Order:
    """Pieces of work that several threads take from until none is left."""

    def __init__(self, work: Callable[..., object], pieces: Sequence[Piece]) -> None:
        self.answers: Answers = SimpleQueue()
        self._work = work
        self._left = deque(pieces)

    def carry_out(self) -> None:
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


def _help(orders: "SimpleQueue[_Order | None]") -> None:
    while (order := orders.get()) is not None:
        order.carry_out()
        del order  # or its arrays would live until the next one


def _dismiss(orders: "SimpleQueue[_Order | None]", helpers: int) -> None:
    for _ in range(helpers):
        orders.put(None)


def cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
