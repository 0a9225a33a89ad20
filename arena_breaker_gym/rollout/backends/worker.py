"""`Worker`: a process that plays what a driver hands it; Ray runs it, and is not known here."""

import itertools
import os
import pickle
import queue
import socket
import sys
import threading
import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

import numba
import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym._runtime.pools import sendable
from arena_breaker_gym.deprecated import warn
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.rollout.agent import Agent, AgentFactory, RemoteAgent, SendRequest
from arena_breaker_gym.rollout.backends import BackendReport, Work
from arena_breaker_gym.rollout.backends.local import LocalBackend
from arena_breaker_gym.rollout.episode import Plan


@dataclass(frozen=True)
class Greeting:
    """Who a worker is.

    Attributes:
        place: Host and process, for people.
        pid: The process.
        release: Version of the package and of the engine's rules.
    """

    place: str
    pid: int
    release: tuple[str, int]


@dataclass(frozen=True)
class Job:
    """What a worker is to play.

    Attributes:
        serial: Its number.
        plan: The whole rollout's.
        digest: Of the stage files that the driver has.
        arenas: Most arenas side by side.
        keep_snapshots: As in `Work`.
        numbers: The first episodes; more may be fed.
    """

    serial: int
    plan: Plan
    digest: str
    arenas: int
    keep_snapshots: bool
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class WorkerRequest:
    """A worker's agent asks the agent that stayed with the driver."""

    ident: int
    content: Any


@dataclass(frozen=True)
class WorkerResponse:
    """What it is told: a value, or an exception to raise."""

    ident: int
    value: object = None
    error: Exception | None = None


@dataclass(frozen=True)
class Trouble:
    """An exception ended a worker's play."""

    error: Exception

    @classmethod
    def of(cls, error: Exception, place: str) -> Self:
        """An exception that can be pickled, with a note of where it was raised."""
        told = sendable(error)
        told.add_note(f"Raised on {place}:\n{''.join(traceback.format_exception(error))}")
        return cls(told)


@dataclass(frozen=True)
class Ended:
    """A worker has played all it had, or was told to stop."""

    serial: int


