"""`Decision`: what a tutor decides, a few moves held for some steps each, checked before play."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from arena_breaker_agents.tutor.llm_client import Tool
from arena_breaker_agents.tutor.written_calls import parsed
from arena_breaker_gym._runtime.json_file import Number, Truth, Whole

TOOL_NAME = "act"

_LONGEST = 200  # letters of a mistake that is told


class UnusableAnswer(ValueError):  # noqa: N818 - it names a reply, not a fault in code
    """A tool call that is no decision; the sentence says what is wrong, for whoever called."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Vector(_Part):
    """A stick."""

    x: Number
    z: Number

    def scaled(self) -> tuple[float, float]:
        """The stick, scaled to length 1 if it is longer."""
        length = math.hypot(self.x, self.z)
        return (self.x, self.z) if length <= 1.0 else (self.x / length, self.z / length)


class Move(_Part):
    """What is held, and for how many steps."""

    move: Vector
    aim: Vector
    dash: Truth
    hold: Annotated[Whole, Field(ge=1)]

    def action(self) -> list[float]:
        """The action: move_x, move_z, aim_x, aim_z, dash."""
        return [*self.move.scaled(), *self.aim.scaled(), float(self.dash)]


def _listed(plan: Any) -> Any:
    """A list as a tuple, also one that a model wrote as JSON in a string; else what came."""
    listed = parsed(plan) if isinstance(plan, str) else plan
    return tuple(listed) if isinstance(listed, list) else plan


class Decision(_Part):
    """What is done until the next question."""

    plan: Annotated[tuple[Move, ...], BeforeValidator(_listed), Field(min_length=1)]

    @classmethod
    def from_call(cls, call: Any, *, decision_steps: int, most_holds: int) -> Decision:
        """Reads what a client called the tool with.

        Args:
            call: The tool's input, whatever it is.
            decision_steps: Most steps that one move may be held.
            most_holds: Most moves.

        Raises:
            UnusableAnswer: If it is no decision within these bounds.
        """
        try:
            decision = _ADAPTER.validate_json(_json(call))
        except ValidationError as error:
            raise UnusableAnswer(_mistake(error)) from None
        if len(decision.plan) > most_holds:
            raise UnusableAnswer(
                f"plan has {len(decision.plan)} moves; at most {most_holds} are played."
            )
        for number, move in enumerate(decision.plan):
            if move.hold > decision_steps:
                raise UnusableAnswer(
                    f"plan.{number}.hold is {move.hold}; expected 1 to {decision_steps}."
                )
        return decision

    def actions(self) -> NDArray[np.float32]:
        """(steps, 5) float32, a row for each step that it lasts."""
        rows = [move.action() for move in self.plan for _ in range(move.hold)]
        return np.array(rows, dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as the tool takes them."""
        return self.model_dump(mode="json")


_ADAPTER = TypeAdapter(Decision)


def _json(call: Any) -> str:
    """Reading JSON, a list may stand for a tuple; and what came is JSON or nothing."""
    import json

    try:
        return json.dumps(call, allow_nan=True)
    except (TypeError, ValueError, RecursionError):
        raise UnusableAnswer("the tool's input is no JSON object.") from None


def _mistake(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"])) or "the tool's input"
    return f"{place}: {first['msg']}"[:_LONGEST].rstrip(".") + "."


def act_tool(*, decision_steps: int, most_holds: int) -> Tool:
    """The tool that a client answers with, as strict tools must describe it."""
    stick = {
        "type": "object",
        "properties": {"x": {"type": "number"}, "z": {"type": "number"}},
        "required": ["x", "z"],
        "additionalProperties": False,
    }
    move = {
        "type": "object",
        "properties": {
            "move": {**stick, "description": "Left stick: where to walk, length 0 to 1."},
            "aim": {**stick, "description": "Right stick: fires at length 0.3 and above."},
            "dash": {"type": "boolean", "description": "Whether dash is pressed."},
            "hold": {
                "type": "integer",
                "description": f"Steps that this is held, 1 to {decision_steps}.",
            },
        },
        "required": ["move", "aim", "dash", "hold"],
        "additionalProperties": False,
    }
    return Tool(
        name=TOOL_NAME,
        description="Play these moves one after the other, then be asked again.",
        schema={
            "type": "object",
            "properties": {
                "plan": {
                    "type": "array",
                    "items": move,
                    "minItems": 1,
                    "description": f"1 to {most_holds} moves.",
                }
            },
            "required": ["plan"],
            "additionalProperties": False,
        },
    )
