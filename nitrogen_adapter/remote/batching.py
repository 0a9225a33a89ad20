"""`Batcher`: requests of many clients wait in a bounded queue and share forward passes.

Nothing is waited for: whatever has come while one pass ran goes into the next, so that a lone
client is answered at once and a request never waits longer than for the current pass. `Metrics`
says what a server did, in numbers that stay few however long it runs.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitrogen_adapter.inference import ChunkPredictor

PERCENTILES = (50, 95, 99)

_FINENESS = math.log(1.02)  # of a latency: 2 %, so that a day's latencies are some hundred counts
_LEAST_S = 1e-6


class Latencies:
    """Seconds, counted by their size."""

    def __init__(self) -> None:
        """Begin with none."""
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[round(math.log(max(seconds, _LEAST_S) / _LEAST_S) / _FINENESS)] += 1

    def percentile(self, percent: float) -> float | None:
        """Seconds within which so many in a hundred lie, to 1 %; None: there are none."""
        left = math.ceil(self._counts.total() * percent / 100)
        for size, count in sorted(self._counts.items()):
            left -= count
            if left <= 0:
                return _LEAST_S * math.exp(size * _FINENESS)
        return None


class Metrics:
    """Counts of requests and forward passes over some time.

    Attributes:
        counts: of requests by what became of them: "served", "refused" (what the client sent is
            wrong), "failed" (the model did) and "turned away" (the queue was full).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now.

        Args:
            clock: seconds.
        """
        self._clock = clock
        self._began = clock()
        self._latencies = Latencies()
        self._shared: Counter[int] = Counter()  # passes by the requests that shared them
        self._frames = 0
        self.counts: Counter[str] = Counter()

    def count(self, outcome: str, seconds: float) -> None:
        """Count a request that was answered.

        Args:
            outcome: what became of it, as in `counts`.
            seconds: from its arrival to its answer.
        """
        self.counts[outcome] += 1
        self._latencies.add(seconds)

    def count_pass(self, requests: int, frames: int) -> None:
        """Count a forward pass."""
        self._shared[requests] += 1
        self._frames += frames

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._clock() - self._began

    def to_dict(self) -> dict[str, Any]:
        """Return all as JSON values; latencies in milliseconds."""
        passes = self._shared.total()
        predicted = sum(requests * times for requests, times in self._shared.items())
        return {
            "seconds": round(self.seconds, 3),
            "requests": self.counts.total(),
            **{name: self.counts[name] for name in ("refused", "failed", "turned away")},
            "latency_ms": {f"p{one}": self._milliseconds(one) for one in PERCENTILES},
            "passes": passes,
            "requests_per_pass": round(predicted / passes, 2) if passes else None,
            "most_requests_per_pass": max(self._shared, default=None),
            "frames": self._frames,
        }

    def __str__(self) -> str:
        """In one line."""
        return _sentence(self.to_dict())

    def _milliseconds(self, percent: float) -> float | None:
        seconds = self._latencies.percentile(percent)
        return None if seconds is None else float(f"{1000 * seconds:.3g}")


def _sentence(told: Mapping[str, Any]) -> str:
    """Say in one line what `Metrics.to_dict` tells."""
    bad = ", ".join(f"{told[name]} {name}" for name in ("refused", "failed", "turned away"))
    said = f"{told['seconds']:.0f} s: {told['requests']} requests ({bad})"
    if told["requests"]:
        latency = ", ".join(f"{name} {ms:g} ms" for name, ms in told["latency_ms"].items())
        said += f"; latency {latency}"
    if told["passes"]:
        said += (
            f"; {told['passes']} forward passes of {told['requests_per_pass']:g} requests on "
            f"average, {told['most_requests_per_pass']} at most"
        )
    return f"{said}."


MAX_QUEUE = 256  # requests that wait
MAX_BATCH = 64  # frames that share a pass; a request of more has one of its own
QUEUE_BYTES = 256 * 2**20  # of frames that wait
PER_CLIENT = 8  # requests of one client that wait; a client in good order has one

Client = tuple[bytes, ...]  # the frames of a message that lead back to it


class QueueFullError(Exception):
    """The queue is full."""


@dataclass(eq=False)
class QueuedRequest:
    """A client's request that the predictor has to do with.

    Attributes:
        client: who asked.
        route: what leads back to this request of the client's.
        received: when it came, by the clock that the server measures with.
        sessions: the client's own numbers; None: all that the client has.
        frames: (n, H, W, 3) frames to predict for; None: the sessions are reset.
        single: whether one frame was sent, and its chunk alone is answered.
        seed: of the noise, in a reset.
        rows: what was predicted.
        error: why nothing was.
    """

    client: Client
    route: list[bytes]
    received: float
    sessions: list[int] | None
    frames: NDArray[np.uint8] | None = None
    single: bool = False
    seed: int | None = None
    rows: NDArray[np.float32] | None = field(default=None, init=False)
    error: Exception | None = field(default=None, init=False)

    @property
    def nbytes(self) -> int:
        """Bytes of its frames."""
        return 0 if self.frames is None else self.frames.nbytes


class JobQueue:
    """Jobs in the order in which they came, no more than there is room for."""

    def __init__(self, most: int = MAX_QUEUE) -> None:
        """Begin empty.

        Args:
            most: how many jobs may wait, at least 1.

        Raises:
            ValueError: if none may.
        """
        if most < 1:
            raise ValueError(f"max_queue must be at least 1, got {most}.")
        self.most = most
        self._jobs: deque[QueuedRequest] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, job: QueuedRequest) -> None:
        """Append a job.

        Raises:
            BusyError: if there is no room for it.
        """
        with self._changed:
            if sum(one.client == job.client for one in self._jobs) >= PER_CLIENT:
                raise QueueFullError(
                    f"{PER_CLIENT} requests of yours wait already; await an answer."
                )
            waiting = sum(one.nbytes for one in self._jobs)
            full = self._jobs and waiting + job.nbytes > QUEUE_BYTES
            if full or len(self._jobs) >= self.most:
                raise QueueFullError(
                    f"The server is busy: {len(self._jobs)} requests wait already; ask again later."
                )
            self._jobs.append(job)
            self._changed.notify()

    def take(self, most: int) -> list[QueuedRequest]:
        """Wait for jobs, and take those that may share the next pass, oldest first.

        A client has one job in it, so that its requests are served in their order; frames have
        one shape, and are `most` at most unless the first job brings more by itself.

        Returns:
            The jobs; none once the queue is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            return [] if self._closed else self._next(most)

    def close(self) -> list[QueuedRequest]:
        """Give out no more; return what still waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            left = [*self._jobs]
            self._jobs.clear()
            return left

    def _next(self, most: int) -> list[QueuedRequest]:
        taken: list[QueuedRequest] = []
        left: deque[QueuedRequest] = deque()
        seen: set[Client] = set()
        shape: tuple[int, ...] | None = None
        room = most
        for job in self._jobs:
            frames = job.frames
            fits = job.client not in seen
            if fits and frames is not None:
                fits = shape is None or (frames.shape[1:] == shape and len(frames) <= room)
            seen.add(job.client)
            (taken if fits else left).append(job)
            if fits and frames is not None:
                shape, room = frames.shape[1:], room - len(frames)
        self._jobs = left
        return taken


class SessionNumbers:
    """The predictor's numbers of the clients' sessions; of too many, the longest idle goes."""

    def __init__(self, predictor: ChunkPredictor, most: int) -> None:
        """Begin with no session.

        Args:
            predictor: what keeps the sessions.
            most: how many it may keep.
        """
        self._predictor = predictor
        self._numbers: OrderedDict[tuple[Client, int], int] = OrderedDict()
        self._free: list[int] = [*range(most)][::-1]

    def known(self, client: Client) -> list[int]:
        """A client's own numbers of its sessions; one that is new has a session 0."""
        return sorted({0} | {one for owner, one in self._numbers if owner == client})

    def of(self, client: Client, sessions: Sequence[int]) -> list[int]:
        """The predictor's numbers of a client's sessions, which are now the latest used."""
        for one in sessions:
            if (client, one) in self._numbers:
                self._numbers.move_to_end((client, one))
        for one in sessions:
            if (client, one) not in self._numbers:
                self._numbers[client, one] = self._empty()
        return [self._numbers[client, one] for one in sessions]

    def _empty(self) -> int:
        """A number that no session uses, its memory empty."""
        if not self._free:
            _, number = self._numbers.popitem(last=False)
            self._free.append(number)
        self._predictor.reset(self._free[-1:], None)
        return self._free.pop()


