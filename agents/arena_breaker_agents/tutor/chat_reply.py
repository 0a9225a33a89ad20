"""`reply_from`: what a client makes of a chat completion in OpenAI's form, strict or loose."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field

from arena_breaker_agents.tutor.decision import (
    parsed,
    same_name,
    unwrapped,
    without_thoughts,
    written_call,
)
from arena_breaker_agents.tutor.llm_client import (
    CALLED,
    CUT,
    REFUSED,
    SPOKE,
    Response,
    Usage,
    check_no_error,
    told_by,
)
from arena_breaker_gym._runtime.stored import without_surrogates

_THOUGHTS = ("thinking", "reasoning", "reasoning_content", "summary")

_CALLS = ("tool_use", "tool_call", "function_call", "function")  # parts that are calls
_MOST_TOKENS = 10**9  # of one answer: no model writes so many

_PREFIXES = ("data:", "event:", "id:", "retry:", ":")  # how server-sent events may begin
_END = "[DONE]"


def _text_of(value: object) -> str:
    """Text that may come in parts, or in an object around it; thoughts among it are left out."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_text_of, value))  # as pieces of a stream, they may break anywhere
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


def _calls_among(content: object) -> list[object]:
    parts = content if isinstance(content, list) else [content]
    return [one for one in parts if isinstance(one, Mapping) and one.get("type") in _CALLS]


def _count_of(value: object) -> int:
    """Tokens; what is no count is 0, and a fraction counts as a whole one."""
    if isinstance(value, str):
        value = parsed(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return math.ceil(value) if 0 < value <= _MOST_TOKENS else 0


def _word_of(value: object) -> str | None:
    """A name, which may be a number."""
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value) if plain else None


def _object_of(value: object) -> object:
    return value if isinstance(value, Mapping) else None


def _list_of_objects(value: object) -> list[object]:
    value = parsed(value) if isinstance(value, str) else value
    held = value if isinstance(value, list) else [value]
    return [one for one in held if isinstance(one, Mapping)]


def _either(*names: str) -> Any:
    """A field that has one of these names."""
    return Field(validation_alias=AliasChoices(*names))


_Text = Annotated[str, BeforeValidator(_text_of)]
_Thought = Annotated[str, BeforeValidator(_thought_of)]
_Count = Annotated[int, BeforeValidator(_count_of)]
_Word = Annotated[str | None, BeforeValidator(_word_of)]


class _Cached(BaseModel):
    cached_tokens: _Count = 0


class _Usage(BaseModel):
    prompt_tokens: Annotated[_Count, _either("prompt_tokens", "input_tokens")] = 0
    completion_tokens: Annotated[_Count, _either("completion_tokens", "output_tokens")] = 0
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
    name: Annotated[_Word, _either("name", "tool_name")] = None
    # JSON in a string; some servers give the object itself.
    arguments: Annotated[object, _either("arguments", "parameters", "args", "input")] = None


class _Call(_Function):  # a function's own fields: some servers leave out what is around them
    function: Annotated[_Function | None, BeforeValidator(_object_of)] = None


_Calls = Annotated[list[_Call], BeforeValidator(_list_of_objects)]


_NOTHING = (None, "")


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
        """All calls, in whichever form; empty ones only where there are no others."""
        calls = [*self.tool_calls, *map(_Call.model_validate, _calls_among(self.content))]
        functions = [call.function or call for call in calls]
        functions += [self.function_call] if self.function_call else []
        return [one for one in functions if one.arguments not in _NOTHING] or functions

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
    called = [(call, _input(call, tool, keys)) for call in message.calls]
    if not called:
        return _written(message, content, thought, tool, keys)
    once = [one for number, one in enumerate(called) if not _among(one, called[:number])]
    ((first, call), *others) = once
    if not others and same_name(first.name, tool) and call is not None:
        return call, content, thought
    told = " and ".join(f"{one.name}({one.arguments})" for one, _ in once)
    return None, "\n".join(filter(None, (content, f"(Called {told}.)"))), thought


def _written(
    message: _Message, content: str, thought: str, tool: str, keys: Collection[str]
) -> tuple[Any, str, str]:
    """A call that stands in the text; or, where nothing is said, in what was taken for thought."""
    call = written_call(content, tool, keys)
    if call is not None or content:
        return call, content if call is None else "", thought
    return written_call(message.thought, tool, keys, named_only=True), "", thought


def _input(call: _Function, tool: str, keys: Collection[str]) -> Any:
    """What a call says; None if that is no JSON."""
    said = call.arguments
    if isinstance(said, str):
        read = parsed(said)
        said = written_call(said, tool, keys) if read is None else read
    return unwrapped(said, tool, keys)


def _among(one: tuple[_Function, Any], others: list[tuple[_Function, Any]]) -> bool:
    """Whether a call says what another says, however it is written."""
    call, said = one
    return any(
        (same_name(call.name, other.name or "") or same_name(other.name, call.name or ""))
        and (
            call.arguments == other.arguments or (said is not None and _plain(said) == _plain(held))
        )
        for other, held in others
    )


