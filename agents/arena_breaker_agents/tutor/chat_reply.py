"""`reply_from`: what a client makes of a chat completion in OpenAI's form, strict or loose."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from arena_breaker_agents.tutor.decision import parsed, same_name, without_thoughts, written_call
from arena_breaker_agents.tutor.llm_client import (
    CALLED,
    CUT,
    REFUSED,
    SPOKE,
    Response,
    Usage,
    check_no_error,
)
from arena_breaker_gym._runtime.stored import without_surrogates

_THOUGHTS = ("thinking", "reasoning", "reasoning_content", "summary")

_PREFIXES = ("data:", "event:", "id:", "retry:", ":")  # how server-sent events may begin
_END = "[DONE]"


def _text_of(value: object) -> str:
    """Text that may come in parts, or in an object around it; thoughts among it are left out."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(filter(None, map(_text_of, value)))
    if isinstance(value, Mapping) and value.get("type") not in _THOUGHTS:
        return next((text for key in ("text", "content") if (text := _text_of(value.get(key)))), "")
    return ""


def _thought_of(value: object) -> str:
    """Reasoning, which may come as text, in parts, or among the parts of an answer."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(filter(None, map(_thought_of, value)))
    if not isinstance(value, Mapping):
        return ""
    keys = (*_THOUGHTS, "text", "content")
    return next((text for key in keys if (text := _thought_of(value.get(key)))), "")


def _thoughts_among(content: object) -> str:
    parts = content if isinstance(content, list) else [content]
    thoughts = [one for one in parts if isinstance(one, Mapping) and one.get("type") in _THOUGHTS]
    return _thought_of(thoughts)


def _count_of(value: object) -> int:
    """Tokens; what is no count is 0, and a fraction counts as a whole one."""
    if isinstance(value, str):
        value = parsed(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return math.ceil(value) if math.isfinite(value) and value > 0 else 0


def _word_of(value: object) -> str | None:
    """A name, which may be a number."""
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value) if plain else None


def _object_of(value: object) -> object:
    return value if isinstance(value, Mapping) else None


def _list_of_objects(value: object) -> list[object]:
    held = value if isinstance(value, list) else [value]
    return [one for one in held if isinstance(one, Mapping)]


_Text = Annotated[str, BeforeValidator(_text_of)]
_Thought = Annotated[str, BeforeValidator(_thought_of)]
_Count = Annotated[int, BeforeValidator(_count_of)]
_Word = Annotated[str | None, BeforeValidator(_word_of)]


class _Cached(BaseModel):
    cached_tokens: _Count = 0


class _Usage(BaseModel):
    prompt_tokens: _Count = 0
    completion_tokens: _Count = 0
    prompt_tokens_details: Annotated[_Cached | None, BeforeValidator(_object_of)] = None

    def read(self) -> Usage:
        details = self.prompt_tokens_details
        cached = min(details.cached_tokens if details else 0, self.prompt_tokens)
        return Usage(
            input=self.prompt_tokens - cached,
            cache_read=cached,
            output=self.completion_tokens,
        )


class _Function(BaseModel):
    name: _Word = None
    arguments: object = None  # JSON in a string; some servers give the object itself

    def input(self) -> Any:
        """What it is called with; None if that is no JSON."""
        return parsed(self.arguments) if isinstance(self.arguments, str) else self.arguments


class _Call(_Function):  # a function's own fields: some servers leave out what is around them
    function: Annotated[_Function | None, BeforeValidator(_object_of)] = None


_Calls = Annotated[list[_Call], BeforeValidator(_list_of_objects)]


class _Message(BaseModel):
    content: object = None
    refusal: _Text = ""
    tool_calls: _Calls = []
    function_call: Annotated[_Function | None, BeforeValidator(_object_of)] = None  # before 2023
    reasoning_content: _Thought = ""  # vLLM, llama.cpp
    reasoning: _Thought = ""  # newer vLLM, Ollama
    reasoning_details: _Thought = ""  # OpenRouter

    @property
    def calls(self) -> list[_Function]:
        """All calls, in whichever form; those that say the same count once."""
        all_calls = [call.function or call for call in self.tool_calls]
        all_calls += [self.function_call] if self.function_call else []
        once: list[_Function] = []
        for call in all_calls:
            if not any(_same(call, other) for other in once):
                once.append(call)
        return once

    @property
    def thought(self) -> str:
        """The reasoning that stands beside the answer."""
        beside = self.reasoning_content or self.reasoning or self.reasoning_details
        return beside or _thoughts_among(self.content)


class _Choice(BaseModel):
    message: _Message
    finish_reason: _Word = None


class _Completion(BaseModel):
    id: _Word = None
    model: _Word = None
    choices: list[_Choice] = Field(min_length=1)
    usage: Annotated[_Usage | None, BeforeValidator(_object_of)] = None


def reply_from(
    completion: object, *, tool: str, request_id: str | None, keys: Collection[str] = ()
) -> Response:
    """Reads a chat completion.

    Args:
        completion: The API's JSON.
        tool: Name of the tool that was to be called.
        request_id: The API's name for the request; None: the completion's own name.
        keys: Keys of the tool's input, by which it is known where it stands among other words.

    Raises:
        ErrorInside: If it reports an error instead.
        ValueError: If it is no chat completion, as when a proxy damaged it.
    """
    completion = without_surrogates(completion)
    _check_reply_in(completion)
    read = _Completion.model_validate(completion)
    choice = read.choices[0]
    call, said, thought = _call_in(choice.message, tool, keys)
    return Response(
        ending=_ending(choice, called=call is not None),
        call=call,
        said=said,
        thought="\n".join(filter(None, (choice.message.thought, thought))),
        usage=Usage() if read.usage is None else read.usage.read(),
        request_id=request_id or read.id,
        model=read.model or "",
    )


def _check_reply_in(completion: object) -> None:
    """Checks that there is a reply, since some servers put an error where one should be.

    Raises:
        ErrorInside: If there is an error instead.
    """
    choices = completion.get("choices") if isinstance(completion, Mapping) else None
    if not choices:
        check_no_error(completion)
        return
    first = choices[0] if isinstance(choices, list) else None
    if isinstance(first, Mapping) and first.get("error") and first.get("finish_reason") == "error":
        check_no_error(first)


def _ending(choice: _Choice, *, called: bool) -> str:
    if choice.finish_reason == "length":
        return CUT
    if choice.finish_reason == "content_filter" or choice.message.refusal:
        return REFUSED
    return CALLED if called else SPOKE


def _call_in(message: _Message, tool: str, keys: Collection[str]) -> tuple[Any, str, str]:
    """What the tool was called with, or None; what was said beside it, and thought in tags."""
    content, thought = without_thoughts(_text_of(message.content) or message.refusal)
    calls = message.calls
    if not calls:
        written = written_call(content, tool, keys)
        return written, content if written is None else "", thought
    if len(calls) == 1 and same_name(calls[0].name, tool):
        call = calls[0].input()
        if call is not None:
            return call, content, thought
    told = " and ".join(f"{call.name}({call.arguments})" for call in calls)
    return None, "\n".join(filter(None, (content, f"(Called {told}.)"))), thought


def _same(one: _Function, other: _Function) -> bool:
    if one.name != other.name:
        return False
    return one.arguments == other.arguments or (
        one.input() is not None and one.input() == other.input()
    )


def completion_in(body: bytes) -> Any:
    """The completion in an answer.

    Args:
        body: JSON, or server-sent events of a server that knows nothing but streams.

    Raises:
        ValueError: If it is neither, or breaks off.
    """
    text = body.decode("utf-8-sig")
    if not text.lstrip().startswith(_PREFIXES):
        return json.loads(text)
    try:
        return _joined(list(_events(text)))
    except (AttributeError, TypeError, KeyError) as error:
        raise ValueError("a piece of the stream is of another form") from error


def _events(text: str) -> Iterator[Any]:
    for line in text.splitlines():
        name, _, value = line.partition(":")
        value = value.strip()
        if name.strip() == "data" and value and value != _END:
            yield json.loads(value)


def _joined(pieces: list[object]) -> object:
    """One completion of all pieces; a piece that holds no part of one is it, being an error."""
    whole: dict[str, object] = {}
    message: dict[str, Any] = {}
    finish = None
    for piece in pieces:
        if not isinstance(piece, Mapping) or piece.get("error") or "choices" not in piece:
            return piece
        whole |= {key: value for key, value in piece.items() if value is not None}
        for choice in (piece["choices"] or ())[:1]:
            _add(message, choice.get("delta") or choice.get("message") or {})
            finish = choice.get("finish_reason") or finish
    if finish is None:
        raise ValueError("the stream broke off")
    calls = message.pop("tool_calls", {})
    if calls:
        message["tool_calls"] = list(calls.values())
    return {**whole, "choices": [{"message": message, "finish_reason": finish}]}


def _add(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Adds a piece to a message under way."""
    for key, value in delta.items():
        if key == "tool_calls":
            for call in value or ():
                _add_call(message.setdefault(key, {}), call)
        elif key == "function_call":
            _add_function(message.setdefault(key, {}), value or {})
        elif value is not None:
            message[key] = message[key] + value if key in message and key != "role" else value


def _add_call(calls: dict[Any, dict[str, Any]], piece: Mapping[str, Any]) -> None:
    """Adds a piece of a call; without a number, a new name begins the next one."""
    function = piece.get("function") or {}
    number = piece.get("index")
    if number is None:
        number = len(calls) if function.get("name") or not calls else len(calls) - 1
    call = calls.setdefault(number, {"function": {}})
    _add_function(call["function"], function)


def _add_function(function: dict[str, Any], piece: Mapping[str, object]) -> None:
    for key, value in piece.items():
        if value is None:
            continue
        both_text = isinstance(value, str) and isinstance(function.get(key), str)
        repeated = key == "name" and function.get(key) == value
        function[key] = function[key] + value if both_text and not repeated else value
