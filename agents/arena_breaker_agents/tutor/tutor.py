"""`Tutor`: an agent that reads the snapshot and asks a client what to do while the game waits."""

from __future__ import annotations

import concurrent.futures
import logging
import math
import weakref
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from anyio.from_thread import BlockingPortal, start_blocking_portal
from numpy.typing import NDArray

from arena_breaker_agents.tutor.bill import Bill, Prices
from arena_breaker_agents.tutor.deciding import (
    Decider,
    DeciderConfig,
    DecisionLost,
    EpisodeContext,
    digest_of,
)
from arena_breaker_agents.tutor.decision import Decision
from arena_breaker_agents.tutor.ledger import Ledger, LedgerServer, LocalLedger, RemoteLedger
from arena_breaker_agents.tutor.llm_client import LLMClient
from arena_breaker_agents.tutor.prompt import DEFAULT_VERSION, VERSIONS, Prompt
from arena_breaker_agents.tutor.transcript import FILE_NAME, Transcript
from arena_breaker_gym._runtime.plain import plain_float, plain_int
from arena_breaker_gym.rollout.agent import AgentFactory, AgentFailure, Observations, SendRequest
from arena_breaker_gym.rollout.episode import Plan
from arena_breaker_gym.settings import Settings, closest

GRACE_S = 20.0  # how long answers under way are waited for, and written down, when a run ends

_LOG = logging.getLogger(__name__)
_Answer = concurrent.futures.Future[Decision]


@dataclass(frozen=True, kw_only=True)
class TutorSettings:
    """How a tutor plays and asks.

    Attributes:
        decision_steps: Most steps of the environment that one move is held, and the usual.
        most_holds: Most moves in one decision.
        history: Fewest turns of before that a question tells, once there are so many.
        prompt: Version of the prompt; see `prompt.VERSIONS`.
        max_tokens: Most tokens of an answer, thinking not counted.
        repairs: How often an unusable answer is asked for again.
        concurrency: Most questions under way at once.
        prices: File with prices of your own, see `Prices.load`.
        budget: Dollars that a run may cost in all; None: as many as it takes.
    """

    decision_steps: int = 6
    most_holds: int = 3
    history: int = 2
    prompt: str = DEFAULT_VERSION
    max_tokens: int = 1024
    repairs: int = 2
    concurrency: int = 16
    prices: str | None = None
    budget: float | None = None

    def __post_init__(self) -> None:
        """Checks every value and keeps plain ones, whatever numbers were given.

        Raises:
            ValueError: If one is not allowed.
        """
        least = {"decision_steps": 1, "most_holds": 1, "history": 0, "max_tokens": 1}
        for name, value in {**least, "repairs": 0, "concurrency": 1}.items():
            object.__setattr__(self, name, plain_int(name, getattr(self, name), least=value))
        if self.prompt not in VERSIONS:
            raise ValueError(
                f"There is no prompt {self.prompt!r}; {closest(self.prompt, VERSIONS)}."
            )
        if self.budget is not None:
            object.__setattr__(self, "budget", _dollars(self.budget))


