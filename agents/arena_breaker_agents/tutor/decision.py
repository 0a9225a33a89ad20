"""`Decision`: what a tutor decides, a few moves held for some steps each, checked before play.

Models are taught to write calls as text, each family its own way, and not every server knows
the way of the model that it serves. What is no call, or more than one, is not guessed at.
"""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from arena_breaker_agents.tutor.llm_client import Tool
from arena_breaker_gym._runtime.json_file import Number, Truth, Whole
from arena_breaker_gym._runtime.stored import without_surrogates

_NAMES = ("name", "tool", "tool_name", "function", "function_name", "action")
_INPUTS = ("arguments", "parameters", "args", "input", "tool_input", "params", "action_input")
_AROUND = ("function", "function_call", "tool_call", "tool_calls")
_DEEPEST = 3  # how often JSON may have been put into a JSON string

# Thoughts between tags, as families of models spell them; all are read as the first.
_KINDS = r"(?:seed:)?(?:think|thinking|thoughts?|reasoning|reflection)"
_OPENED = re.compile(
    rf"<{_KINDS}(?:\s[^<>]*)?>|\[THINK\]|◁think▷|<\|begin_of_thought\|>|<unused94>", re.I
)
_CLOSED = re.compile(rf"</{_KINDS}>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>|<unused95>", re.I)
_ANALYSIS = re.compile(r"<\|channel\|>analysis<\|message\|>(.*?)(?:<\|end\|>|\Z)", re.S)
_OPEN, _CLOSE = "<think>", "</think>"
_THOUGHT = re.compile(rf"{_OPEN}(.*?)(?:{_CLOSE}|\Z)", re.S)

