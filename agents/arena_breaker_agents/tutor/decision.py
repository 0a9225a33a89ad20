"""`Decision`: what a tutor decides, a few moves held for some steps each, checked before play.

Models are taught to write calls as text, each family its own way, and not every server knows
the way of the model that it serves. What is no call, or more than one, is not guessed at.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from arena_breaker_agents.tutor.llm_client import Tool
from arena_breaker_gym._runtime.json_file import Number, Truth, Whole
from arena_breaker_gym._runtime.stored import without_surrogates

_THOUGHT = re.compile(r"<(think|thinking|thought|reasoning)>(.*?)(?:</\1>|\Z)", re.S | re.I)
_THOUGHT_BEFORE = re.compile(r"\A(.*?)</(?:think|thinking|thought|reasoning)>", re.S | re.I)
_PARAMETERS = re.compile(r"<function=([\w.-]+)>\s*((?:<parameter=.*?)?)</function>", re.S)
_PARAMETER = re.compile(r"<parameter=([\w.-]+)>(.*?)(?:</parameter>|(?=<parameter=)|\Z)", re.S)
_NAMES = ("name", "tool", "tool_name", "function", "function_name")
_INPUTS = ("arguments", "parameters", "args", "input", "tool_input", "params")
_DEEPEST = 3  # how often JSON may have been put into a JSON string

TOOL_NAME = "act"

_LONGEST = 200  # letters of a mistake that is told


def without_thoughts(text: str) -> tuple[str, str]:
    """What a model said, and what it thought in tags before and between.

    Args:
        text: As it was written; a chat template may have swallowed the first tag.
    """
    thoughts: list[str] = []
    opened = re.search(r"<(think|thinking|thought|reasoning)>", text, re.I)
    before = _THOUGHT_BEFORE.match(text)
    if before is not None and (opened is None or opened.start() >= before.end()):
        thoughts.append(before[1])
        text = text[before.end() :]
    thoughts += [found[2] for found in _THOUGHT.finditer(text)]
    return _THOUGHT.sub("", text).strip(), "\n".join(filter(None, map(str.strip, thoughts)))


def written_call(text: str, tool: str, keys: Collection[str] = ()) -> Any:
    """The input of the one call of a tool that stands in a text; None if there is none.

    Args:
        text: What was written, thoughts left out.
        tool: The tool's name.
        keys: Keys that its input must have where it stands among other words; none: any.
    """
    if parameters := _in_tags(text, tool):
        return parameters
    whole = parsed(text.strip())
    if isinstance(whole, Mapping):
        named, call = _named(whole, tool)
        return call if named else whole
    found: list[object] = []
    for before, value in _values(text):
        named, call = _named(value, tool)
        if named or _follows_name(before, tool):
            call = parsed(call) if isinstance(call, str) else call
        elif not (isinstance(value, Mapping) and value and value.keys() >= set(keys)):
            continue
        if call not in found:
            found.append(call)
    return found[0] if len(found) == 1 and isinstance(found[0], Mapping) else None


def parsed(text: object) -> Any:
    """JSON, also where it was encoded more than once; None if it is none."""
    for _ in range(_DEEPEST):
        if not isinstance(text, str | bytes | bytearray):
            return None
        try:
            value = without_surrogates(json.loads(text))
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, str):
            return value
        text = value
    return None


def same_name(name: object, tool: str) -> bool:
    """Whether a name is a tool's, with or without the place that some models put before it."""
    return isinstance(name, str) and name.strip().rpartition(".")[2] == tool


def _named(value: object, tool: str) -> tuple[bool, Any]:
    """Whether a JSON value names the tool beside an input, and the input or the value."""
    if not isinstance(value, Mapping):
        return False, value
    inner = value.get("function")
    if isinstance(inner, Mapping):
        return _named(inner, tool)
    name = next((value[key] for key in _NAMES if key in value), None)
    held = next((key for key in _INPUTS if key in value), None)
    if held is None or not same_name(name, tool):
        return False, value
    call = value[held]
    return True, parsed(call) if isinstance(call, str) else call


def _values(text: str) -> Iterator[tuple[str, Any]]:
    """Outermost JSON objects of a text, those in lists one by one, with what stands before."""
    decoder = json.JSONDecoder()
    place = 0
    while (start := _opening(text, place)) >= 0:
        try:
            value, place = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            place = start + 1
            continue
        for one in value if isinstance(value, list) else [value]:
            yield text[:start], without_surrogates(one)


def _opening(text: str, place: int) -> int:
    found = re.compile(r"[{\[]").search(text, place)
    return -1 if found is None else found.start()


def _follows_name(before: str, tool: str) -> bool:
    """Whether what stands before an input says whose it is, as in "[TOOL_CALLS]act[ARGS]"."""
    name = re.escape(tool)
    ends = rf"(?:\[TOOL_CALLS\]|<\|?[^<>]*\|?>|functions\.)\s*{name}(?::\d+)?"
    rest = r"\s*(?:\[ARGS\]|<[^<>]*>|```json|\()?\s*\Z"
    return bool(
        re.search(ends + rest, before)
        or re.search(rf"<function=(?:[\w.]*\.)?{name}>\s*\Z", before)
        or re.search(rf"(?:\A|\n)\s*{name}(?:\[ARGS\]|\()\s*\Z", before)
    )


def _in_tags(text: str, tool: str) -> dict[str, object] | None:
    """A call whose input is spelt as one tag a parameter."""
    calls = []
    for name, body in _PARAMETERS.findall(text):
        found = _PARAMETER.findall(body)
        if not (same_name(name, tool) and found):
            continue
        call = {}
        for key, value in found:
            read = parsed(value.strip())
            call[key] = value.strip() if read is None else read
        if call not in calls:
            calls.append(call)
    return calls[0] if len(calls) == 1 else None


class UnusableAnswer(ValueError):  # noqa: N818 - it names a reply, not a fault in code
    """A tool call that is no decision; the message tells the caller what is wrong."""


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


def _listed(plan: object) -> object:
    """A list as a tuple, also one that a model wrote as JSON in a string; else what came."""
    listed = parsed(plan) if isinstance(plan, str) else plan
    return tuple(listed) if isinstance(listed, list) else plan


class Decision(_Part):
    """What is done until the next question."""

    plan: Annotated[tuple[Move, ...], BeforeValidator(_listed), Field(min_length=1)]

    @classmethod
    def from_call(cls, call: object, *, decision_steps: int, most_holds: int) -> Decision:
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


def _json(call: object) -> str:
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
