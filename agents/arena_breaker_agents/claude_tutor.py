"""`ClaudeTutor`: the article's teacher: Claude reads the snapshot while the game waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Self

from arena_breaker_agents.registry import flag
from arena_breaker_agents.tutor.batches import BatchClient
from arena_breaker_agents.tutor.claude import ClaudeClient
from arena_breaker_agents.tutor.claude_doors import DIRECT
from arena_breaker_agents.tutor.llm_client import LLMClient
from arena_breaker_agents.tutor.tutor import Tutor, TutorSettings
from arena_breaker_agents.tutor.tutor_spec import parse_tutor, tutor_name

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
        **connection: Any,
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