# Calls whose input is spelt a tag a parameter: the call, and one of its parameters.
_SPELT = (
    (
        re.compile(r"<function=([\w.:-]+)>(.*?)(?:</function>|\Z)", re.S),
        re.compile(r"<parameter=([\w.-]+)>(.*?)(?:</parameter>|(?=<parameter=)|\Z)", re.S),
    ),
    (
        re.compile(r"<(?:\w+:)?invoke name=\"([\w.:-]+)\">(.*?)(?:</(?:\w+:)?invoke>|\Z)", re.S),
        re.compile(r"<(?:\w+:)?parameter name=\"([\w.-]+)\"[^>]*>(.*?)</(?:\w+:)?parameter>", re.S),
    ),
    (
        re.compile(r"<tool_call>\s*([\w.:-]+)(.*?)(?:</tool_call>|\Z)", re.S),
        re.compile(r"<arg_key>([^<]*)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.S),
    ),
)

# Python as some models write it instead of JSON, with JSON's words among it.
_PYTHON_WORDS = {"true": "True", "false": "False", "null": "None"}
_MOST_PYTHON = 5_000  # letters that are read as Python, which takes its time over many
_MOST_CALLS = 5  # places in a text that are tried as calls
_MOST_ENDS = 100  # brackets at which a call may end

TOOL_NAME = "act"

_LONGEST = 200  # letters of a mistake that is told


def without_thoughts(text: str) -> tuple[str, str]:
    """What a model said, and what it thought in tags before and between.

    Args:
        text: As it was written; a chat template may have swallowed the first tag.
    """
    text = _ANALYSIS.sub(rf"{_OPEN}\1{_CLOSE}", text)
    text = _CLOSED.sub(_CLOSE, _OPENED.sub(_OPEN, text))
    thoughts: list[str] = []
    before, closed, after = text.partition(_CLOSE)
    if closed and _OPEN not in before:
        thoughts.append(before)
        text = after
    thoughts += _THOUGHT.findall(text)
    said = _THOUGHT.sub("", text).replace(_CLOSE, "").strip()
    return said, "\n".join(filter(None, map(str.strip, thoughts)))


def written_call(
    text: str, tool: str, keys: Collection[str] = (), *, named_only: bool = False
) -> Any:
    """The input of the one call of a tool that stands in a text; None if there is none.

    Args:
        text: What was written, thoughts left out.
        tool: The tool's name.
        keys: Keys that its input must have where it stands among other words; none: any.
        named_only: Whether an input among other words counts only beside the tool's name.
    """
    if parameters := _in_tags(text, tool):
        return parameters
    whole = parsed(text.strip())
    if isinstance(whole, Mapping):
        return unwrapped(whole, tool, keys)
    found: list[object] = []
    for before, value in _values(text):
        named, call = _named(value, tool)
        if named or _follows_name(before, tool):
            call = parsed(call) if isinstance(call, str) else call
        elif named_only or not _holds(value, keys):
            continue
        if call not in found:
            found.append(call)
    if not found:
        found = _in_python(text, tool, () if named_only else keys)
    return found[0] if len(found) == 1 and isinstance(found[0], Mapping) else None


def unwrapped(call: Any, tool: str, keys: Collection[str] = ()) -> Any:
    """A call's input without what a model put around it: its name, a list of one, another call.

    Args:
        call: What came as its input.
        tool: The tool's name.
        keys: Keys that the input must have: where they are, nothing is around it.
    """
    for _ in range(_DEEPEST):
        if _holds(call, keys) and keys:
            break
        held = call[0] if isinstance(call, list) and len(call) == 1 else _named(call, tool)[1]
        if held is call and isinstance(call, Mapping) and len(call) == 1:
            ((key, value),) = call.items()
            held = value if key in _INPUTS or same_name(key, tool) else call
        held = parsed(held) if isinstance(held, str) else held
        if held is call or not isinstance(held, Mapping | list):
            break
        call = held
    return call


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
    """Whether a name is a tool's, with or without what models and servers put around it.

    Such as the place that it comes from ("functions.act"), its number ("act:0"), or the mark
    that follows it ("act<|channel|>commentary").
    """
    form = rf"(?:.*[./:])?{re.escape(tool)}(?::\d+)?(?:<\|.*)?"
    return isinstance(name, str) and bool(re.fullmatch(form, name.strip(), re.I | re.S))


def _holds(value: object, keys: Collection[str]) -> bool:
    return isinstance(value, Mapping) and bool(value) and value.keys() >= set(keys)


def _named(value: object, tool: str) -> tuple[bool, Any]:
    """Whether a JSON value names the tool beside an input, and the input or the value."""
    if not isinstance(value, Mapping):
        return False, value
    for key in _AROUND:
        inner = value.get(key)
        inner = inner[0] if isinstance(inner, list) and len(inner) == 1 else inner
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
    for call_form, parameter_form in _SPELT:
        for name, body in call_form.findall(text):
            found = parameter_form.findall(body)
            if not (same_name(name, tool) and found):
                continue
            call = {}
            for key, value in found:
                read = parsed(value.strip())
                call[key.strip()] = value.strip() if read is None else read
            if call not in calls:
                calls.append(call)
    return calls[0] if len(calls) == 1 else None


def _in_python(text: str, tool: str, keys: Collection[str]) -> list[object]:
    """Inputs that stand in a text as Python: a call of the tool, or else an object."""
    found: list[object] = []
    starts = re.finditer(rf"\b{re.escape(tool)}\(", text)
    for start in islice(starts, _MOST_CALLS):
        call = _python_call(text[start.start() :])
        if call is not None and call not in found:
            found.append(call)
    if not found and keys:
        object_text = text[text.find("{") : text.rfind("}") + 1]
        value = _python_value(_python(object_text))
        found = [value] if _holds(value, keys) else []
    return found


def _python_call(text: str) -> dict[str, object] | None:
    """The input of a call with which a text begins, as in "act(plan=[…])"; None if it is none."""
    ends = [place.end() for place in re.finditer(r"\)", text)][:_MOST_ENDS]
    calls = (_python(text[:end]) for end in ends)
    call = next((one for one in calls if isinstance(one, ast.Call)), None)
    if call is None:
        return None
    if len(call.args) == 1 and not call.keywords:
        value = _python_value(call.args[0])
        return value if isinstance(value, dict) else None
    values = {one.arg: _python_value(one.value) for one in call.keywords if one.arg}
    return values if values and not call.args else None


def _python(text: str) -> ast.expr | None:
    words = re.sub(r"\b(?:true|false|null)\b", lambda word: _PYTHON_WORDS[word[0]], text)
    if len(words) > _MOST_PYTHON:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(words.strip(), mode="eval").body
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _python_value(expression: ast.expr | None) -> Any:
    """The plain value of an expression; None if it has none."""
    try:
        value = ast.literal_eval(expression) if expression is not None else None
        return json.loads(json.dumps(value))  # sets, bytes and complex numbers are no JSON
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


class UnusableAnswer(ValueError):  # noqa: N818 - it names a reply, not a fault in code
    """A tool call that is no decision; the message tells the caller what is wrong."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _decoded(cls, value: Any) -> Any:
        """A part that a model wrote as JSON in a string."""
        read = parsed(value) if isinstance(value, str) else None
        return value if read is None else read


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
    """A list as a tuple, also one written as JSON in a string, or its one move; else what came."""
    listed = parsed(plan) if isinstance(plan, str) else plan
    listed = [listed] if isinstance(listed, Mapping) else listed
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
