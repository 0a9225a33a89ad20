"""`LocalBackend`: plays episodes in this process, in one batch of arenas."""

from collections import deque
from collections.abc import Generator, Iterator

import numpy as np

from arena_breaker_gym.rollout.agent import AgentFailure, RunAware
from arena_breaker_gym.rollout.backends.backend import Report, Work
from arena_breaker_gym.rollout.batch import Batch
from arena_breaker_gym.rollout.deliberation import Deliberation
from arena_breaker_gym.rollout.episode import AGENT_FAILED, Episode


class LocalBackend:
    """Plays here; an arena whose episode has ended takes the next that waits."""

    def play(self, work: Work) -> Generator[Report, None, None]:
        """Plays all that waits; see `Backend.play`."""
        if isinstance(work.agent, RunAware):
            work.agent.prepare(work.plan, work.folder, episodes=len(work.waiting))
        if work.waiting:
            yield from _Playing(work).reports()

    def close(self) -> None:
        """Holds nothing that needs closing."""


class _Playing:
    """Some work under way: hands waiting episodes to arenas, gathers the finished."""

    def __init__(self, work: Work) -> None:
        count = min(work.arenas, len(work.waiting))
        self.batch = Batch(work.plan, count=count, keep_snapshots=work.keep_snapshots)
        self.deliberation = Deliberation(work.agent, self.batch)
        self.agent = work.agent
        self.waiting: deque[int] = work.waiting
        self.watched = work.watched
        self.finished: dict[int, Episode] = {}
        self.steps = 0

    def reports(self) -> Iterator[Report]:
        try:
            self._fill()
            while self.batch.playing.any():
                self._step()
                self._fill()
                if self.watched or self.finished:
                    yield self._report()
        except Exception:
            yield self._report()  # an episode that ended in this very step is not forgotten
            raise
        if self.finished:  # all of them failed before their first step
            yield self._report()

    def _fill(self) -> None:
        """Begins waiting episodes in the arenas that are free."""
        if self.waiting:
            for arena in np.flatnonzero(~self.batch.playing).tolist():
                self._begin_next(arena)

    def _step(self) -> None:
        """Moves arenas on by one step."""
        batch = self.batch
        playing = np.flatnonzero(batch.playing).tolist()
        arenas, actions, failures = self.deliberation.choose(playing)
        for arena, reason in failures.items():
            self._keep(arena, failure=reason)
        ended: list[int] = batch.move(actions, arenas).tolist() if arenas else []
        self.steps += len(arenas)
        for arena in ended:
            self._keep(arena)

    def _begin_next(self, arena: int) -> None:
        """Begins the next waiting episode for which the agent is ready."""
        while self.waiting:
            index = self.waiting.popleft()
            self.batch.begin(arena, index)
            self.deliberation.begin(arena)
            try:
                self.agent.reset([arena], self.batch.plan.seed_of(index))
            except AgentFailure as failure:
                self._keep(arena, failure=failure.in_arenas([arena])[arena])
            else:
                return

    def _keep(self, arena: int, *, failure: str | None = None) -> None:
        """Takes an arena's finished episode."""
        index = int(self.batch.episodes[arena])
        ending = None if failure is None else (AGENT_FAILED, failure)
        self.finished[index] = self.batch.finish(
            arena,
            failure=ending,
            latency_ticks=self.deliberation.latency_ticks(arena),
            looks=int(self.deliberation.looks[arena]),
        )

    def _report(self) -> Report:
        batch = self.batch
        begun = float(batch.steps[batch.playing].sum() / batch.plan.max_steps)
        report = Report(self.finished, self.steps, begun)
        self.finished, self.steps = {}, 0
        return report
