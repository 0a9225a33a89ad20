"""`spoken_tutor`: what a command line says of a tutor: its model, how it plays, and the rest."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from arena_breaker_agents.options import Readers, split_options
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


def spoken_tutor(source: str, readers: Readers) -> tuple[str, TutorSettings, dict[str, Any]]:
    """Reads "claude-haiku-4-5?decision_steps=12&effort=low".

    Args:
        source: What was said.
        readers: Options of the mind, and what reads each.

    Returns:
        The model ("" if none was named), the tutor's settings, and the mind's options.

    Raises:
        ValueError: If an option is unknown, or its value is none for it.
    """
    model, options, _ = split_options(source, {**_READERS, **readers})
    names = [one.name for one in fields(TutorSettings)]
    chosen = {name: options.pop(name) for name in names if name in options}
    return model, TutorSettings(**chosen), options
