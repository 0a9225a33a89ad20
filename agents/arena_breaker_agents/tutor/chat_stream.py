"""`completion_in`: the JSON of a chat completion, also where it arrives as a stream of pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_PREFIXES = ("data:", "event:", "id:", "retry:", ":")  # how server-sent events may begin
_END = "[DONE]"


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


def _joined(pieces: list[Any]) -> Any:
    """One completion of all pieces; a piece that holds no part of one is it, being an error."""
    whole: dict[str, Any] = {}
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


def _add_function(function: dict[str, Any], piece: Mapping[str, Any]) -> None:
    for key, value in piece.items():
        if value is None:
            continue
        both_text = isinstance(value, str) and isinstance(function.get(key), str)
        repeated = key == "name" and function.get(key) == value
        function[key] = function[key] + value if both_text and not repeated else value
