"""`reply_from`: what a client makes of a message of the Anthropic API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, NonNegativeInt

from arena_breaker_agents.tutor.llm_client import CALLED, CUT, REFUSED, SPOKE, Response, Usage
from arena_breaker_agents.tutor.refusal import check_no_error
from arena_breaker_gym._runtime.stored import without_surrogates

# Endings that come before the question whether the tool was called.
_ENDINGS: Mapping[str, str] = MappingProxyType(
    {"refusal": REFUSED, "max_tokens": CUT, "model_context_window_exceeded": CUT}
)


class _Kept(BaseModel):
    ephemeral_5m_input_tokens: NonNegativeInt = 0
    ephemeral_1h_input_tokens: NonNegativeInt = 0


class _Usage(BaseModel):
    input_tokens: NonNegativeInt
    output_tokens: NonNegativeInt
    cache_creation_input_tokens: NonNegativeInt | None = None
    cache_read_input_tokens: NonNegativeInt | None = None
    cache_creation: _Kept | None = None
    service_tier: str | None = None

    def read(self) -> Usage:
        kept = self.cache_creation
        if kept is None:  # older servers do not say for how long
            kept = _Kept(ephemeral_5m_input_tokens=self.cache_creation_input_tokens or 0)
        return Usage(
            input=self.input_tokens,
            cache_write_5m=kept.ephemeral_5m_input_tokens,
            cache_write_1h=kept.ephemeral_1h_input_tokens,
            cache_read=self.cache_read_input_tokens or 0,
            output=self.output_tokens,
            batch=self.service_tier == "batch",
        )


class _Block(BaseModel):
    type: str
    text: str = ""
    thinking: str = ""
    name: str = ""
    input: Any = None


class _Message(BaseModel):
    type: Literal["message"]
    id: str
    model: str
    content: list[_Block]
    stop_reason: str | None
    stop_details: dict[str, Any] | None = None
    usage: _Usage


def reply_from(message: object, *, tool: str, request_id: str | None) -> Response:
    """Reads a message.

    Args:
        message: The API's JSON.
        tool: Name of the tool that was to be called.
        request_id: The API's name for the request; None: the message's own name.

    Raises:
        ErrorInside: If it tells of an error instead.
        ValueError: If it is no message, as when a proxy damaged it.
    """
    if not (isinstance(message, Mapping) and message.get("type") == "message"):
        check_no_error(without_surrogates(message))
    read = _Message.model_validate(without_surrogates(message))
    calls = _once([block for block in read.content if block.type == "tool_use"])
    called = len(calls) == 1 and calls[0].name == tool
    said = [block.text for block in read.content if block.type == "text"]
    if calls and not called:
        said.append(f"(Called {' and '.join(block.name for block in calls)}.)")
    if read.stop_reason == "refusal":
        said.append(str((read.stop_details or {}).get("explanation") or ""))
    return Response(
        ending=_ENDINGS.get(read.stop_reason or "", CALLED if called else SPOKE),
        call=calls[0].input if called else None,
        said=_joined(said),
        thought=_joined([block.thinking for block in read.content if block.type == "thinking"]),
        usage=read.usage.read(),
        request_id=request_id or read.id,
        model=read.model,
    )


def _once(calls: Sequence[_Block]) -> list[_Block]:
    """Calls, those that say the same counted once."""
    once: list[_Block] = []
    for call in calls:
        if not any((call.name, call.input) == (other.name, other.input) for other in once):
            once.append(call)
    return once


def _joined(texts: Sequence[str]) -> str:
    return "\n".join(filter(None, texts))
