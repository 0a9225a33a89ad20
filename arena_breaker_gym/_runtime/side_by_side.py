"""`work_side_by_side`: tasks, each done by a process of its own, several at a time.

What consists of many small computations is done sooner by as many processes as there are cores than
by one with as many threads: its pieces are too small to be shared, and what lies between them is
done by one thread alone. The processes are this package's own, so that a script that asks for
them needs no `if __name__ == "__main__"`; each ends with the one that started it.
"""

import contextlib
import os
import pickle
import signal
import subprocess  # nosec B404
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import IO

from arena_breaker_gym._runtime.sendable import sendable

Report = Callable[[float], None]
"""Told what share of a task is done, in [0, 1], as often as one likes."""

Task = Callable[[Report], None]
"""What is done; it is pickled, and leaves what it makes in files."""

PULSE_S = 0.2  # between two reports that reach the process that waits for them

_CODE = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import serve; serve()"


class ProcessEndedError(ChildProcessError):
    """A process ended before its task was done."""


def work_side_by_side(
    tasks: Sequence[Task],
    *,
    processes: int,
    threads: int = 1,
    progress: Report | None = None,
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


def _pickled(tasks: Sequence[Task]) -> deque[tuple[int, bytes]]:
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
    except (OSError, EOFError, pickle.UnpicklingError) as error:
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
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            _do(pickle.load(sys.stdin.buffer), said)  # nosec B301  # from who started it
    os._exit(0)  # not a pipe that is gone is to be flushed


def _do(task: Task, said: IO[bytes]) -> None:
    told = time.monotonic()

    def report(share: float) -> None:
        nonlocal told
        if time.monotonic() - told > PULSE_S:
            _say(share, said)
            told = time.monotonic()

    try:
        task(report)
    except BrokenPipeError:
        raise
    except Exception as error:
        _say(_noted(error), said)
    else:
        _say(None, said)


def _say(message: float | Exception | None, said: IO[bytes]) -> None:
    pickle.dump(message, said)
    said.flush()


def _noted(error: Exception) -> Exception:
    """An exception that can be sent, with a note of where it was raised."""
    told = sendable(error)
    told.add_note(f"Raised in process {os.getpid()}:\n{''.join(traceback.format_exception(error))}")
    return told
