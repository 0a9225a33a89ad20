"""`Cluster`: a Ray cluster, one that is there already or one of our own on this machine."""

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym.rollout.backends import cluster_watch
from arena_breaker_gym.rollout.backends.worker import Job, Worker

STORE_BYTES = 256 * 2**20  # of shared memory for what episodes and small agents need
KNOCK_S = 10.0  # in which a cluster's port must open

# Ray does not report its use to its makers. It does not write to standard output (about a worker's
# death, for one), which is for results. It hides GPUs from workers that have no share in one. What
# the user has set already stays.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
}

CALLS_AT_ONCE = 4  # a worker is fed, answered and stopped while it collects


def import_ray() -> Any:
    """Ray itself, told to be quiet.

    Raises:
        MissingExtraError: If it is not installed.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    return require("ray", "ray")


class Cluster:
    """A connection to a cluster; closing it stops what was started for it, and nothing else.

    Attributes:
        own: Whether it was started here, for this connection alone.
        store: Bytes of shared memory of a cluster of our own.
    """

    def __init__(self, address: str | None, *, store: int = STORE_BYTES) -> None:
        """Connects, or starts a cluster that listens on this machine's loopback only.

        Args:
            address: "auto", "HOST:PORT" or "ray://HOST:PORT"; None: the one that this process is
                connected to, or a new one on this machine.
            store: Shared memory for a new one, in bytes.

        Raises:
            ConnectionError: If there is no such cluster, or a new one does not start.
            ValueError: If this process is connected to another.
            MissingExtraError: If Ray is not installed.
        """
        self.ray = import_ray()
        self.store = store
        connected = bool(self.ray.is_initialized())
        if connected and address is not None:
            raise ValueError(
                "This process is connected to a Ray cluster already; leave the address out."
            )
        self.own = not connected and address is None
        self._ours = not connected
        self._watch: subprocess.Popen[bytes] | None = None
        if self.own:
            self._watch = _watched()  # first: the driver may be killed while its cluster starts
            self._start()
        elif not connected:
            self._connect(address)

    def shares(self, workers: int | None) -> tuple[int, int]:
        """How many workers there are to be, and how many CPUs each may have.

        Args:
            workers: As many as these; None: one for each CPU.

        Raises:
            ValueError: If there is not a CPU for each.
        """
        cpus = [int(node["Resources"].get("CPU", 0)) for node in self._nodes()]
        total = sum(cpus)
        if total == 0:
            raise ValueError("The Ray cluster has no CPU that workers could have.")
        workers = total if workers is None else workers
        for share in range(total // workers, 0, -1):
            if sum(count // share for count in cpus) >= workers:
                return workers, share
        raise ValueError(f"{workers} workers need a CPU each, and the Ray cluster has {total}.")

    def gpus(self) -> float:
        """GPUs of all machines together."""
        return float(sum(node["Resources"].get("GPU", 0.0) for node in self._nodes()))

    def close(self) -> None:
        """Disconnects, and stops a cluster of our own."""
        if self._ours:
            self.ray.shutdown()
        if self._watch is not None:
            self._watch.kill()
            self._watch.wait()
            self._watch = None

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self.ray.nodes() if node["Alive"]]

    def _start(self) -> None:
        with _started_or_said(), _loopback(), _room_for_sockets(), self._closed_on_failure():
            self.ray.init(
                address="local",
                num_cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
                object_store_memory=self.store,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
            )

    @contextlib.contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _connect(self, address: str | None) -> None:
        try:
            _knock(address or "")
            self.ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (OSError, ValueError, RuntimeError) as error:
            raise ConnectionError(f"There is no Ray cluster to be had at {address!r}.") from error


def _watched() -> subprocess.Popen[bytes] | None:
    """Starts a process that ends what outlives this one if it is killed, where that can be seen."""
    if not Path("/proc/self/fd").is_dir():
        return None
    command = [sys.executable, "-I", cluster_watch.__file__, str(os.getpid())]
    nothing = subprocess.DEVNULL
    return subprocess.Popen(
        command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    )


def _knock(address: str) -> None:
    """Raises an OSError where no program listens: Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S).close()


@contextlib.contextmanager
def _started_or_said() -> Iterator[None]:
    """Puts into a sentence that a cluster does not start, for which Ray has no error of its own.

    Raises:
        ConnectionError: If so.
    """
    try:
        yield
    except (OSError, ValueError):
        raise
    except Exception as error:
        raise ConnectionError(
            "Ray's cluster did not start: it gives up on a machine that is too busy, or has too "
            "little memory. Try again later, or leave the backend at local."
        ) from error


@contextlib.contextmanager
def _room_for_sockets() -> Iterator[None]:
    """Puts into words that a system's sockets have short names only.

    Raises:
        ValueError: If the folder for temporary files has too long a path.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        if "AF_UNIX" not in str(error):
            raise
        raise ValueError(
            f"The folder for temporary files, {tempfile.gettempdir()}, has too long a path for "
            "Ray's sockets: set RAY_TMPDIR to a short one, such as /tmp."
        ) from error


@contextlib.contextmanager
def _loopback() -> Iterator[None]:
    """Lets a cluster that is started meanwhile listen on 127.0.0.1 only.

    Ray does so of itself on systems where it expects no other machines; a node address of
    127.0.0.1 it replaces by an outer one.
    """
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@dataclass(eq=False)
class WorkerHandle:
    """One worker.

    Attributes:
        number: Unique among all that there ever were.
        actor: Ray's handle.
        listening: The last request to it whose answer is awaited; None: it is idle.
        ready: Whether it has greeted.
        playing: Whether it has a job.
        serial: Number of its job.
        assigned: Episodes that it was given and has not finished, in that order.
        begun: What it said last of those under way; see `Report`.
    """

    number: int
    actor: Any
    listening: object = None
    ready: bool = False
    playing: bool = False
    serial: int = 0
    assigned: list[int] = field(default_factory=list)
    begun: float = 0.0

    def start(self, spec: object, job: Job) -> None:
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
