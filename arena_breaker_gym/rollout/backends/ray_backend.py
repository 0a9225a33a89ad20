"""`RayBackend`: spreads episodes over Ray's workers and collects what becomes of them.

Workers only play. The driver, the process that called `rollout`, hands each as many numbers of
episodes as it has arenas, takes every number back exactly once, finished or not, and is the only
one that writes.
"""

import itertools
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator
from typing import Any

from arena_breaker_gym._runtime.plain import plain_int
from arena_breaker_gym._runtime.pools import sendable
from arena_breaker_gym.rollout.agent import Agent, Coordinator, RunAware
from arena_breaker_gym.rollout.backends import BackendReport, Work
from arena_breaker_gym.rollout.backends.cluster import (
    STORE_BYTES,
    Cluster,
    WorkerHandle,
    WorkerPool,
    import_ray,
)
from arena_breaker_gym.rollout.backends.local import LocalBackend
from arena_breaker_gym.rollout.backends.worker import (
    AgentSpec,
    Ended,
    Greeting,
    Job,
    Trouble,
    WorkerRequest,
    WorkerResponse,
    first_line,
    release,
)
from arena_breaker_gym.rollout.episode import MEASURED, Episode

MOST_LOSSES = 3  # workers that may die over an episode before it is given up
STILLBORN = -1  # among numbers of episodes: workers that died before they greeted
START_S = 180.0  # in which the first worker must have started
GRACE_S = 25.0  # in which workers may end what they have paid for
WAIT_S = 0.5  # between two looks at a pool that says nothing


class WorkersLostError(ConnectionError):
    """Ray's workers do not start, or die again and again."""


class RayBackend:
    """Plays on a Ray cluster; what comes of an episode does not depend on where it is played.

    The cluster and its workers start with the first work and stay for the next.
    """

    def __init__(self, *, address: str | None = None, workers: int | None = None) -> None:
        """Prepares a backend; nothing is started yet.

        Args:
            address: Of a cluster that is there already: "auto", "HOST:PORT" of its head, or
                "ray://HOST:PORT"; None: the cluster that this process is connected to, or a new
                one on this machine, which nothing outside it can reach.
            workers: Processes that play, among which the CPUs are divided; None: one for each.

        Raises:
            ValueError: If there are to be no workers.
            MissingExtraError: If Ray is not installed.
        """
        self.workers = None if workers is None else plain_int("workers", workers)
        import_ray()
        self.address = address
        self._cluster: Cluster | None = None
        self._pool: WorkerPool | None = None
        self._serials = itertools.count(1)

    def play(self, work: Work) -> Generator[BackendReport, None, None]:
        """Plays all that waits; see `Backend.play`.

        Raises:
            ValueError: If the agent cannot be sent to workers, or its time is to be measured.
            WorkersLostError: If workers do not start, or die again and again.
        """
        if work.plan.latency == MEASURED:
            raise ValueError(
                "latency='measured' times an agent on a machine that does nothing else: "
                "play it with the local backend."
            )
        if not work.waiting:
            yield from LocalBackend().play(work)
            return
        spec = AgentSpec.packed(work.agent)  # as it is before it is prepared here
        if isinstance(work.agent, RunAware) and isinstance(work.agent, Coordinator):
            work.agent.prepare(work.plan, work.folder, episodes=len(work.waiting))
        cluster = self._connected(spec)
        pool = self._pool_for(cluster, gpu=spec.gpu)
        dispatch = _Dispatch(cluster.ray, pool, work, cluster.ray.put(spec), self._serials)
        try:
            yield from dispatch.reports()
        except BaseException:
            self._shut_down()
            raise

    def close(self) -> None:
        """Ends the workers, and a cluster that was started for them."""
        self._shut_down()
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None

    def _connected(self, spec: AgentSpec) -> Cluster:
        store = STORE_BYTES + 2 * spec.nbytes
        held = self._cluster
        if held is not None and held.own and held.store < STORE_BYTES // 2 + spec.nbytes:
            self.close()  # a larger one takes its place
        if self._cluster is None:
            self._cluster = Cluster(self.address, store=store)
        return self._cluster

    def _pool_for(self, cluster: Cluster, *, gpu: bool) -> WorkerPool:
        if self._pool is not None and self._pool.gpu is not gpu:
            self._shut_down()
        if self._pool is None:
            self._pool = WorkerPool(cluster, self.workers, gpu=gpu)
        return self._pool

    def _shut_down(self) -> None:
        if self._pool is not None:
            self._pool.shut_down()
            self._pool = None


