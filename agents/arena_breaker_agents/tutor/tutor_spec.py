"""`parse_tutor`, `tutor_name`: what a command line says of a tutor, and what it is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from arena_breaker_agents.registry import Readers, split_options
from arena_breaker_agents.tutor.tutor import TutorSettings

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


def tutor_name(model: str, settings: TutorSettings, options: Mapping[str, Any]) -> str:
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
