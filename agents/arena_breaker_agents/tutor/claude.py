"""`ClaudeClient`: asks Claude through the Anthropic API, one call a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import anthropic
from pydantic import BaseModel, NonNegativeInt

from arena_breaker_agents.tutor.claude_doors import DIRECT, AnyClient, connected, door_of, key_of
from arena_breaker_agents.tutor.endpoint import (
    PATIENCE_S,
    ApiError,
    ClientErrors,
    Endpoint,
    plain_connection,
)
from arena_breaker_agents.tutor.llm_client import (
    CALLED,
    CUT,
    REFUSED,
    SPOKE,
    LLMError,
    Request,
    Response,
    Usage,
    check_no_error,
)
from arena_breaker_gym._runtime.plain import plain_int
from arena_breaker_gym._runtime.stored import without_surrogates

# Endings that come before the question whether the tool was called.
_ENDINGS: Mapping[str, str] = MappingProxyType(
    {"refusal": REFUSED, "max_tokens": CUT, "model_context_window_exceeded": CUT}
)

ADAPTIVE = "adaptive"
ADAPTIVE_TOKENS = 4096  # what a model may think at most that decides so itself
LEAST_BUDGET = 1024  # the API's

# Statuses by which parts of a question are refused, by this API and those who pass it on.
_REFUSALS = frozenset({400, 422})
_ERRORS = ClientErrors(
    any=anthropic.AnthropicError,
    status=anthropic.APIStatusError,
    connection=anthropic.APIConnectionError,
    timeout=anthropic.APITimeoutError,
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
        ErrorInside: If it reports an error instead.
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


class ClaudeClient:
    """One Claude model; the key is read from ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN.

    A model that does not think is made to call the tool. One that thinks cannot be made to, so
    it is free to; and of a model that always thinks the API's refusal to force it is
    understood, once, without being told.
    """

    def __init__(
        self,
        model: str = "claude-opus-4-8",
        *,
        effort: str | None = None,
        thinking: str | int | None = None,
        cache_ttl: str | None = None,
        max_retries: int = 6,
        timeout: float = 60.0,
        patience: float = PATIENCE_S,
        provider: str = DIRECT,
        client: AnyClient | None = None,
    ) -> None:
        """Prepares a client; nothing is asked yet.

        Args:
            model: Which Claude.
            effort: How hard it tries: low, medium, high, xhigh or max, where the model knows
                them; None: its own.
            thinking: "adaptive"; a budget of at least 1,024 tokens, for models up to
                claude-opus-4-6; None: the model's own.
            cache_ttl: How long the API keeps what questions begin with, "5m" or "1h"; None: as
                is best, five minutes, or an hour in batches.
            max_retries: How often the client asks again.
            timeout: Seconds that it waits for one answer.
            patience: Seconds that a question may take, retries included.
            provider: Which service to ask: "anthropic"; "bedrock" or "vertex", whose keys and
                regions are where Amazon's and Google's own tools look for them.
            client: A client of your own, with its own key, timeout and retries.

        Raises:
            MissingKeyError: If there is no key.
            ValueError: If a value is not allowed.
        """
        thinking = _plain_thinking(thinking)
        max_retries, timeout, patience = plain_connection(
            max_retries=max_retries, timeout=timeout, patience=patience
        )
        if cache_ttl not in (None, "5m", "1h"):
            raise ValueError(f'cache_ttl must be "5m" or "1h", got {cache_ttl!r}.')
        self._model = model
        self._effort = effort
        self._thinking = thinking
        self._cache_ttl = cache_ttl
        self._forced = thinking is None
        self._strict = True
        door = door_of(provider)
        self.client = client or connected(
            door, max_retries=max_retries, timeout=timeout, patience=patience
        )
        self.endpoint = Endpoint(
            name=door.name,
            url=str(self.client.base_url),
            model=model,
            key_name=door.key_name,
            errors=_ERRORS,
            patience=patience,
            key=key_of(self.client),
        )

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model

    @property
    def options(self) -> Mapping[str, Any]:
        """Effort and thinking, where they were set."""
        options = {"effort": self._effort, "thinking": self._thinking}
        return {name: value for name, value in options.items() if value is not None}

    @property
    def thinking_tokens(self) -> int:
        """Tokens that it may think, beyond those of the answer."""
        if isinstance(self._thinking, int):
            return self._thinking
        return 0 if self._forced else ADAPTIVE_TOKENS

    async def complete(self, request: Request) -> Response:
        """Asks and waits for the reply.

        Raises:
            LLMError: If none can be had.
        """
        while True:
            params = self.params(request)
            try:
                return await self._asked(params, request.tool.name)
            except ApiError as error:
                if not (error.status in _REFUSALS and self.lets_go(params, error.message)):
                    raise

    async def close(self) -> None:
        """Lets go of connections."""
        await self.client.close()

    def params(self, request: Request, *, cache_ttl: str = "5m") -> dict[str, Any]:
        """What the API is sent.

        Args:
            request: What is asked.
            cache_ttl: How long its beginning is kept, unless this client was told otherwise.
        """
        tool = request.tool
        strict = {"strict": True} if self._strict else {}
        kept = {"cache_control": {"type": "ephemeral", "ttl": self._cache_ttl or cache_ttl}}
        texts = [_text(text) for text in request.earlier]
        if texts:
            texts[-1] |= kept
        now = "\n\n".join(filter(None, (request.now, request.correction)))
        return {
            "model": self._model,
            "max_tokens": request.max_tokens + self.thinking_tokens,
            "system": [_text(request.system) | kept],
            "tools": [
                {
                    "name": tool.name,
                    "description": tool.description,
                    "input_schema": dict(tool.schema),
                    **strict,
                }
            ],
            "tool_choice": self._choice(tool.name),
            "messages": [{"role": "user", "content": [*texts, _text(now)]}],
            **self._thoughts(),
        }

    def lets_go(self, params: Mapping[str, Any], message: str) -> bool:
        """Whether a refusal was for forcing the tool, or for its being strict.

        Then neither is asked for again: a model may not let itself be forced, and those who pass
        questions on may know no strict tools.

        Args:
            params: What was refused.
            message: The API's words.
        """
        if params["tool_choice"]["type"] == "tool" and "tool_choice" in message:
            self._forced = False
            return True
        if "strict" in params["tools"][0] and "strict" in message:
            self._strict = False
            return True
        return False

    async def _asked(self, params: dict[str, Any], tool: str) -> Response:
        return await self.endpoint.call(
            lambda: self._sent(params),
            lambda response: reply_from(
                response.http_response.json(),
                tool=tool,
                request_id=response.headers.get("request-id"),
            ),
        )

    async def _sent(self, params: dict[str, Any]) -> Any:
        try:
            return await self.client.messages.with_raw_response.create(**params)
        except anthropic.AnthropicError:
            raise
        except Exception as error:
            if isinstance(self.client, anthropic.AsyncAnthropic):
                raise
            # Amazon's and Google's libraries raise what they like where there is no account.
            what = self.endpoint.quoted(f"{type(error).__name__}: {error}")
            failure = LLMError(f"{self.endpoint.name} could not be asked ({what}).", fatal=True)
        raise failure

    def _choice(self, tool: str) -> dict[str, Any]:
        choice = {"type": "tool", "name": tool} if self._forced else {"type": "auto"}
        return {**choice, "disable_parallel_tool_use": True}

    def _thoughts(self) -> dict[str, Any]:
        """What is said of thinking and effort, if anything is."""
        said: dict[str, Any] = {}
        if self._thinking == ADAPTIVE:
            said["thinking"] = {"type": "adaptive", "display": "summarized"}
        elif self._thinking is not None:
            said["thinking"] = {"type": "enabled", "budget_tokens": self._thinking}
        if self._effort is not None:
            said["output_config"] = {"effort": self._effort}
        return said


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _plain_thinking(thinking: Any) -> Any:
    if thinking is None or thinking == ADAPTIVE:
        return thinking
    try:
        return plain_int("thinking", thinking, least=LEAST_BUDGET)
    except ValueError:
        raise ValueError(
            f'thinking must be "{ADAPTIVE}" or at least {LEAST_BUDGET} tokens, got {thinking!r}.'
        ) from None
