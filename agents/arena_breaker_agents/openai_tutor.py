"""`OpenAITutor`: the same tutor with another model: any server that speaks OpenAI's chat API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Self

from arena_breaker_agents.tutor.openai import OpenAIClient
from arena_breaker_agents.tutor.tutor import Tutor, TutorSettings
from arena_breaker_agents.tutor.tutor_spec import parse_tutor, tutor_name

# What may stand after the question mark, beside the tutor's own settings.
OPTIONS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
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
        model, settings, options = parse_tutor(source, OPTIONS)
        if not model:
            raise ValueError("Name the model, as in openai:qwen3-32b?base_url=…")
        return cls(model, settings=settings, **options)