class Tutor:
    """Asks a client in all its arenas at once and plays what it decides.

    Every reply is written down as it comes, in `transcript.jsonl` in the folder where a rollout
    keeps its episodes. A run that was killed asks nothing again that stands there.
    """

    needs = ("snapshot",)

    def __init__(
        self,
        llm: Callable[[], LLMClient],
        *,
        name: str,
        model: str,
        settings: TutorSettings | None = None,
        batched: bool = False,
        ask: SendRequest | None = None,
    ) -> None:
        """Prepares a tutor; nothing is asked yet.

        Args:
            llm: Makes the client that it asks, when a run begins.
            name: Stands in tables and episodes.
            model: The client's model, as prices know it.
            settings: How it plays and asks; None: the defaults.
            batched: Whether the client gathers questions: then all go out at once, however many.
                Else the first goes alone, to fill the provider's cache, and `concurrency` holds.
            ask: How a copy asks the tutor that keeps the ledger; None: it keeps its own.
        """
        self.name = name
        self.model = model
        self.settings = settings or TutorSettings()
        self._make_client = llm
        self.batched = batched
        self._ask = ask
        self._hang_up: Callable[[], object] = lambda: None  # until there is a portal
        self._portal: BlockingPortal | None = None
        self._client: LLMClient | None = None
        self._decider: Decider | None = None
        self._ledger: LocalLedger | None = None
        self._ledger_server: LedgerServer | None = None
        self._transcript: Transcript | None = None
        self._contexts: dict[int, EpisodeContext] = {}
        self._pending: dict[int, _Answer] = {}
        self._looked: frozenset[int] = frozenset()

    def limit(self, dollars: float | None) -> None:
        """Sets what a run may cost in all; counts from the next run on.

        Raises:
            ValueError: If it is below 0.
        """
        self.settings = replace(self.settings, budget=dollars)

    @property
    def dollars(self) -> float:
        """What the run has cost so far, earlier parts of it included."""
        return 0.0 if self._ledger is None else self._ledger.budget.spent

    @property
    def bill(self) -> Bill:
        """What the run has cost so far, in detail."""
        return Bill.sum(self.bills.values())

    @property
    def bills(self) -> dict[int, Bill]:
        """What each episode has cost so far, by its seed."""
        return Bill.by_episode([] if self._transcript is None else self._transcript.lines)

    def prepare(self, plan: Plan, folder: Path | None, *, episodes: int) -> None:
        """A run begins: opens its transcript and goes on with what stands there.

        Args:
            plan: What is to be played.
            folder: Where the transcript is kept; None keeps it in memory only.
            episodes: How many are to be played; if none, no model has to be reachable.

        Raises:
            ValueError: If the folder's transcript is another run's, or a budget cannot be kept.
        """
        self._leave()
        path = None if folder is None else folder / FILE_NAME
        if episodes == 0:
            found = path is not None and path.exists()
            self._transcript = Transcript(path) if found else None
            return
        told = self._prompt(plan.settings)
        llm = self._client = self._client or self._make_client()
        prices = self._priced(llm)
        ledger = self._opened_ledger(told, plan, folder)
        remember = getattr(llm, "set_log", None)
        if remember is not None and folder is not None:
            remember(folder / "batches.jsonl")
        self._decider = Decider(llm, told, self._decider_config(), ledger=ledger, prices=prices)

    def agent_factory(self) -> AgentFactory:
        """How a copy is made in another process; see `arena_breaker_gym.rollout.agent`.

        Raises:
            ValueError: If questions are gathered in batches, which one process does.
        """
        if self.batched:
            raise ValueError(
                f"{self.name} gathers its questions in batches, which one process does: "
                "play it with the local backend."
            )
        return _Factory(self._make_client, self.name, self.model, self.settings)

    def handle_request(self, worker: int, question: object) -> Any:
        """Answers a worker, for the transcript and the budget that are kept here.

        Raises:
            RunStopped: If the money is spent.
        """
        assert self._ledger_server is not None  # `prepare` has seen to it
        return self._ledger_server.handle_request(worker, question)

    def on_worker_lost(self, worker: int) -> None:
        """A worker is gone; what it had under way counts as if it had cost its most."""
        if self._ledger_server is not None:
            self._ledger_server.on_worker_lost(worker)

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """An episode begins in these arenas."""
        if self._decider is None:
            raise ValueError(f"{self.name} plays under `rollout`, which tells it the game first.")
        for arena in arenas:
            self._contexts[arena] = EpisodeContext(seed or 0, history=self.settings.history)
            self._pending.pop(arena, None)

    def wait_ready(self, observations: Observations, arenas: Sequence[int]) -> list[int]:
        """Asks where a decision is due, and waits until one arena can move on.

        Raises:
            RunStopped: If the money is spent, or the provider refuses all questions.
        """
        self._begin(observations, arenas)
        ready = self._ready(arenas)
        if not ready:
            waiting = [self._pending[arena] for arena in arenas]
            concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
            ready = self._ready(arenas)
        return ready

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.float32]:
        """The next action of each arena's decision, (n, 5); asks and waits where one is due.

        Raises:
            AgentFailure: Where a decision could not be had.
            RunStopped: If the money is spent, or the provider refuses all questions.
        """
        self._begin(observations, arenas)
        failures = self._take_answers(observations, arenas)
        rows = np.zeros((len(arenas), 5), dtype=np.float32)
        for row, arena in enumerate(arenas):
            if arena not in failures:
                rows[row] = self._contexts[arena].next()
        if failures:
            raise AgentFailure(failures, actions=rows)
        return rows

    def was_queried(self, arenas: Sequence[int]) -> list[bool]:
        """In which of these arenas the last `act` played a new decision."""
        return [arena in self._looked for arena in arenas]

    def close(self) -> None:
        """Waits a little for answers under way, writes them down, and hangs up."""
        self._leave()
        llm, self._client = self._client, None
        if llm is not None and self._portal is not None:
            self._portal.call(llm.close)
        self._portal = None
        self._hang_up()
        self._transcript = None

    def _begin(self, observations: Observations, arenas: Sequence[int]) -> None:
        """Asks in arenas where a decision is due and none is awaited."""
        portal, decider = self._opened(), self._decider
        assert decider is not None  # `reset` has seen to it
        for arena, snapshot in zip(arenas, observations.snapshots, strict=True):
            context = self._contexts[arena]
            if context.needs_decision and arena not in self._pending:
                self._pending[arena] = portal.start_task_soon(decider.decide, context, snapshot)

    def _ready(self, arenas: Sequence[int]) -> list[int]:
        pending = self._pending
        return [arena for arena in arenas if arena not in pending or pending[arena].done()]

    def _take_answers(self, observations: Observations, arenas: Sequence[int]) -> dict[int, str]:
        """Takes the decisions of these arenas, as they come; returns why there is none."""
        failures: dict[int, str] = {}
        looked = []
        for arena, snapshot in zip(arenas, observations.snapshots, strict=True):
            answer = self._pending.get(arena)
            if answer is None:
                continue
            try:
                self._contexts[arena].hold(snapshot, answer.result())
                looked.append(arena)
            except DecisionLost as lost:
                failures[arena] = _without_full_stop(str(lost))
                _LOG.warning("%s, seed %d: %s", self.name, self._contexts[arena].seed, lost)
            del self._pending[arena]
        self._looked = frozenset(looked)
        return failures

    def _opened(self) -> BlockingPortal:
        if self._portal is None:
            stack = ExitStack()
            self._portal = stack.enter_context(start_blocking_portal())
            # Other code may not close it: the portal's thread is stopped while Python still runs
            # it, or Python would wait for it forever at its end.
            self._hang_up = weakref.finalize(self, _end, self._portal, stack)
        return self._portal

    def _leave(self) -> None:
        """Ends a run: answers under way are waited for, then given up."""
        grace = 0.0 if self.batched else GRACE_S  # batches are found again by their log
        concurrent.futures.wait(self._pending.values(), timeout=grace)
        for answer in self._pending.values():
            answer.cancel()
        self._pending.clear()
        self._contexts.clear()
        if self._decider is not None and self._transcript is not None:
            self._log_costs()
            self._transcript.close()
        self._decider = self._ledger = self._ledger_server = None

    def _log_costs(self) -> None:
        if not _LOG.isEnabledFor(logging.INFO):
            return
        bills = self.bills
        for seed, bill in bills.items():
            _LOG.info("%s, seed %d: %s", self.name, seed, bill.sentence())
        _LOG.info("%s: %s", self.name, Bill.sum(bills.values()).sentence())

    def _prompt(self, game: Settings) -> Prompt:
        settings = self.settings
        return Prompt.of(
            settings.prompt,
            stages=game.stages,
            frame_skip=game.frame_skip,
            decision_steps=settings.decision_steps,
            most_holds=settings.most_holds,
        )

    def _priced(self, llm: LLMClient) -> Prices:
        """The prices, which must tell the client's if there is a budget.

        Raises:
            ValueError: If they do not.
        """
        prices = Prices.load(self.settings.prices)
        if self.settings.budget is not None and prices.of(llm.model) is None:
            raise ValueError(
                f"The price of {llm.model!r} is not known, so no budget can be kept; "
                "name it in a table of your own (prices=FILE)."
            )
        return prices

    def _opened_ledger(self, told: Prompt, plan: Plan, folder: Path | None) -> Ledger:
        """The run's transcript and budget, those of the tutor whose copy this is, if it is one.

        Raises:
            ValueError: If the folder's transcript is another run's.
        """
        if self._ask is not None:
            return RemoteLedger(self._ask)
        path = None if folder is None else folder / FILE_NAME
        heading = {"agent": self.name, "told": digest_of(told), "plan": _plan_as_json(plan)}
        self._transcript = Transcript(path, heading=heading)
        self._ledger = LocalLedger(self._transcript, limit=self.settings.budget)
        self._ledger_server = LedgerServer(self._ledger, concurrency=self.settings.concurrency)
        return self._ledger

    def _decider_config(self) -> DeciderConfig:
        settings = self.settings
        return DeciderConfig(
            decision_steps=settings.decision_steps,
            most_holds=settings.most_holds,
            max_tokens=settings.max_tokens,
            repairs=settings.repairs,
            concurrency=math.inf if self.batched else settings.concurrency,
            warm_up=not self.batched and self._ask is None,
        )


