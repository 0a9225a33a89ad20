"""`OpenAIClient`: asks any server that speaks OpenAI's chat completions, such as your own.

Servers that speak OpenAI's API leave out parts of it, each others, and say so only when they
are asked. What a refusal names is put more simply, or left out, and never tried again.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import openai

from arena_breaker_agents.tutor.chat_reply import completion_in, reply_from
from arena_breaker_agents.tutor.endpoint import (
    PATIENCE_S,
    ApiError,
    ClientErrors,
    Endpoint,
    MissingKeyError,
    checked_url,
    no_longer_than,
    place_of,
    plain_connection,
    read_key,
    way_prepared,
)
from arena_breaker_agents.tutor.llm_client import (
    SPOKE,
    DamagedAnswer,
    ErrorInside,
    Request,
    Response,
    Tool,
)

NAMED, REQUIRED = "named", "required"
OLD_LENGTH, NEW_LENGTH = "max_tokens", "max_completion_tokens"

# What a refusal may name, in the order in which it is looked for: of a longer name first.
_NAMES: Mapping[str, re.Pattern[str]] = {
    "usage": re.compile(r"stream_options|include_usage", re.I),
    "strict": re.compile(r"\bstrict\b|additional_?properties|min_?items|schema", re.I),
    "choices": re.compile(r"tool[ _-]?choice|parallel_tool|forced? (a )?(tool|function)", re.I),
    "lengths": re.compile(r"max[ _-]?(completion_|new_|output_)?tokens", re.I),
    "stream": re.compile(
        r"\bstream(ing)?\b.{0,40}(only|must|true|requir|support|enable)"
        r"|(only|must|requir|support|enable).{0,40}\bstream",
        re.I,
    ),
    "system": re.compile(
        r"\bsystem (role|message|prompt|instruction)|role.{0,30}\bsystem\b|['\"]system['\"]"
        r"|roles? must alternate|developer instruction",
        re.I,
    ),
    "tools": re.compile(r"\btools?\b|\bfunctions?\b|function[ _-]call", re.I),
}

KEY_NAME = "OPENAI_API_KEY"
URL_NAME = "OPENAI_BASE_URL"
DEFAULT_URL = "https://api.openai.com/v1"
NO_KEY = "none"  # servers of your own want none, the client wants one
MISCALLED = "tool_use_failed"  # Groq's: the model's answer was no call, which it need not stay
UNBOUND_TOKENS = 16_384  # of an answer that no server could be told to keep short; our guess

# Statuses by which servers refuse parts of a question; 200 is an error inside a good answer.
_REFUSALS = frozenset({200, 400, 404, 405, 415, 422, 500, 501})
_OF_FORM = frozenset({400, 422})  # those that are about the question, said without a word
_REFUSED = re.compile(r"support|requir|unknown|unrecogni|invalid|allow|must|enable|expect", re.I)
_LEAST_NEEDED = ("strict", "choices", "tools")  # where a refusal names nothing at all
_NAMELESS = re.compile(
    r"\W*((bad|invalid|malformed|unsupported|unknown|unprocessable)\W+"
    r"(request|parameter|argument|value|field|entity|content|input)s?\W*)?"
    r"(error)?\W*",
    re.I,
)
_LOG = logging.getLogger(__name__)

_ERRORS = ClientErrors(
    any=openai.OpenAIError,
    status=openai.APIStatusError,
    connection=openai.APIConnectionError,
    timeout=openai.APITimeoutError,
)


@dataclass(frozen=True, kw_only=True)
class ChatForm:
    """What is sent.

    Attributes:
        choices: How the tool is forced, the first of these ways; none: it is not.
        strict: Whether arguments are held to the schema, which some servers cannot do.
        lengths: What the most tokens are called, the first of these names; none: not said.
        tools: Whether there is a tool; without one it is told in words.
        system: Whether the rules come as a system's message; else before the request.
        stream: Whether the answer is to come as a stream.
        usage: Whether a stream is to tell its tokens.
    """

    choices: tuple[str, ...] = (NAMED, REQUIRED)
    strict: bool = True
    lengths: tuple[str, ...] = (OLD_LENGTH, NEW_LENGTH)
    tools: bool = True
    system: bool = True
    stream: bool = False
    usage: bool = True

    def without(self, refusal: str) -> ChatForm | None:
        """The next simpler form; None if a refusal names nothing that could be left out.

        Args:
            refusal: The server's words.
        """
        named = [name for name, pattern in _NAMES.items() if pattern.search(refusal)]
        if _NAMELESS.fullmatch(refusal):
            named = [*_LEAST_NEEDED]
        simpler = map(self._simpler, named)
        return next((form for form in simpler if form is not None), None)

    def _simpler(self, name: str) -> ChatForm | None:
        if name in ("choices", "strict") and not self.tools:
            return None
        if name == "stream":
            return None if self.stream else replace(self, stream=True)
        if name == "usage":
            return replace(self, usage=False) if self.stream and self.usage else None
        value = getattr(self, name)
        if not value:
            return None
        less: Any = {name: value[1:] if isinstance(value, tuple) else False}
        return replace(self, **less)

    def params(self, model: str, request: Request) -> dict[str, Any]:
        """What the API is sent.

        Args:
            model: The model to ask.
            request: What is asked.
        """
        texts = [*request.earlier, request.now, request.correction]
        rules = request.system if self.tools else f"{request.system}\n\n{_words(request.tool)}"
        system = [{"role": "system", "content": rules}] if self.system else []
        if not self.system:
            texts.insert(0, rules)
        # Some chat templates of local models take nothing but plain text.
        user = {"role": "user", "content": "\n\n".join(filter(None, texts))}
        params: dict[str, object] = {"model": model, "messages": [*system, user]}
        if self.lengths:
            params[self.lengths[0]] = request.max_tokens
        if self.stream:
            params["stream"] = True
            params |= {"stream_options": {"include_usage": True}} if self.usage else {}
        return params | (self._tool(request.tool) if self.tools else {})

    def _tool(self, tool: Tool) -> dict[str, object]:
        function: dict[str, object] = {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.schema) if self.strict else _open(tool.schema),
        }
        if self.strict:
            function["strict"] = True
        said: dict[str, object] = {"tools": [{"type": "function", "function": function}]}
        if self.choices:
            named = {"type": "function", "function": {"name": tool.name}}
            said["tool_choice"] = named if self.choices[0] == NAMED else REQUIRED
        return said

    def told(self, simpler: ChatForm) -> str:
        """What a simpler form leaves out or puts otherwise, in a few words."""
        changed = (name for name in _LEFT_OUT if getattr(self, name) != getattr(simpler, name))
        return " and ".join(_LEFT_OUT[name] for name in changed)


_LEFT_OUT = {
    "choices": "a tool that is forced so",
    "strict": "strict tools",
    "lengths": "the most tokens under that name",
    "tools": "tools",
    "system": "a system's message",
    "stream": "questions without a stream",
    "usage": "a stream that tells its tokens",
}


_STRICT = ("additionalProperties", "minItems")


def _open(schema: object) -> object:
    """A schema without the words that strict tools want and others may not know."""
    if isinstance(schema, Mapping):
        return {key: _open(value) for key, value in schema.items() if key not in _STRICT}
    return [_open(value) for value in schema] if isinstance(schema, list) else schema


def _words(tool: Tool) -> str:
    """A tool in words, for a server that knows none."""
    return (
        f"You have no tools here. Instead of calling {tool.name} ({tool.description}), answer with "
        f"its input alone: one JSON object by this schema, without any other word.\n"
        f"{json.dumps(tool.schema)}"
    )


class OpenAIClient:
    """One model behind an OpenAI-compatible endpoint; a key is read from OPENAI_API_KEY."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        max_retries: int = 6,
        timeout: float = 60.0,
        patience: float = PATIENCE_S,
        client: openai.AsyncOpenAI | None = None,
    ) -> None:
        """Prepares a client; nothing is asked yet.

        Args:
            model: Which model, as the endpoint knows it.
            base_url: The endpoint, such as "http://127.0.0.1:8000/v1"; None: what
                OPENAI_BASE_URL says, or else OpenAI's own.
            max_retries: How often the client asks again.
            timeout: Seconds that it waits for one answer.
            patience: Seconds that a question may take, retries included.
            client: A client of your own, with its own key, endpoint, timeout and retries.

        Raises:
            MissingKeyError: If OPENAI_API_KEY is not set and the endpoint is OpenAI's own.
            ValueError: If a value is not allowed.
        """
        max_retries, timeout, patience = plain_connection(
            max_retries=max_retries, timeout=timeout, patience=patience
        )
        self._model = model
        self.client = client or _connected(
            base_url, max_retries=max_retries, timeout=timeout, patience=patience
        )
        url = str(self.client.base_url)
        at_openai = _is_openai(url)
        # OpenAI's newer models refuse the old name, servers of your own may not know the new.
        lengths = (NEW_LENGTH, OLD_LENGTH) if at_openai else (OLD_LENGTH, NEW_LENGTH)
        self._form = ChatForm(lengths=lengths)
        self.endpoint = Endpoint(
            name="The OpenAI API" if at_openai else f"The API at {place_of(url)}",
            url=url,
            model=model,
            key_name=KEY_NAME,
            errors=_ERRORS,
            patience=patience,
            key=None if self.client.api_key == NO_KEY else self.client.api_key,
        )

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model

    @property
    def options(self) -> Mapping[str, object]:
        """None."""
        return {}

    @property
    def thinking_tokens(self) -> int:
        """Tokens that an answer may have beyond those it was asked to have at most."""
        return 0 if self._form.lengths else UNBOUND_TOKENS

    async def complete(self, request: Request) -> Response:
        """Asks and waits for the reply; what the server refuses is left out from then on.

        Raises:
            LLMError: If none can be had.
        """
        while True:
            form = self._form
            try:
                return await self._asked(form, request)
            except ApiError as error:
                if error.code == MISCALLED:
                    return Response(ending=SPOKE, said=error.message)
                if not self._simplified(form, error):
                    raise

    async def close(self) -> None:
        """Lets go of connections."""
        await self.client.close()

    def params(self, request: Request) -> dict[str, Any]:
        """What the API is sent.

        Args:
            request: What is asked.
        """
        return self._form.params(self._model, request)

    async def _asked(self, form: ChatForm, request: Request) -> Response:
        params = form.params(self._model, request)
        tool = request.tool
        return await self.endpoint.call(
            lambda: self._sent(params),
            lambda answer: _read(*answer, tool),
        )

    async def _sent(self, params: dict[str, Any]) -> tuple[bytes, Mapping[str, str]]:
        """Sends a question and waits for the whole answer, which may come in pieces."""
        response = await self.client.chat.completions.with_raw_response.create(**params)
        try:
            return await response.http_response.aread(), response.headers
        except Exception:  # whichever HTTP library the client uses: the stream broke off
            return b"", response.headers

    def _simplified(self, form: ChatForm, error: ApiError) -> bool:
        """Whether the next try may be better: what was refused is left out, here or already."""
        if self._form != form:  # another question has found it out meanwhile
            return True
        refused = error.fatal or bool(_REFUSED.search(error.message))
        said = bool(error.message) or error.status in _OF_FORM
        worth = error.status in _REFUSALS and refused and said
        simpler = form.without(error.message) if worth else None
        if simpler is None:
            return False
        _LOG.warning(
            "%s does not take %s and is asked without from now on: %s.",
            self.endpoint.name,
            form.told(simpler),
            error.message or f"it answered {error.status} without a reason",
        )
        self._form = simpler
        return True


