"""`estimate`: what a run would cost, found by playing it with a client that costs nothing.

The tutor itself plays, and asks all its questions of a `CountingClient`: it answers as the
scripted player would and counts the letters of what it was told and of what it says.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_agents.tutor.bill import Bill
from arena_breaker_agents.tutor.deciding import tool_in_words
from arena_breaker_agents.tutor.llm_client import CALLED, Request, Response, Usage
from arena_breaker_agents.tutor.tutor import Tutor
from arena_breaker_gym.rollout.agent import Observations
from arena_breaker_gym.rollout.plan import Plan
from arena_breaker_gym.rollout.rollout import rollout

LETTERS_PER_TOKEN = 2.5  # our own cautious figure for JSON full of numbers; prose has about 4
CALL_TOKENS = 40  # about what a tool call takes beside its input


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run may cost; thinking is not counted.

    Attributes:
        bill: What it would cost if it went as the scripted player's.
        most_decisions: Decisions if every episode lasted to its last step.
        most_dollars: What those would cost; None if the price is unknown.
    """

    bill: Bill
    most_decisions: int
    most_dollars: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "bill": self.bill.to_dict()}

    def sentences(self) -> str:
        """The estimate for people."""
        most = "" if self.most_dollars is None else f" and ${self.most_dollars:.2f}"
        return (
            f"Estimate: {self.bill.sentence()}. At most {self.most_decisions} decisions{most}, "
            "if every episode lasted to its last step. Thinking is not counted."
        )


def estimate(tutor: Tutor, plan: Plan, *, episodes: int) -> Estimate:
    """Plays a run without paid requests.

    Args:
        tutor: Who would play it.
        plan: What would be played.
        episodes: How many episodes.
    """
    free = Tutor(
        lambda: CountingClient(
            tutor.model, hold=tutor.settings.decision_steps, batch=tutor.batched
        ),
        name=tutor.name,
        model=tutor.model,
        settings=replace(tutor.settings, budget=None),
    )
    try:
        rollout(
            free,
            episodes=episodes,
            seed=plan.seed,
            env=plan.settings,
            stage=plan.stages,
            max_steps=plan.max_steps,
        )
        bill = free.bill
    finally:
        free.close()
    most = episodes * -(-plan.max_steps // tutor.settings.decision_steps)
    dollars = bill.dollars
    return Estimate(
        bill=bill,
        most_decisions=most,
        most_dollars=None if dollars is None else round(most * dollars / bill.decisions, 4),
    )


class CountingClient:
    """Answers as the scripted player would, and counts tokens with a cache that never forgets."""

    options: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, model: str, *, hold: int, batch: bool = False) -> None:
        """Makes one with an empty cache.

        Args:
            model: Whose price is asked.
            hold: Steps that its one move is held.
            batch: Whether questions go out in batches.
        """
        self.model = model
        self._hold = hold
        self._batch = batch
        self._cached: set[tuple[str, ...]] = set()

    async def complete(self, request: Request) -> Response:
        """Answers at once."""
        call = _scripted(request.now, hold=self._hold)
        output = int(len(json.dumps(call)) / LETTERS_PER_TOKEN) + CALL_TOKENS
        return Response(
            ending=CALLED,
            call=call,
            usage=replace(self._read(request), output=output, batch=self._batch),
            model=self.model,
        )

    async def close(self) -> None:
        """Holds nothing."""

    def _read(self, request: Request) -> Usage:
        """Tokens that are read: the longest beginning seen before is in the cache."""
        parts = (tool_in_words(request.tool) + request.system, *request.earlier)
        known = max((n for n in range(1, len(parts) + 1) if parts[:n] in self._cached), default=0)
        self._cached |= {parts[:1], parts}
        return Usage(
            input=_tokens(request.now, request.correction),
            cache_read=_tokens(*parts[:known]),
            cache_write_5m=_tokens(*parts[known:]),
        )


def _tokens(*texts: str) -> int:
    return math.ceil(sum(map(len, texts)) / LETTERS_PER_TOKEN)


def _scripted(now: str, *, hold: int) -> dict[str, Any]:
    snapshots = [json.loads(now.partition("\n")[2])]
    action = ScriptedBaseline().act(Observations(snapshots=snapshots), [0])[0].tolist()
    move, aim = ({"x": x, "z": z} for x, z in (action[0:2], action[2:4]))
    return {"plan": [{"move": move, "aim": aim, "dash": action[4] > 0.5, "hold": hold}]}