@dataclass(frozen=True)
class _Factory:
    """A tutor on its way to another process, where it keeps no ledger of its own.

    Keys are not sent: the client reads them from the environment where it is made.
    """

    llm: Callable[[], LLMClient]
    name: str
    model: str
    settings: TutorSettings

    def __call__(self, ask: SendRequest) -> Tutor:
        settings = replace(self.settings, budget=None)
        return Tutor(self.llm, name=self.name, model=self.model, settings=settings, ask=ask)


def _plan_as_json(plan: Plan) -> dict[str, object]:
    """What is played, as a transcript's heading has it."""
    game = plan.settings.to_dict()
    return {
        "settings": {name: game[name] for name in ("stages", "frame_skip", "point_blank_fix")},
        "stages_digest": plan.checked_digest(),
        "seed": plan.seed,
        "stages": list(plan.stages),
        "max_steps": plan.max_steps,
        "latency": plan.latency,
    }


def _end(portal: BlockingPortal, stack: ExitStack) -> None:
    """Ends a portal, and whatever still runs in it."""
    with suppress(RuntimeError):  # it has been closed
        portal.call(portal.stop, True)
    stack.close()


def _without_full_stop(sentence: str) -> str:
    return sentence.rstrip(".")


def _dollars(budget: object) -> float:
    dollars = plain_float("budget", budget)
    if not dollars >= 0.0:
        raise ValueError(f"budget must be 0 dollars or more, got {budget!r}.")
    return dollars