def _connected(
    base_url: str | None, *, max_retries: int, timeout: float, patience: float
) -> openai.AsyncOpenAI:
    name, url = ("base_url", base_url)
    if not url:
        name, url = URL_NAME, os.environ.get(URL_NAME, "").strip()
    url = checked_url(url, name) if url else DEFAULT_URL
    key = read_key(KEY_NAME, "the API")
    if key is None and _is_openai(url):
        raise MissingKeyError(
            f"Set {KEY_NAME} to a key of the OpenAI API, or name another server with base_url "
            f"or {URL_NAME}."
        )
    with way_prepared(f"The API at {place_of(url)}"):
        hooks = {"response": [no_longer_than(patience)]}
        return openai.AsyncOpenAI(
            api_key=key or NO_KEY,
            base_url=url,
            max_retries=max_retries,
            timeout=timeout,
            http_client=openai.DefaultAsyncHttpxClient(event_hooks=hooks),
        )


def _read(body: bytes, headers: Mapping[str, str], tool: Tool) -> Response:
    try:
        return reply_from(
            completion_in(body),
            tool=tool.name,
            request_id=headers.get("x-request-id"),
            keys=tool.schema.get("required", ()),
        )
    except ErrorInside:
        raise
    except (ValueError, RecursionError) as error:
        raise DamagedAnswer(body.decode("utf-8", "replace")) from error


def _is_openai(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "openai.com" or host.endswith(".openai.com")
