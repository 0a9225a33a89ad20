"""`reply_from`: what a mind makes of a chat completion in OpenAI's form, strict or loose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, NonNegativeInt

from agents.tutor.mind import CALLED, CUT, REFUSED, SPOKE, Reply, Usage
from agents.tutor.surrogates import without_surrogates


class _Cached(BaseModel):
    cached_tokens: NonNegativeInt | None = None


class _Usage(BaseModel):
    prompt_tokens: NonNegativeInt = 0
    completion_tokens: NonNegativeInt | None = None
    prompt_tokens_details: _Cached | None = None

    def read(self) -> Usage:
        details = self.prompt_tokens_details
        cached = min((details and details.cached_tokens) or 0, self.prompt_tokens)
        return Usage(
            input=self.prompt_tokens - cached,
            cache_read=cached,
            output=self.completion_tokens or 0,
        )


class _Function(BaseModel):
    name: str | None = None
    arguments: Any = None  # JSON in a string; some servers give the object itself


class _Call(BaseModel):
    function: _Function


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    reasoning_content: str | None = None  # vLLM, llama.cpp
    reasoning: str | None = None  # newer vLLM, Ollama


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


def reply_from(completion: object, *, tool: str, request_id: str | None) -> Reply:
    """Reads a chat completion.

    Args:
        completion: The API's JSON.
        tool: Name of the tool that was to be called.
        request_id: The API's name for the request; None: the completion's own name.

    Raises:
        ValueError: If it is no chat completion, as when a proxy damaged it.
    """
    read = _Completion.model_validate(without_surrogates(completion))
    choice = read.choices[0]
    message = choice.message
    call, said = _call_in(message, tool)
    return Reply(
        ending=_ending(choice, called=call is not None),
        call=call,
        said=said,
        thought=message.reasoning_content or message.reasoning or "",
        usage=Usage() if read.usage is None else read.usage.read(),
        request_id=request_id or read.id,
        model=read.model or "",
    )


def _ending(choice: _Choice, *, called: bool) -> str:
    if choice.finish_reason == "length":
        return CUT
    if choice.finish_reason == "content_filter" or choice.message.refusal:
        return REFUSED
    return CALLED if called else SPOKE


def _call_in(message: _Message, tool: str) -> tuple[Any, str]:
    """What the tool was called with, or None, and what was said beside it."""
    content = message.content or message.refusal or ""
    calls = [call.function for call in message.tool_calls or ()]
    if not calls:
        spoken = _spoken_call(content, tool)
        return spoken, content if spoken is None else ""
    if len(calls) == 1 and calls[0].name == tool:
        arguments = calls[0].arguments
        call = _parsed(arguments) if isinstance(arguments, str) else arguments
        if call is not None:
            return call, content
    told = " and ".join(f"{call.name}({call.arguments})" for call in calls)
    return None, "\n".join(filter(None, (content, f"(Called {told}.)")))


def _spoken_call(content: str, tool: str) -> Any:
    """A call that a server did not recognise in what its model wrote; None if it is none."""
    text = content.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text.strip("`").removeprefix("json")
    call = _parsed(text)
    if not isinstance(call, Mapping):
        return None
    for inner in ("arguments", "parameters"):  # as most models are taught to write calls
        if call.keys() == {"name", inner} and call["name"] == tool:
            return call[inner]
    return call


def _parsed(text: str) -> Any:
    """JSON; None if it is none."""
    try:
        return without_surrogates(json.loads(text))
    except (ValueError, RecursionError):
        return None
