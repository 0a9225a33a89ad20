"""`ClaudeClient`: asks Claude through the Anthropic API, one call a question.

Its doors are Anthropic's own API, Amazon Bedrock and Google Vertex AI: each is the `anthropic`
SDK's own client, which finds keys and regions where the provider's tools do; here stands only what
is missing where, in a sentence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal

import anthropic
from pydantic import BaseModel, NonNegativeInt

from arena_breaker_agents.tutor.endpoint import (
    PATIENCE_S,
    ApiError,
    ClientErrors,
    Endpoint,
    MissingKeyError,
    checked_url,
    no_longer_than,
    plain_connection,
    read_key,
    way_prepared,
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
from arena_breaker_gym.settings import closest

AnyClient = (
    anthropic.AsyncAnthropic | anthropic.AsyncAnthropicBedrock | anthropic.AsyncAnthropicVertex
)

DIRECT = "anthropic"
KEY_NAME = "ANTHROPIC_API_KEY"
TOKEN_NAME = "ANTHROPIC_AUTH_TOKEN"  # nosec B105  # a variable's name
URL_NAME = "ANTHROPIC_BASE_URL"
DEFAULT_URL = "https://api.anthropic.com"

_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_PROJECTS = ("ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")


@dataclass(frozen=True, kw_only=True)
class Door:
    """One way to Claude.

    Attributes:
        name: As sentences call it.
        key_name: What to check where a key is refused.
        client: Makes the client, of what all of them take.
    """

    name: str
    key_name: str
    client: Callable[..., AnyClient]


def door_of(provider: str) -> Door:
    """A door by its provider's name.

    Raises:
        ValueError: If there is no such provider.
    """
    if provider not in _DOORS:
        raise ValueError(f"There is no provider {provider!r}; {closest(provider, _DOORS)}.")
    return _DOORS[provider]


def connected(door: Door, *, max_retries: int, timeout: float, patience: float) -> AnyClient:
    """A client; nothing is asked yet.

    Args:
        door: Through which door.
        max_retries: How often the client asks again.
        timeout: Seconds that it waits for one answer.
        patience: Seconds that it waits at most before it asks again.

    Raises:
        MissingKeyError: If there is no key.
        ValueError: If a region, a package or an address is missing or bad.
    """
    with way_prepared(door.name):
        hooks = {"response": [no_longer_than(patience)]}
        http_client = anthropic.DefaultAsyncHttpxClient(event_hooks=hooks)
    return door.client(max_retries=max_retries, timeout=timeout, http_client=http_client)


def key_of(client: AnyClient) -> str | None:
    """What must not be said: the client's key or token, where it holds one itself."""
    held = (getattr(client, name, None) for name in ("api_key", "auth_token", "access_token"))
    return next((key for key in held if key), None)


def _direct(**options: Any) -> anthropic.AsyncAnthropic:
    key = read_key(KEY_NAME, "the Anthropic API")
    token = None if key else read_key(TOKEN_NAME, "the Anthropic API")
    if key is None and token is None:
        raise MissingKeyError(
            f"Set {KEY_NAME} to a key of the Anthropic API (platform.claude.com, API keys) "
            f"to let Claude play, or {TOKEN_NAME} to a token of a gateway."
        )
    url = os.environ.get(URL_NAME, "").strip()
    client = anthropic.AsyncAnthropic(
        api_key=key or "",
        base_url=checked_url(url, URL_NAME) if url else DEFAULT_URL,
        **options,
    )
    # Set here, so that the client does not look for the other one by itself.
    client.api_key, client.auth_token = key, token
    return client


def _bedrock(**options: Any) -> anthropic.AsyncAnthropicBedrock:
    region = next((region for name in _REGIONS if (region := _said(name))), None)
    if not _installed("boto3"):
        if not _said("AWS_BEARER_TOKEN_BEDROCK"):
            raise ValueError(_missing("Amazon Bedrock", "boto3", "bedrock"))
        if region is None:
            raise ValueError(f"Set {_REGIONS[0]} to the region in which Bedrock is to be asked.")
    return anthropic.AsyncAnthropicBedrock(aws_region=region, **options)


def _vertex(**options: Any) -> anthropic.AsyncAnthropicVertex:
    if not _said("CLOUD_ML_REGION"):
        raise ValueError("Set CLOUD_ML_REGION to the region in which Vertex AI is to be asked.")
    if not _installed("google.auth"):
        raise ValueError(_missing("Vertex AI", "google-auth", "vertex"))
    project = next((named for name in _PROJECTS if (named := _said(name))), None)
    return anthropic.AsyncAnthropicVertex(project_id=project or _account_project(), **options)


def _account_project() -> str:
    """The project of the account that Google's library finds; its client asks before it looks.

    Raises:
        ValueError: If there is no account, or none with a project.
    """
    try:
        _, project = import_module("google.auth").default()
    except Exception as error:  # Google's library raises what it likes where there is no account
        said = " ".join(str(error).split()).rstrip(".")
        raise ValueError(f"Vertex AI cannot be asked ({said}).") from None
    if not project:
        raise ValueError(f"Set {_PROJECTS[0]} to the project in which Vertex AI is to be asked.")
    return str(project)


def _said(name: str) -> str:
    return os.environ.get(name, "").strip()


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing too
        return False


def _missing(name: str, package: str, extra: str) -> str:
    return f'{name} is asked with {package}, which is missing: pip install "anthropic[{extra}]".'


_DOORS: Mapping[str, Door] = MappingProxyType(
    {
        DIRECT: Door(name="The Anthropic API", key_name=KEY_NAME, client=_direct),
        "bedrock": Door(
            name="Amazon Bedrock", key_name="the keys that boto3 finds", client=_bedrock
        ),
        "vertex": Door(
            name="Vertex AI", key_name="the account that google-auth finds", client=_vertex
        ),
    }
)


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
    input: object = None


class _Message(BaseModel):
    type: Literal["message"]
    id: str
    model: str
    content: list[_Block]
    stop_reason: str | None
    stop_details: dict[str, object] | None = None
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
    def options(self) -> Mapping[str, object]:
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

    async def _asked(self, params: dict[str, object], tool: str) -> Response:
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

    def _choice(self, tool: str) -> dict[str, object]:
        choice = {"type": "tool", "name": tool} if self._forced else {"type": "auto"}
        return {**choice, "disable_parallel_tool_use": True}

    def _thoughts(self) -> dict[str, object]:
        """What is said of thinking and effort, if anything is."""
        said: dict[str, object] = {}
        if self._thinking == ADAPTIVE:
            said["thinking"] = {"type": "adaptive", "display": "summarized"}
        elif self._thinking is not None:
            said["thinking"] = {"type": "enabled", "budget_tokens": self._thinking}
        if self._effort is not None:
            said["output_config"] = {"effort": self._effort}
        return said


def _text(text: str) -> dict[str, object]:
    return {"type": "text", "text": text}


def _plain_thinking(thinking: object) -> Any:
    if thinking is None or thinking == ADAPTIVE:
        return thinking
    try:
        return plain_int("thinking", thinking, least=LEAST_BUDGET)
    except ValueError:
        raise ValueError(
            f'thinking must be "{ADAPTIVE}" or at least {LEAST_BUDGET} tokens, got {thinking!r}.'
        ) from None
