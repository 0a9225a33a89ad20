"""`Prompt`: what a tutor tells a model, in numbered versions: rules, geometry, and each question.

A version never changes once it has been used: transcripts and episodes carry its number. Whoever
has better words adds a version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from types import MappingProxyType
from typing import Any

from arena_breaker_agents.tutor.decision import TOOL_NAME, act_tool
from arena_breaker_agents.tutor.geometry import campaign_in_words
from arena_breaker_agents.tutor.llm_client import Tool
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.stages.loader import load_campaign

# Each version's parts, texts in the folder `prompts`.
VERSIONS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "1": ("rules",),  # what the game is
        "2": ("rules", "tactics"),  # and how to play it well
    }
)
DEFAULT_VERSION = "2"


@dataclass(frozen=True)
class Prompt:
    """The constant part of every question of a run.

    Attributes:
        version: Its number.
        system: Rules and geometry.
        tool: What is to be called.
    """

    version: str
    system: str
    tool: Tool

    @classmethod
    def of(
        cls,
        version: str,
        *,
        stages: Sequence[str] | None,
        frame_skip: int,
        decision_steps: int,
        most_holds: int,
    ) -> Prompt:
        """The prompt of a version for a game.

        Args:
            version: One of `VERSIONS`.
            stages: Files of the campaign; None: the one that comes along.
            frame_skip: Ticks in a step.
            decision_steps: Most steps that one move may be held.
            most_holds: Most moves in a decision.
        """
        steps_per_second = TICKS_PER_SECOND / frame_skip
        words = {
            "tool": TOOL_NAME,
            "ticks": frame_skip,
            "steps_per_second": f"{steps_per_second:g}",
            "decision_steps": decision_steps,
            "decision_seconds": f"{decision_steps / steps_per_second:.3g}",
            "most_holds": most_holds,
            "geometry": campaign_in_words(load_campaign(stages).models),
        }
        parts = [Template(_text_of(part)).substitute(words) for part in VERSIONS[version]]
        tool = act_tool(decision_steps=decision_steps, most_holds=most_holds)
        return cls(version, "\n".join(parts).strip(), tool)


def now(snapshot: Mapping[str, Any]) -> str:
    """The question itself."""
    return f"Now:\n{_compact(snapshot)}"


def earlier(snapshot: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    """A question of before with its answer."""
    return f"Earlier:\n{_compact({'seen': snapshot, 'answered': plan})}"


def correction(mistake: str) -> str:
    """What is said of an answer that cannot be used."""
    return f"Your last answer to this was not usable: {mistake} Call `{TOOL_NAME}` again."


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _text_of(part: str) -> str:
    return (files("arena_breaker_agents.tutor") / "prompts" / f"{part}.md").read_text(
        encoding="utf-8"
    )