def first_line(error: Exception) -> str:
    """An exception in half a sentence."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


@dataclass(frozen=True)
class AgentSpec:
    """What a worker needs to make an agent.

    Attributes:
        key: Unique to it.
        factory: The factory, pickled.
        buffers: The factory's arrays, which workers of one machine share without a copy.
        gpu: Whether the agent wants a share of a GPU.
    """

    key: str
    factory: bytes
    buffers: tuple[NDArray[np.uint8], ...]
    gpu: bool

    @classmethod
    def packed(cls, agent: Agent) -> Self:
        """Packs an agent.

        Raises:
            ValueError: If it can be neither copied nor made elsewhere.
        """
        buffers: list[pickle.PickleBuffer] = []
        remote = _own_factory(agent)
        factory = remote or _Copy(agent)
        # A copy's arrays are its own to write to, so they stay in the pickle.
        aside = buffers.append if remote else None
        try:
            pickled = _cloudpickle().dumps(factory, protocol=5, buffer_callback=aside)
        except Exception as error:  # pickling fails in as many ways as there are objects
            raise ValueError(
                f"Agent {agent.name!r} cannot be sent to other processes ({first_line(error)}): "
                "give it a method `agent_factory`; see `arena_breaker_gym.rollout.agent`."
            ) from error
        arrays = tuple(np.frombuffer(one.raw(), dtype=np.uint8) for one in buffers)
        return cls(uuid.uuid4().hex, pickled, arrays, bool(getattr(factory, "gpu", False)))

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return len(self.factory) + sum(array.nbytes for array in self.buffers)

    def unpacked(self) -> AgentFactory:
        """The factory."""
        # The driver pickled it, and Ray's own messages between the two are pickles as well.
        factory: AgentFactory = pickle.loads(self.factory, buffers=self.buffers)  # nosec B301
        return factory


@dataclass(frozen=True)
class _Copy:
    """Makes an agent that needs nothing said: a copy."""

    agent: Agent

    def __call__(self, ask: SendRequest) -> Agent:
        return self.agent


def _own_factory(agent: Agent) -> AgentFactory | None:
    """What the agent says of how it is made elsewhere, if it does; `recipe` is an old name."""
    if isinstance(agent, RemoteAgent):
        return agent.agent_factory()
    old: Callable[[], AgentFactory] | None = getattr(agent, "recipe", None)
    if not callable(old):
        return None
    warn(f"{type(agent).__name__}.recipe()", "agent_factory()")
    return old()


def _cloudpickle() -> Any:
    return require("ray", "ray").cloudpickle


PATIENCE_S = 1.0  # how long `collect` waits for the first message
PULSE_S = 0.2  # between two reports of mere progress

Message = BackendReport | WorkerRequest | Trouble | Ended


class Worker:
    """Plays on a thread of its own; its methods are short and may be called side by side."""

    def __init__(self, paths: Sequence[str], threads: int) -> None:
        """Prepares a process.

        Args:
            paths: Where the driver finds modules.
            threads: How many threads may compute.
        """
        sys.path.extend(path for path in paths if path not in sys.path)
        os.environ["OMP_NUM_THREADS"] = str(threads)  # for libraries that are still to be loaded
        self._threads = threads
        self._outbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._waiting: deque[int] = deque()
        self._serial = 0
        self._stopped = threading.Event()
        self._made: tuple[str, Agent] | None = None
        self._idents = itertools.count()
        self._asked: dict[int, queue.SimpleQueue[WorkerResponse]] = {}

    def greet(self) -> Greeting:
        """Says who this is, once it is ready."""
        return Greeting(_place(), os.getpid(), release())

    def play(self, spec: AgentSpec, job: Job) -> None:
        """Begins to play; what comes of it is collected."""
        self._serial = job.serial
        self._waiting = deque(job.numbers)
        self._stopped.clear()
        threading.Thread(target=self._play, args=(spec, job), daemon=True).start()

    def feed(self, serial: int, numbers: Sequence[int]) -> None:
        """Adds episodes to the job under way; one that has ended takes none."""
        if serial == self._serial:
            self._waiting.extend(numbers)

    def stop(self) -> None:
        """Ends the play after its present step; the agent may finish what it has under way."""
        self._stopped.set()

    def collect(self) -> list[Message]:
        """Everything that is to be said; waits a moment for it; [] if there is nothing."""
        messages: list[Message] = []
        try:
            messages.append(self._outbox.get(timeout=PATIENCE_S))
            while True:
                messages.append(self._outbox.get_nowait())
        except queue.Empty:
            return messages

    def answer(self, answer: WorkerResponse) -> None:
        """The driver's agent answers a request."""
        self._asked[answer.ident].put(answer)

    def _play(self, spec: AgentSpec, job: Job) -> None:
        try:
            limit_threads(self._threads)
            self._check(job)
            self._report(LocalBackend(), self._work(self._agent_of(spec), job))
        except Exception as error:
            self._outbox.put(Trouble.of(error, _place()))
            self._stopped.set()
        try:
            if self._stopped.is_set():
                self._leave()  # a tutor receives what it has paid for, and writes it down
        except Exception as error:
            self._outbox.put(Trouble.of(error, _place()))
        self._outbox.put(Ended(job.serial))

    def _check(self, job: Job) -> None:
        if job.plan.checked_digest() != job.digest:
            raise ValueError(f"{_place()} has other stage files under the names given.")

    def _work(self, agent: Agent, job: Job) -> Work:
        return Work(
            agent=agent,
            plan=job.plan,
            waiting=self._waiting,
            arenas=job.arenas,
            keep_snapshots=job.keep_snapshots,
        )

    def _report(self, backend: LocalBackend, work: Work) -> None:
        """Plays, and says so when an episode ends and now and then."""
        steps, said = 0, time.monotonic()
        for report in backend.play(work):
            steps += report.steps
            if report.finished or time.monotonic() - said > PULSE_S:
                self._outbox.put(BackendReport(report.finished, steps, report.begun))
                steps, said = 0, time.monotonic()
            if self._stopped.is_set():
                break

    def _agent_of(self, spec: AgentSpec) -> Agent:
        """The spec's agent, made when it is first asked for."""
        if self._made is None or self._made[0] != spec.key:
            self._leave()
            self._made = (spec.key, spec.unpacked()(self._ask))
            limit_threads(self._threads)  # of libraries that came with it
        return self._made[1]

    def _leave(self) -> None:
        if self._made is not None:
            self._made[1].close()
            self._made = None

    def _ask(self, content: object) -> object:
        """Asks the driver's agent, on any thread; see `remote_agent.SendRequest`."""
        ident = next(self._idents)
        reply = self._asked[ident] = queue.SimpleQueue()
        self._outbox.put(WorkerRequest(ident, content))
        answer = reply.get()
        del self._asked[ident]
        if answer.error is not None:
            raise answer.error
        return answer.value


def release() -> tuple[str, int]:
    """Version of the package and of the engine's rules: processes that agree play alike."""
    try:
        return version("arena-breaker-gym"), ENGINE_VERSION
    except PackageNotFoundError:  # run from a source tree
        return "", ENGINE_VERSION


def limit_threads(count: int) -> None:
    """Lets the calling thread compute on so many threads at most."""
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def _place() -> str:
    return f"{socket.gethostname()}, process {os.getpid()}"
