"""`ThreadPool`, `work_side_by_side` and `BufferPool`: shared work, large arrays used again.

A batch is shared out among Python's own threads; compiled code releases the interpreter while it
runs, so they run side by side. Which thread does which piece is chance, and no piece knows of it.

What consists of many small computations is done sooner by as many processes as there are cores than
by one with as many threads: its pieces are too small to be shared, and what lies between them is
done by one thread alone. The processes are this package's own, so that a script that asks for
them needs no `if __name__ == "__main__"`; each ends with the one that started it.
"""

import contextlib
import math
import os
import pickle
import signal
import subprocess  # nosec B404
import sys
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from queue import SimpleQueue
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

_PIECES_EACH = 4  # pieces a thread: one that is held up leaves the rest to the others

Piece: TypeAlias = tuple[Any, ...]
Answers: TypeAlias = "SimpleQueue[BaseException | None]"

_LEAST = 2**22  # bytes; memory for less is had as fast as it is found here
_KEPT = 2  # buffers that wait: a loop holds one observation while the next is written

ReportShare: TypeAlias = Callable[[float], None]
"""Told what share of a task is done, in [0, 1], as often as one likes."""

ProcessTask: TypeAlias = Callable[[ReportShare], None]
"""What a process does; it is pickled, and leaves what it makes in files."""

PULSE_S = 0.2  # between two reports that reach the process that waits for them

_CODE = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import serve; serve()"


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


class ProcessEndedError(ChildProcessError):
    """A process ended before its task was done."""


def work_side_by_side(
    tasks: Sequence[ProcessTask],
    *,
    processes: int,
    threads: int = 1,
    progress: ReportShare | None = None,
) -> None:
    """Does tasks in processes of their own, and returns when all are done.

    Each process takes the next task when it has done one. If one fails, the others are
    ended.

    Args:
        tasks: What is done, in the order in which it is begun.
        processes: How many work at a time, at least 1.
        threads: That each may compute with.
        progress: Told what share of all tasks is done, each counting the same.

    Raises:
        ValueError: If a task cannot be pickled; nothing is begun then.
        ProcessEndedError: If a process was killed or ran out of memory.
        Exception: What a task raised, with a note of where.
    """
    shares = [0.0] * len(tasks)
    with _Crew(_pickled(tasks), min(processes, len(tasks)), threads) as crew:
        for number, share in crew.reports():
            shares[number] = share
            if progress is not None:
                progress(sum(shares) / len(shares))


def _pickled(tasks: Sequence[ProcessTask]) -> deque[tuple[int, bytes]]:
    try:
        return deque((number, pickle.dumps(task)) for number, task in enumerate(tasks))
    except Exception as error:  # pickling fails in as many ways as there are objects
        raise ValueError(f"The work cannot be sent to other processes ({error}).") from error


class _Crew:
    """Processes at work, each attended by a thread that hands it tasks and hears its reports."""

    def __init__(self, tasks: deque[tuple[int, bytes]], size: int, threads: int) -> None:
        self._tasks = tasks
        self._heard: SimpleQueue[tuple[int, float] | Exception | None] = SimpleQueue()
        self._processes = [_started(threads) for _ in range(size)]
        self._threads = [
            threading.Thread(target=self._attend, args=(one,), daemon=True)
            for one in self._processes
        ]

    def __enter__(self) -> "_Crew":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends them all, at once if they are still at work."""
        for process in self._processes:
            process.kill()
        for process, thread in zip(self._processes, self._threads, strict=True):
            process.wait()
            thread.join()
            _close(process)

    def reports(self) -> Iterator[tuple[int, float]]:
        """Yields the task's number and the share of it that is done, until all are."""
        left = len(self._threads)
        while left:
            heard = self._heard.get()
            if isinstance(heard, Exception):
                raise heard
            if heard is None:
                left -= 1
            else:
                yield heard

    def _attend(self, process: "subprocess.Popen[bytes]") -> None:
        try:
            while self._tasks:
                try:
                    number, task = self._tasks.popleft()
                except IndexError:  # another was faster
                    break
                self._hand_over(process, number, task)
        except Exception as error:
            self._heard.put(error)
        else:
            self._heard.put(None)

    def _hand_over(self, process: "subprocess.Popen[bytes]", number: int, task: bytes) -> None:
        """Lets a process do a task, and passes on what it says of it."""
        _send(process, task)
        while (said := _heard_from(process)) is not None:
            if isinstance(said, Exception):
                raise said
            self._heard.put((number, said))
        self._heard.put((number, 1.0))


def _send(process: "subprocess.Popen[bytes]", task: bytes) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(task)
        process.stdin.flush()
    except OSError as error:
        raise _ended(process) from error


def _heard_from(process: "subprocess.Popen[bytes]") -> float | Exception | None:
    """What share of its task a process has done, what went wrong, or None when all is done."""
    assert process.stdout is not None
    try:
        said: float | Exception | None = pickle.load(process.stdout)  # nosec B301  # our own
    except (OSError, EOFError) as error:
        raise _ended(process) from error
    except pickle.UnpicklingError as error:  # something else was printed there
        process.kill()
        raise _ended(process) from error
    return said


def _ended(process: "subprocess.Popen[bytes]") -> ProcessEndedError:
    return ProcessEndedError(
        f"A process ended before its work was done (exit status {process.wait()}), as when memory "
        "runs out: what was finished by then is kept, and the same call goes on from there."
    )


def _started(threads: int) -> "subprocess.Popen[bytes]":
    """A process that waits for tasks; its errors and what it prints come out here."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))
    return subprocess.Popen(  # nosec B603  # this very program
        [sys.executable, "-c", _CODE, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **limits},
    )


def _close(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what a dead process did not take
            if pipe is not None:
                pipe.close()


def serve() -> None:
    """Does what comes in until nothing more does; what a process runs that was started here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the other, which ends this one
    said = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what others print is no message
    with contextlib.suppress(EOFError):
        while True:
            _do(pickle.load(sys.stdin.buffer), said)  # nosec B301  # from who started it


def _do(task: ProcessTask, said: IO[bytes]) -> None:
    told = time.monotonic()

    def report(share: float) -> None:
        nonlocal told
        if time.monotonic() - told > PULSE_S:
            _say(share, said)
            told = time.monotonic()

    try:
        task(report)
    except Exception as error:
        _say(_noted(error), said)
    else:
        _say(None, said)


def _say(message: float | Exception | None, said: IO[bytes]) -> None:
    try:
        pickle.dump(message, said)
        said.flush()
    except OSError:  # who started this process is gone
        os._exit(1)


def _noted(error: Exception) -> Exception:
    """An exception that can be sent, with a note of where it was raised."""
    told = sendable(error)
    told.add_note(f"Raised in process {os.getpid()}:\n{''.join(traceback.format_exception(error))}")
    return told


def sendable(error: Exception) -> Exception:
    """The exception itself if it survives pickling, else one that says the same."""
    try:
        again = pickle.loads(pickle.dumps(error))  # nosec B301  # of this very process
        if type(again) is type(error) and str(again) == str(error):
            return error
    except Exception:  # nosec B110  # whatever it is, it cannot be pickled
        pass
    return RuntimeError(f"{type(error).__name__}: {error}")


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
