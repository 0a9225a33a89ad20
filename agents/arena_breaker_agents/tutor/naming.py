"""`name_of`: a tutor's name, which says all that its play depends on, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arena_breaker_agents.tutor.tutor import TutorSettings

# What changes play; the rest is how much is asked at once, and what it may cost.
_PLAYED = ("decision_steps", "most_holds", "history", "max_tokens")


def name_of(model: str, settings: TutorSettings, options: Mapping[str, Any]) -> str:
    """The model, the prompt's version, and what is not as usual: "claude-opus-4-8, prompt 2".

    Args:
        model: The mind's model.
        settings: How the tutor plays.
        options: The mind's options; those that are None are as usual.
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
