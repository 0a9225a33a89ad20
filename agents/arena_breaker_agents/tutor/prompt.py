"""`Prompt`: what a tutor tells a model, in numbered versions: rules, geometry, and each question.

A version never changes once it has been used: transcripts and episodes carry its number. If you
have better words, add a version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from types import MappingProxyType

from arena_breaker_agents.tutor.decision import TOOL_NAME, act_tool
from arena_breaker_agents.tutor.llm_client import Tool
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.stages.loader import load_campaign
from arena_breaker_gym.stages.model import Box, Circle, Hazard, Obstacle, Saw, Stage

# Each version's parts, texts in the folder `prompts`.
VERSIONS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "1": ("rules",),  # what the game is
        "2": ("rules", "tactics"),  # and how to play it well
    }
)
DEFAULT_VERSION = "2"


def campaign_in_words(stages: Sequence[Stage]) -> str:
    """A paragraph a stage, metres in stage coordinates."""
    return "\n\n".join(_stage(number, stage) for number, stage in enumerate(stages, start=1))


def _stage(number: int, stage: Stage) -> str:
    right, down = stage.size.width / 2, stage.size.depth / 2
    lines = [
        f'Stage {number}, "{stage.name}": floor from x {-right:g} to {right:g} and z {-down:g} to '
        f"{down:g}, walls all round. You begin at ({stage.start.x:g}, {stage.start.z:g})."
    ]
    if stage.obstacles:
        lines.append("Obstacles: " + "; ".join(map(_obstacle, stage.obstacles)) + ".")
    if stage.hazards:
        lines.append("Hazards: " + "; ".join(map(_hazard, stage.hazards)) + ".")
    return "\n".join(lines)


def _obstacle(obstacle: Obstacle) -> str:
    if isinstance(obstacle, Circle):
        return f"circle at ({obstacle.x:g}, {obstacle.z:g}), radius {obstacle.radius:g}"
    if isinstance(obstacle, Box) and obstacle.angle == 0.0:
        return (
            f"box x {obstacle.x - obstacle.width / 2:g} to {obstacle.x + obstacle.width / 2:g}, "
            f"z {obstacle.z - obstacle.depth / 2:g} to {obstacle.z + obstacle.depth / 2:g}"
        )
    corners = obstacle.corners() if isinstance(obstacle, Box) else obstacle.points
    return "polygon " + _points(corners)


def _hazard(hazard: Hazard) -> str:
    if isinstance(hazard, Saw):
        way = "round and round" if hazard.closed else "there and back"
        return (
            f"saw, radius {hazard.radius:g}, along {_points(hazard.track)} {way} "
            f"at {hazard.speed:g} m/s"
        )
    return (
        f"spikes at ({hazard.x:g}, {hazard.z:g}), radius {hazard.radius:g}, "
        f"down {hazard.down:g} s, warning {hazard.warn:g} s, up {hazard.up:g} s"
    )


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"({round(x, 2) + 0.0:g}, {round(z, 2) + 0.0:g})" for x, z in points)


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


def now(snapshot: Mapping[str, object]) -> str:
    """The question itself."""
    return f"Now:\n{_compact(snapshot)}"


def earlier(snapshot: Mapping[str, object], plan: Mapping[str, object]) -> str:
    """A question of before with its answer."""
    return f"Earlier:\n{_compact({'seen': snapshot, 'answered': plan})}"


def correction(mistake: str) -> str:
    """What is said of an answer that cannot be used."""
    return f"Your last answer to this was not usable: {mistake} Call `{TOOL_NAME}` again."


def _compact(value: Mapping[str, object]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _text_of(part: str) -> str:
    return (files("arena_breaker_agents.tutor") / "prompts" / f"{part}.md").read_text(
        encoding="utf-8"
    )
