"""`ClaudeTutor`: the article's teacher: Claude reads the snapshot while the game waits.

`OpenAITutor` is the same with another model: any server that speaks OpenAI's chat API. What a
command line says of either is read by `parse_tutor`.

`estimate` says what a run would cost before it is paid: the tutor itself plays, and asks all its
questions of a `CountingClient`, which answers as the scripted player would and counts the letters
of what it was told and of what it says.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Self

from arena_breaker_agents.registry import Readers, flag, split_options
from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_agents.tutor.batches import BatchClient
from arena_breaker_agents.tutor.bill import Bill
from arena_breaker_agents.tutor.claude import DIRECT, ClaudeClient
from arena_breaker_agents.tutor.deciding import tool_in_words
from arena_breaker_agents.tutor.llm_client import CALLED, LLMClient, Request, Response, Usage
from arena_breaker_agents.tutor.openai import OpenAIClient
from arena_breaker_agents.tutor.tutor import Tutor, TutorSettings
from arena_breaker_gym.rollout.agent import Observations
from arena_breaker_gym.rollout.episode import Plan
from arena_breaker_gym.rollout.rollout import rollout

_READERS: Readers = {
    "decision_steps": int,
    "most_holds": int,
    "history": int,
    "prompt": str,
    "max_tokens": int,
    "repairs": int,
    "concurrency": int,
    "prices": str,
    "budget": float,
}


def parse_tutor(source: str, readers: Readers) -> tuple[str, TutorSettings, dict[str, Any]]:
    """Reads "claude-haiku-4-5?decision_steps=12&effort=low".

    Args:
        source: What was said.
        readers: Options of the client, and what reads each.

    Returns:
        The model ("" if none was named), the tutor's settings, and the client's options.

    Raises:
        ValueError: If an option is unknown, or its value is none for it.
    """
    model, options, _ = split_options(source, {**_READERS, **readers})
    names = [one.name for one in fields(TutorSettings)]
    chosen = {name: options.pop(name) for name in names if name in options}
    return model, TutorSettings(**chosen), options


# What changes play; the rest is how much is asked at once, and what it may cost.
_PLAYED = ("decision_steps", "most_holds", "history", "max_tokens")


def tutor_name(model: str, settings: TutorSettings, options: Mapping[str, object]) -> str:
    """The model, the prompt's version, and what is not as usual: "claude-opus-4-8, prompt 2".

    Args:
        model: The client's model.
        settings: How the tutor plays.
        options: The client's options; those that are None are as usual.
    """
    usual = TutorSettings()
    changed = {
        name: getattr(settings, name)
        for name in _PLAYED
        if getattr(settings, name) != getattr(usual, name)
    }
    changed |= {name: value for name, value in options.items() if value is not None}
    words = [model, f"prompt {settings.prompt}"]
    return ", ".join([*words, *(f"{name} {value}" for name, value in changed.items())])


DEFAULT_MODEL = "claude-opus-4-8"  # the article's


def _thinking(text: str) -> str | int:
    if text == "adaptive":
        return text
    try:
        return int(text)
    except ValueError:
        raise ValueError("expected adaptive or a number of tokens") from None


# What may stand after the question mark, beside the tutor's own settings.
OPTIONS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "effort": str,
        "thinking": _thinking,
        "batch": flag,
        "max_retries": int,
        "timeout": float,
        "provider": str,
    }
)


class ClaudeTutor(Tutor):
    """Claude as a tutor, through the Anthropic API; keys are read from the environment."""

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        effort: str | None = None,
        thinking: str | int | None = None,
        batch: bool = False,
        settings: TutorSettings | None = None,
        **connection: object,
    ) -> None:
        """Prepares a tutor; nothing is asked yet.

        Args:
            model: Which Claude.
            effort: How hard it tries: low, medium, high, xhigh or max; None: the model's own.
            thinking: "adaptive", or a budget of tokens for models that take one; None: the
                model's own, which for most is not to think.
            batch: Whether questions go out in Message Batches: half the price, for minutes to
                hours of waiting; many episodes side by side make it worth while.
            settings: How it plays and asks; None: the defaults.
            connection: Other arguments of `ClaudeClient`, such as `provider` and `timeout`.

        Raises:
            ValueError: If batches are asked for where there are none.
        """
        if batch and connection.get("provider", DIRECT) != DIRECT:
            raise ValueError("Message Batches go through Anthropic's own API only.")
        settings = settings or TutorSettings()
        arguments: dict[str, Any] = {**connection, "effort": effort, "thinking": thinking}

        def llm() -> LLMClient:
            claude = ClaudeClient(model, **arguments)
            return BatchClient(claude) if batch else claude

        said = {"effort": effort, "thinking": thinking}
        super().__init__(
            llm,
            name=tutor_name(model, settings, said),
            model=model,
            settings=settings,
            batched=batch,
        )

    @classmethod
    def from_source(cls, source: str = "") -> Self:
        """A tutor from what a command line says.

        Args:
            source: "", a model's name, and options: "claude-haiku-4-5?decision_steps=12".

        Raises:
            ValueError: If an option is unknown or its value bad.
        """
        model, settings, options = parse_tutor(source, OPTIONS)
        return cls(model or DEFAULT_MODEL, settings=settings, **options)


# What may stand after the question mark, beside the tutor's own settings.
OPENAI_OPTIONS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {"base_url": str, "max_retries": int, "timeout": float}
)


class OpenAITutor(Tutor):
    """A model behind an OpenAI-compatible endpoint, such as one that runs on this machine."""

    def __init__(
        self, model: str, *, settings: TutorSettings | None = None, **connection: Any
    ) -> None:
        """Prepares a tutor; nothing is asked yet.

        Args:
            model: Which model, as the endpoint knows it.
            settings: How it plays and asks; None: the defaults.
            connection: Other arguments of `OpenAIClient`, such as `base_url`.
        """
        settings = settings or TutorSettings()

        def llm() -> OpenAIClient:
            return OpenAIClient(model, **connection)

        name = tutor_name(model, settings, {})
        super().__init__(llm, name=name, model=model, settings=settings)

    @classmethod
    def from_source(cls, source: str) -> Self:
        """A tutor from what a command line says.

        Args:
            source: "qwen3-32b?base_url=http://127.0.0.1:8000/v1".

        Raises:
            ValueError: If no model is named, an option is unknown or its value bad.
        """
        model, settings, options = parse_tutor(source, OPENAI_OPTIONS)
        if not model:
            raise ValueError("Name the model, as in openai:qwen3-32b?base_url=…")
        return cls(model, settings=settings, **options)


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

    options: Mapping[str, object] = MappingProxyType({})

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


def _scripted(now: str, *, hold: int) -> dict[str, object]:
    snapshots = [json.loads(now.partition("\n")[2])]
    action = ScriptedBaseline().act(Observations(snapshots=snapshots), [0])[0].tolist()
    move, aim = ({"x": x, "z": z} for x, z in (action[0:2], action[2:4]))
    return {"plan": [{"move": move, "aim": aim, "dash": action[4] > 0.5, "hold": hold}]}