class Batcher:
    """Takes jobs from a queue and serves together what can be."""

    def __init__(
        self,
        predictor: ChunkPredictor,
        queue: JobQueue,
        *,
        max_sessions: int,
        max_batch: int = MAX_BATCH,
    ) -> None:
        """Hold what is asked, and what it is asked for.

        Args:
            predictor: asked in the thread of `run` only.
            queue: where jobs come from.
            max_sessions: how many sessions are told apart.
            max_batch: frames that share a pass, at least 1.

        Raises:
            ValueError: if none may share one.
        """
        if max_batch < 1:
            raise ValueError(f"max_batch must be at least 1, got {max_batch}.")
        self._predictor = predictor
        self._queue = queue
        self._sessions = SessionNumbers(predictor, max_sessions)
        # No more than there are sessions: or one pass would need a session that it has taken away.
        self._most = min(max_batch, max_sessions)

    def run(self, served: Callable[[list[QueuedRequest]], None]) -> None:
        """Serve until the queue is closed.

        Args:
            served: told of the jobs of each pass, which have their rows or errors.
        """
        while jobs := self._queue.take(self._most):
            self._serve(jobs)
            served(jobs)

    def _serve(self, jobs: Sequence[QueuedRequest]) -> None:
        for job in jobs:
            if job.frames is None:
                self._reset(job)
        self._predict([job for job in jobs if job.frames is not None])

    def _reset(self, job: QueuedRequest) -> None:
        # Whatever fails in a predictor must not end the server: the client is told.
        try:
            known = self._sessions.known(job.client) if job.sessions is None else job.sessions
            self._predictor.reset(self._sessions.of(job.client, known), job.seed)
        except Exception as error:
            job.error = error

    def _predict(self, jobs: Sequence[QueuedRequest]) -> None:
        """One pass for all; where it fails, one each, so that no job fails because of another."""
        if not jobs:
            return
        try:
            rows = self._rows(jobs)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].error = error
            else:
                for job in jobs:
                    self._predict([job])
            return
        for job in jobs:
            job.rows, rows = np.split(rows, [len(job.sessions or ())])
            if not np.isfinite(job.rows).all():
                job.error = ValueError("The model predicted numbers that are not finite.")

    def _rows(self, jobs: Sequence[QueuedRequest]) -> NDArray[np.float32]:
        numbers = [self._sessions.of(job.client, job.sessions or ()) for job in jobs]
        frames = np.concatenate([job.frames for job in jobs if job.frames is not None])
        return self._predictor.predict(frames, [one for each in numbers for one in each])