def _plain(value: Any) -> Any:
    """A value in which text that stands for a number or a truth value is that."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    read = parsed(value.strip().lower()) if isinstance(value, str) else None
    return value if read is None else _plain(read)


def completion_in(body: bytes) -> Any:
    """The completion in an answer.

    Args:
        body: JSON, or server-sent events of a server that knows nothing but streams.

    Raises:
        ValueError: If it is neither, or breaks off.
    """
    text = body.decode(json.detect_encoding(body), "replace")
    try:
        if text.lstrip().startswith(_PREFIXES):
            return _joined(*_events(text))
        return _whole(text)
    except (AttributeError, TypeError, KeyError) as error:
        raise ValueError("a piece of the stream is of another form") from error


def _whole(text: str) -> Any:
    """A completion in JSON, or in lines of JSON, each a piece of it."""
    try:
        return json.loads(text)
    except ValueError:
        lines = [line for line in text.split("\n") if line.strip()]
        if len(lines) < 2:
            raise
        return _joined([json.loads(line) for line in lines], ended=False)


def _events(text: str) -> tuple[list[Any], bool]:
    """All that server-sent events hold, and whether the last says that there are no more."""
    pieces: list[Any] = []
    begun = ""
    # Not `splitlines`: JSON may hold the lesser known ends of lines as they are.
    for line in re.split(r"\r\n|\n|\r", text):
        name, _, value = line.partition(":")
        value = value.strip()
        if value.strip('"') == _END:
            return pieces, True
        if begun and not line:
            raise ValueError("an event of the stream is damaged")
        if name.strip() != "data" or not value:
            continue
        begun += value + "\n"
        try:  # an event may have many lines, and not every server ends one with an empty line
            pieces.append(json.loads(begun))
        except ValueError:
            continue
        begun = ""
    if begun:
        raise ValueError("the stream broke off")
    return pieces, False


def _joined(pieces: list[Any], ended: bool) -> object:
    """One completion of all pieces; an error among them, or alone, is what it is."""
    whole: dict[str, object] = {}
    message: dict[str, Any] = {}
    finish = "stop" if ended else None
    error = next((one for one in pieces if not _is_piece(one)), None)
    if error is not None or not any(one.get("choices") for one in pieces):
        return error or next(iter(pieces), None)
    for piece in pieces:
        whole |= {key: value for key, value in piece.items() if value is not None}
        choices: list[Any] = piece.get("choices") or []
        choice: Any = next(filter(_is_first, choices), {})
        _add(message, choice.get("delta") or choice.get("message") or {})
        finish = choice.get("finish_reason") or finish
    if finish is None:
        raise ValueError("the stream broke off")
    calls = message.pop("tool_calls", {})
    if calls:
        message["tool_calls"] = list(calls.values())
    return {**whole, "choices": [{"message": message, "finish_reason": finish}]}


def _is_piece(piece: object) -> bool:
    """Whether it is a part of a completion or says nothing; else it is an error."""
    if not isinstance(piece, Mapping) or piece.get("error"):
        return False
    return "choices" in piece or not told_by(piece).message


def _is_first(choice: Mapping[str, object]) -> bool:
    return str(choice.get("index") or 0) == "0"


def _add(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Adds a piece to a message under way."""
    for key, value in delta.items():
        if key == "tool_calls":
            for call in value or ():
                _add_call(message.setdefault(key, {}), call)
        elif key == "function_call":
            _add_function(message.setdefault(key, {}), value or {})
        elif value is not None:
            said = key in message and key != "role"
            message[key] = _sum(message[key], value) if said else value


def _sum(said: Any, more: Any) -> Any:
    """Two pieces in one: text, or a list where one of them is none."""
    if isinstance(said, str) and isinstance(more, str):
        return said + more
    listed = (one if isinstance(one, list) else [one] for one in (said, more))
    return [part for parts in listed for part in parts]


def _add_call(calls: dict[Any, dict[str, Any]], piece: Mapping[str, Any]) -> None:
    """Adds a piece of a call to it, or begins the next."""
    function = piece.get("function") or {}
    call = calls.setdefault(_number_of(piece, calls), {"function": {}})
    call["id"] = call.get("id") or piece.get("id")
    _add_function(call["function"], function)


def _number_of(piece: Mapping[str, Any], calls: Mapping[Any, Mapping[str, Any]]) -> str:
    """Which call a piece belongs to: by number, by name, or else the last while it is not whole."""
    number, name = piece.get("index"), piece.get("id")
    if isinstance(number, int | float | str):
        return str(number)
    if number is not None:
        raise TypeError("a call's number is none")
    same = next((key for key, call in calls.items() if name and call.get("id") == name), None)
    last = next(reversed(calls), None)
    if same is not None or last is None:
        return str(same or 0)
    begins = bool((piece.get("function") or {}).get("name"))
    said = calls[last]["function"].get("arguments")
    whole = not isinstance(said, str) or parsed(said) is not None
    return f"{last} and one" if begins and whole else str(last)


def _add_function(function: dict[str, Any], piece: Mapping[str, object]) -> None:
    for key, value in piece.items():
        if value is None:
            continue
        both_text = isinstance(value, str) and isinstance(function.get(key), str)
        repeated = key == "name" and function.get(key) == value
        function[key] = function[key] + value if both_text and not repeated else value
