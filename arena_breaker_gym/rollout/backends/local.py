"""`LocalBackend`: plays episodes in this process, in one batch of arenas."""

import time
from collections import deque
from collections.abc import Generator, Iterator

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.batch.arenas import ACTION_LENGTH
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.rollout.agent import (
    Agent,
    AgentFailure,
    AsyncAgent,
    ChunkedAgent,
    HoldsAction,
    RunAware,
    adopt_old_methods,
)
from arena_breaker_gym.rollout.backends import BackendReport, Work
from arena_breaker_gym.rollout.batch import ArenaBatch
from arena_breaker_gym.rollout.episode import AGENT_FAILED, MEASURED, Episode

_UNASKED = -1


class DecisionScheduler:
    """Asks an agent in arenas that await no answer, and plays on in those that do.

    An agent that looks before step t is answered for from step t + L on: steps t to t + L - 1
    play what goes on meanwhile, step t + L plays the answer, and the next question comes after
    it. L is the latency in ticks, rounded up to whole steps; where the game waits it is 0.

    Attributes:
        looks: (n,) looks charged in each arena's episode, none where the game waits.
        waited: (n,) steps charged for them.
    """

    def __init__(self, agent: Agent, batch: ArenaBatch) -> None:
        """Sits an agent down at a batch, under the latency of the batch's plan."""
        adopt_old_methods(agent)
        count = len(batch.playing)
        self._agent = agent
        self._batch = batch
        self._latency = batch.plan.latency
        self._frame_skip = batch.plan.settings.frame_skip
        self._left = np.full(count, _UNASKED)  # steps until the answer is played
        self._answers = np.zeros((count, ACTION_LENGTH), dtype=np.float32)
        self.looks = np.zeros(count, dtype=np.int64)
        self.waited = np.zeros(count, dtype=np.int64)

    def begin(self, arena: int) -> None:
        """An episode begins in an arena: nothing is awaited there and nothing charged yet."""
        self._left[arena] = _UNASKED
        self.looks[arena] = self.waited[arena] = 0

    def latency_ticks(self, arena: int) -> float:
        """Mean ticks that passed in the arena from a look to its answer; 0 without a look."""
        return float(self.waited[arena] * self._frame_skip / max(self.looks[arena], 1))

    def choose(self, arenas: list[int]) -> tuple[list[int], NDArray[np.float32], dict[int, str]]:
        """What is played next.

        Args:
            arenas: All that play, rising.

        Returns:
            The n arenas that move on, rising; (n, 5), their actions; and by arena, why the
            agent does not go on there. Arenas in none of these wait for an `AsyncAgent`.

        Raises:
            ValueError: If the agent's actions have another shape.
        """
        if self._latency is not None:
            rows, failures = self._choose_in_time(arenas)
        else:
            arenas = self._ready(arenas)
            rows, failures, _ = self._ask(arenas)
        return [arena for arena in arenas if arena not in failures], rows, failures

    def _ready(self, arenas: list[int]) -> list[int]:
        """The arenas that need not wait for their answer."""
        if not isinstance(self._agent, AsyncAgent):
            return arenas
        observations = self._batch.observe(self._agent.needs, arenas)
        return sorted(self._agent.wait_ready(observations, arenas))

    def _choose_in_time(self, arenas: list[int]) -> tuple[NDArray[np.float32], dict[int, str]]:
        """What is played next where time passes while the agent thinks."""
        unasked = [arena for arena in arenas if self._left[arena] == _UNASKED]
        failures = self._look(unasked) if unasked else {}
        going_on = [arena for arena in arenas if arena not in failures]
        waiting = [arena for arena in going_on if self._left[arena] > 0]
        actions = self._answers.copy()
        if waiting:
            actions[waiting] = self._while_waiting(waiting)
        self._left[going_on] -= 1  # from 0, the answer's own step, it falls to "unasked"
        return actions[going_on], failures

    def _look(self, arenas: list[int]) -> dict[int, str]:
        """Asks the agent in arenas that will wait for it; returns where and why it fails."""
        rows, failures, seconds = self._ask(arenas)
        answered = [arena for arena in arenas if arena not in failures]
        if answered:
            self._answers[answered] = rows
            self._charge(answered, seconds)
        return failures

    def _ask(self, arenas: list[int]) -> tuple[NDArray[np.float32], dict[int, str], float]:
        """The agent's actions where it goes on, why not in the others, and the seconds it took."""
        observations = self._batch.observe(self._agent.needs, arenas)
        failures: dict[int, str] = {}
        began = time.perf_counter()
        try:
            rows = self._agent.act(observations, arenas)
        except AgentFailure as failure:
            failures = failure.in_arenas(arenas)
            rows = _rows_of_the_rest(failure, arenas)
        seconds = time.perf_counter() - began
        return self._checked(rows, len(arenas) - len(failures), "actions"), failures, seconds

    def _charge(self, arenas: list[int], seconds: float) -> None:
        """Makes arenas wait for the answers that the agent took `seconds` to find."""
        agent = self._agent
        everywhere = [True] * len(arenas)
        queried = agent.was_queried(arenas) if isinstance(agent, ChunkedAgent) else everywhere
        thought = [arena for arena, anew in zip(arenas, queried, strict=True) if anew]
        # A game reads its gamepad once a tick, so ticks count when they have gone by.
        measured = self._latency == MEASURED
        ticks = int(seconds * TICKS_PER_SECOND) if measured else int(self._latency or 0)
        steps = -(-ticks // self._frame_skip)
        self._left[arenas] = 0
        self._left[thought] = steps
        self.waited[thought] += steps
        self.looks[thought] += 1

    def _while_waiting(self, arenas: list[int]) -> NDArray[np.float32]:
        """What goes on in arenas that wait, (n, 5)."""
        if isinstance(self._agent, HoldsAction):
            rows = self._agent.action_while_waiting(arenas)
            return self._checked(rows, len(arenas), "actions to go on with")
        last: NDArray[np.float32] = self._batch.last_actions[arenas]
        return last

    def _checked(self, rows: NDArray[np.floating], count: int, what: str) -> NDArray[np.float32]:
        given = np.asarray(rows, dtype=np.float32)
        if given.shape != (count, ACTION_LENGTH):
            raise ValueError(
                f"Agent {self._agent.name!r} was asked for {what} of shape "
                f"({count}, {ACTION_LENGTH}) and gave {given.shape}."
            )
        return given


def _rows_of_the_rest(failure: AgentFailure, arenas: list[int]) -> NDArray[np.floating]:
    """The actions of the arenas that a failure spares; raises it if it does not give them."""
    reasons = failure.in_arenas(arenas)
    spared = [row for row, arena in enumerate(arenas) if arena not in reasons]
    if not reasons or (spared and failure.actions is None):
        raise failure
    return np.empty((0, ACTION_LENGTH)) if failure.actions is None else failure.actions[spared]


class LocalBackend:
    """Plays here; an arena whose episode has ended takes the next that waits."""

    def play(self, work: Work) -> Generator[BackendReport, None, None]:
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
        self.batch = ArenaBatch(work.plan, count=count, keep_snapshots=work.keep_snapshots)
        self.deliberation = DecisionScheduler(work.agent, self.batch)
        self.agent = work.agent
        self.waiting: deque[int] = work.waiting
        self.watched = work.watched
        self.finished: dict[int, Episode] = {}
        self.steps = 0

    def reports(self) -> Iterator[BackendReport]:
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

    def _report(self) -> BackendReport:
        batch = self.batch
        begun = float(batch.steps[batch.playing].sum() / batch.plan.max_steps)
        report = BackendReport(self.finished, self.steps, begun)
        self.finished, self.steps = {}, 0
        return report