class _Dispatch:
    """Some work under way on a pool."""

    def __init__(
        self, ray: Any, pool: WorkerPool, work: Work, spec: Any, serials: Iterator[int]
    ) -> None:
        self.ray = ray
        self.pool = pool
        self.work = work
        self.spec = spec
        self.serials = serials
        self.digest = work.plan.checked_digest()
        self.waiting: deque[int] = work.waiting
        # As many for each as are left when all have the same.
        self.arenas = min(work.arenas, -(-len(self.waiting) // len(pool.workers)))
        self.losses: Counter[int] = Counter()
        self.finished: dict[int, Episode] = {}
        self.steps = 0
        self.trouble: Exception | None = None
        self.heard = time.monotonic()

    def reports(self) -> Iterator[BackendReport]:
        over = False
        try:
            while self.waiting or any(worker.assigned for worker in self.pool.workers):
                self._assign_all()
                self._listen(WAIT_S)
                if self.finished or self.steps:
                    yield self._report()
                if self.trouble is not None:
                    raise self.trouble
            over = True
        finally:
            self._settle(over=over)

    def _assign_all(self) -> None:
        """Keeps every worker's arenas busy, and one episode ahead while there are plenty."""
        spare = 1 if len(self.waiting) > len(self.pool.workers) else 0
        for worker in self.pool.workers:
            if not worker.ready:
                continue
            room = min(self.arenas + spare - len(worker.assigned), len(self.waiting))
            if room > 0:
                numbers = tuple(self.waiting.popleft() for _ in range(room))
                self._assign(worker, numbers)

    def _assign(self, worker: WorkerHandle, numbers: tuple[int, ...]) -> None:
        if worker.playing:
            worker.feed(numbers)
            return
        job = Job(
            serial=next(self.serials),
            plan=self.work.plan,
            digest=self.digest,
            arenas=self.arenas,
            keep_snapshots=self.work.keep_snapshots,
            numbers=numbers,
        )
        worker.start(self.spec, job)

    def _listen(self, timeout: float) -> None:
        """Waits for a worker that has something to report, and handles it."""
        speakers = {one.listening: one for one in self.pool.workers if one.listening is not None}
        heard, _ = self.ray.wait([*speakers], num_returns=1, timeout=timeout)
        for reference in heard:
            self._hear(speakers[reference], reference)
        if not any(worker.ready for worker in self.pool.workers):
            self._check_patience()

    def _hear(self, worker: WorkerHandle, reference: object) -> None:
        try:
            said = self.ray.get(reference)
        except self.ray.exceptions.RayTaskError:
            raise  # a fault in our own code
        except self.ray.exceptions.RayError as error:
            self._replace(worker, error)
            return
        self.heard = time.monotonic()
        if isinstance(said, Greeting):
            _check_release(said)
            worker.ready, worker.listening = True, None
            return
        for message in said:
            self._take(worker, message)
        if worker.playing:
            worker.listen()

    def _take(self, worker: WorkerHandle, message: object) -> None:
        match message:
            case BackendReport():
                self._keep(worker, message)
            case WorkerRequest():
                worker.actor.answer.remote(self._answer(worker, message))
            case Trouble():
                self.trouble = self.trouble or message.error
            case Ended():
                self._put_back(worker.finish())

    def _keep(self, worker: WorkerHandle, report: BackendReport) -> None:
        """Takes finished episodes; one that is assigned to no worker was counted before."""
        for number, episode in report.finished.items():
            if number in worker.assigned:
                worker.assigned.remove(number)
                self.finished[number] = episode
        self.steps += report.steps
        worker.begun = report.begun

    def _answer(self, worker: WorkerHandle, request: WorkerRequest) -> WorkerResponse:
        agent: Agent | Coordinator = self.work.agent
        try:
            if not isinstance(agent, Coordinator):
                raise ValueError(f"Agent {agent.name!r} handles no requests.")  # noqa: TRY301
            return WorkerResponse(
                request.ident, agent.handle_request(worker.number, request.content)
            )
        except Exception as error:
            return WorkerResponse(request.ident, error=sendable(error))

    def _put_back(self, numbers: list[int]) -> None:
        self.waiting.extendleft(sorted(numbers, reverse=True))

    def _replace(self, worker: WorkerHandle, error: Exception) -> None:
        """A worker died: another takes its place, and its episodes wait again."""
        lost = worker.finish()
        if isinstance(self.work.agent, Coordinator):
            self.work.agent.on_worker_lost(worker.number)
        self._put_back(lost)
        self.losses.update(lost if worker.ready else [STILLBORN])
        if any(self.losses[number] >= MOST_LOSSES for number in [*lost, STILLBORN]):
            over = f"over the episodes {sorted(lost)}" if worker.ready else "before they could play"
            raise WorkersLostError(
                f"Ray's workers died {MOST_LOSSES} times {over} ({first_line(error)})."
            )
        self.pool.replace(worker)

    def _check_patience(self) -> None:
        if time.monotonic() - self.heard > START_S:
            raise WorkersLostError(
                f"None of Ray's workers started within {START_S:.0f} seconds: "
                "is the cluster taken up by others?"
            )

    def _settle(self, *, over: bool) -> None:
        """Calls workers back: those that have ended rest, agents may end what they paid for."""
        if not over and not isinstance(self.work.agent, Coordinator):
            return  # they are shut down
        busy = [worker for worker in self.pool.workers if worker.playing]
        if not over:
            for worker in busy:
                worker.actor.stop.remote()
        until = time.monotonic() + GRACE_S
        while any(one.playing for one in busy if one in self.pool.workers):
            if time.monotonic() > until:
                return
            self._listen(WAIT_S)

    def _report(self) -> BackendReport:
        begun = sum(worker.begun for worker in self.pool.workers)
        report = BackendReport(self.finished, self.steps, begun)
        self.finished, self.steps = {}, 0
        return report


def _check_release(greeting: Greeting) -> None:
    if greeting.release != release():
        raise ValueError(
            f"{greeting.place} runs version {greeting.release} of this package, not {release()}: "
            "install the same on every machine."
        )
