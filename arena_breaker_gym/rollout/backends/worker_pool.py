"""`WorkerPool`: a driver's workers on a Ray cluster, and what each of them is assigned."""

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from arena_breaker_gym.rollout.backends.cluster import Cluster
from arena_breaker_gym.rollout.backends.messages import Job
from arena_breaker_gym.rollout.backends.worker import Worker

CALLS_AT_ONCE = 4  # a worker is fed, answered and stopped while it collects


@dataclass(eq=False)
class WorkerHandle:
    """One worker.

    Attributes:
        number: Unique among all that there ever were.
        actor: Ray's handle.
        listening: What was asked of it last and is to be heard; None: it is idle.
        ready: Whether it has greeted.
        playing: Whether it has a job.
        serial: Number of its job.
        assigned: Episodes that it was given and has not finished, in that order.
        begun: What it said last of those under way; see `Report`.
    """

    number: int
    actor: Any
    listening: Any = None
    ready: bool = False
    playing: bool = False
    serial: int = 0
    assigned: list[int] = field(default_factory=list)
    begun: float = 0.0

    def start(self, spec: Any, job: Job) -> None:
        """Lets it play."""
        self.playing, self.serial = True, job.serial
        self.assigned.extend(job.numbers)
        self.actor.play.remote(spec, job)
        self.listen()

    def feed(self, numbers: Sequence[int]) -> None:
        """Gives it more of the same job."""
        self.assigned.extend(numbers)
        self.actor.feed.remote(self.serial, numbers)

    def listen(self) -> None:
        """Asks for its next messages."""
        self.listening = self.actor.collect.remote()

    def finish(self) -> list[int]:
        """Its job has ended; returns what it did not come to."""
        left, self.assigned = self.assigned, []
        self.playing, self.listening, self.begun = False, None, 0.0
        return left


class WorkerPool:
    """Workers that start side by side and are replaced when they die.

    Attributes:
        workers: Those alive, as far as is known.
        gpu: Whether each has a share of a GPU.
    """

    def __init__(self, cluster: Cluster, workers: int | None, *, gpu: bool) -> None:
        """Starts workers; each greets when it is ready.

        Args:
            cluster: Where.
            workers: How many; None: one for each CPU.
            gpu: Whether the GPUs, if there are any, are shared out among them.

        Raises:
            ValueError: If there are fewer CPUs than workers.
        """
        count, share = cluster.shares(workers)
        gpus = min(1.0, cluster.gpus() / count) if gpu else 0.0
        self.gpu = gpu
        self._cluster = cluster
        self._threads = share
        self._numbers = itertools.count()
        remote = cluster.ray.remote(Worker)
        self._maker = remote.options(
            num_cpus=share, num_gpus=gpus, max_concurrency=CALLS_AT_ONCE, max_restarts=0
        )
        self.workers = [self._started() for _ in range(count)]

    def replace(self, worker: WorkerHandle) -> None:
        """Starts another in the place of one that has died."""
        self._kill(worker)
        self.workers[self.workers.index(worker)] = self._started()

    def shut_down(self) -> None:
        """Ends all of them, whatever they do."""
        for worker in self.workers:
            self._kill(worker)
        self.workers.clear()

    def _started(self) -> WorkerHandle:
        worker = WorkerHandle(
            next(self._numbers), self._maker.remote(list(sys.path), self._threads)
        )
        worker.listening = worker.actor.greet.remote()
        return worker

    def _kill(self, worker: WorkerHandle) -> None:
        self._cluster.ray.kill(worker.actor, no_restart=True)
