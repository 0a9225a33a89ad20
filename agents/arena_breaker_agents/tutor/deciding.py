"""`Decider`: how one decision is had, remembered or asked for; `EpisodeContext`: what it knows."""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import numpy as np
from numpy.typing import NDArray

from arena_breaker_agents.tutor import prompt
from arena_breaker_agents.tutor.bill import Prices, tokens_of
from arena_breaker_agents.tutor.decision import Decision, UnusableAnswer
from arena_breaker_agents.tutor.ledger import Ledger
from arena_breaker_agents.tutor.llm_client import (
    CALLED,
    CUT,
    REFUSED,
    LLMClient,
    LLMError,
    Request,
    Response,
    Tool,
    Usage,
    completion,
)
from arena_breaker_agents.tutor.prompt import Prompt
from arena_breaker_agents.tutor.transcript import (
    ANSWERED,
    LOST,
    UNUSABLE,
    Line,
    TranscriptError,
)
from arena_breaker_agents.tutor.transcript import CUT as CUT_SHORT
from arena_breaker_agents.tutor.transcript import REFUSED as DECLINED
from arena_breaker_gym.rollout.agent import RunStopped

LETTERS_PER_TOKEN = 2.0  # fewer than any text here has: what a question may cost is no guess below
_OUTCOMES = {REFUSED: DECLINED, CUT: CUT_SHORT}


class EpisodeContext:
    """What is still to be played of the last decision, and what led to it.

    Attributes:
        seed: Of the episode.
        decisions: How many were made.
        steps: Steps played.
    """

    def __init__(self, seed: int, *, history: int) -> None:
        """An episode begins.

        Args:
            seed: Of the episode.
            history: Fewest turns of before that a question tells, once there are so many.
        """
        self.seed = seed
        self.decisions = 0
        self.steps = 0
        self._history = history
        self._held: deque[NDArray[np.float32]] = deque()
        self._past: list[str] = []

    @property
    def needs_decision(self) -> bool:
        """Whether the next step needs a new decision."""
        return not self._held

    @property
    def earlier(self) -> Sequence[str]:
        """Turns of before, as a question tells them.

        They grow to twice the fewest before the older half is dropped: a beginning that stays
        the same is found in the cache, one that slides never is.
        """
        return tuple(self._past)

    def hold(self, snapshot: Mapping[str, object], decision: Decision) -> None:
        """Begins to play a decision.

        Args:
            snapshot: What it was made on.
            decision: What is played.
        """
        self._held = deque(decision.actions())
        self.decisions += 1
        if self._history:
            self._past.append(prompt.earlier(snapshot, decision.to_dict()))
        if len(self._past) > 2 * self._history:
            del self._past[: -self._history]

    def next(self) -> NDArray[np.float32]:
        """The next step's action, (5,)."""
        self.steps += 1
        return self._held.popleft()


class DecisionLost(Exception):  # noqa: N818 - it names an outcome, not a fault in code
    """A decision cannot be had; the message says why."""


@dataclass(frozen=True, kw_only=True)
class DeciderConfig:
    """How decisions are asked for.

    Attributes:
        decision_steps: Most steps that one move may be held.
        most_holds: Most moves in a decision.
        max_tokens: Most tokens of an answer.
        repairs: How often an unusable answer is asked for again.
        concurrency: Most questions under way at once.
        warm_up: Whether the first question goes alone, to fill the provider's cache.
    """

    decision_steps: int
    most_holds: int
    max_tokens: int
    repairs: int
    concurrency: float
    warm_up: bool


class Decider:
    """Finds decisions in a transcript or asks a client for them, and writes down all it hears."""

    def __init__(
        self,
        llm: LLMClient,
        told: Prompt,
        config: DeciderConfig,
        *,
        ledger: Ledger,
        prices: Prices,
    ) -> None:
        """Prepares to ask.

        Args:
            llm: The client to ask.
            told: The constant part of each question.
            config: How.
            ledger: What was heard before, and what may be spent.
            prices: What it costs.
        """
        self._client, self._told, self._config = llm, told, config
        self._complete = completion(llm)
        self._ledger = ledger
        self._price = prices.of(llm.model)
        self._places = anyio.CapacityLimiter(config.concurrency)
        self._first = anyio.Lock()
        self._warm = not config.warm_up

    async def decide(self, context: EpisodeContext, snapshot: Mapping[str, object]) -> Decision:
        """The next decision of an episode.

        Args:
            context: The episode.
            snapshot: What is seen.

        Raises:
            DecisionLost: If there is none to be had: the client declines, or cannot be reached,
                or never answers usably.
            RunStopped: If no other question would fare better, or the money is spent.
            TranscriptError: If the transcript is of another game.
        """
        known = await self._ledger.of(context.seed, context.decisions)
        _check_same(known, snapshot, self._ledger.place)
        if known and known[-1].answered:
            return self._read(known[-1].answer)
        mistake = next((one.problem for one in reversed(known) if one.values["usage"]), "")
        for attempt in range(len(known), len(known) + self._config.repairs + 1):
            line = await self._ask(context, snapshot, attempt, mistake)
            if line.answered:
                return self._read(line.answer)
            mistake = line.problem
            if line.values["outcome"] in (DECLINED, LOST):
                break
        raise DecisionLost(mistake)

    def _read(self, answer: object) -> Decision:
        config = self._config
        return Decision.from_call(
            answer, decision_steps=config.decision_steps, most_holds=config.most_holds
        )

    async def _ask(
        self, context: EpisodeContext, snapshot: Mapping[str, object], attempt: int, mistake: str
    ) -> Line:
        """Asks once and writes down what comes of it."""
        request = self._request(context, snapshot, attempt, mistake)
        about = {
            "seed": context.seed,
            "stage": snapshot["stage"],
            "decision": context.decisions,
            "attempt": attempt,
            "step": context.steps,
            "prompt": self._told.version,
        }
        async with self._ledger.reserve(self._most(request)):
            began = time.perf_counter()
            try:
                reply = await self._reply(request)
            except LLMError as error:
                if error.fatal:
                    raise RunStopped(error.reason) from error
                heard = {**_nothing_heard(self._client.model), "problem": error.reason}
            else:
                heard = self._heard(reply)
            latency = round(time.perf_counter() - began, 3)
            when = datetime.now(UTC).isoformat(timespec="milliseconds")
            # What was paid is written before anything else can go wrong.
            return await self._ledger.add(
                {**about, **heard, "latency_s": latency, "at": when, "snapshot": snapshot}
            )

    async def _reply(self, request: Request) -> Response:
        """Asks; the very first question goes alone, so that all others find its cache."""
        async with self._first:
            if not self._warm:
                try:
                    return await self._complete(request)
                finally:
                    self._warm = True
        async with self._places:
            return await self._complete(request)

    def _request(
        self, context: EpisodeContext, snapshot: Mapping[str, object], attempt: int, mistake: str
    ) -> Request:
        return Request(
            ident=f"s{context.seed}-d{context.decisions}-a{attempt}",
            system=self._told.system,
            tool=self._told.tool,
            earlier=context.earlier,
            now=prompt.now(snapshot),
            correction=prompt.correction(mistake) if mistake else "",
            max_tokens=self._config.max_tokens,
        )

    def _most(self, request: Request) -> float:
        """Dollars that a question may cost at most, without what a client thinks beyond it."""
        if self._price is None:
            return 0.0
        tokens = letters_of(request) / LETTERS_PER_TOKEN
        written = request.max_tokens + getattr(self._client, "thinking_tokens", 0)
        return self._price.dollars(Usage(cache_write_1h=int(tokens) + 1, output=written))

    def _heard(self, reply: Response) -> dict[str, object]:
        """A reply as a transcript's line has it."""
        outcome, problem = self._judged(reply)
        price = self._price
        return {
            "outcome": outcome,
            "problem": problem or None,
            "request_id": reply.request_id,
            "model": reply.model,
            "usage": tokens_of(reply.usage),
            "dollars": None if price is None else round(price.dollars(reply.usage), 8),
            "answer": _storable(reply.call),
            "said": reply.said,
            "thought": reply.thought,
        }

    def _judged(self, reply: Response) -> tuple[str, str]:
        """What a reply comes to, and what is wrong with it."""
        if reply.ending != CALLED:
            return _OUTCOMES.get(reply.ending, UNUSABLE), _WRONG[reply.ending]
        try:
            self._read(reply.call)
        except UnusableAnswer as mistake:
            return UNUSABLE, str(mistake)
        return ANSWERED, ""


_WRONG = {
    REFUSED: "the model declined to answer.",
    CUT: "the answer was cut off at its most tokens; be brief.",
    "spoke": "there was no call of the tool.",
}


def letters_of(request: Request) -> int:
    """Letters of all that a question says."""
    texts = (request.system, *request.earlier, request.now, request.correction)
    return sum(map(len, texts)) + len(tool_in_words(request.tool))


def tool_in_words(tool: Tool) -> str:
    """A tool as it is told, about."""
    return f"{tool.name} {tool.description} {json.dumps(tool.schema)}"


def digest_of(told: Prompt) -> str:
    """SHA-256 of what every question of a run says."""
    whole = json.dumps([told.version, told.system, told.tool.description, told.tool.schema])
    return hashlib.sha256(whole.encode()).hexdigest()


def _nothing_heard(model: str) -> dict[str, object]:
    return {
        "outcome": LOST,
        "problem": None,
        "request_id": None,
        "model": model,
        "usage": None,
        "dollars": 0.0,
        "answer": None,
        "said": "",
        "thought": "",
    }


def _storable(call: object) -> object:
    """A call as JSON can hold it; what it cannot is kept as text."""
    try:
        json.dumps(call, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return repr(call)[:1000]
    return call


def _check_same(known: Any, snapshot: Mapping[str, Any], place: str) -> None:
    for line in known:
        if line.snapshot != snapshot:
            raise TranscriptError(
                f"{place} was played in another game: decision {line.decision} of the "
                f"episode with seed {line.seed} saw something else."
            )
