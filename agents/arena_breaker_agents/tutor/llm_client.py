"""`LLMClient`: whatever a tutor asks: one question in, one tool call out, with what it cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from arena_breaker_gym.deprecated import warn

# Why a reply ended.
CALLED, SPOKE, CUT, REFUSED = "called", "spoke", "cut", "refused"
ENDINGS = (CALLED, SPOKE, CUT, REFUSED)

# Where servers put their words, the most telling first.
_WORDS = ("message", "msg", "detail", "error_description", "error", "errors", "reason", "title")


@dataclass(frozen=True, kw_only=True)
class Tool:
    """The tool that a client answers with.

    Attributes:
        name: Its name.
        description: What it does, for the client.
        schema: JSON schema of its input, within what strict tools allow: every property
            required, `additionalProperties` false, no ranges.
    """

    name: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One question, the same to every client.

    Attributes:
        ident: Unique in a run, letters, digits, "-" and "_", at most 64: one for each request.
        system: The rules and the geometry: constant over a run, so that it is cached.
        tool: What must be called.
        earlier: What was seen and answered before, oldest first; grows at its end, so that
            it can be cached, too, and is cut at its beginning now and then.
        now: What is to be answered.
        correction: What was wrong with the last answer to the same; "" at first.
        max_tokens: Most tokens of the answer, thinking included.
    """

    ident: str
    system: str
    tool: Tool
    earlier: Sequence[str] = ()
    now: str
    correction: str = ""
    max_tokens: int


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one reply, each of which stands in one place only.

    Attributes:
        input: Read without the cache.
        cache_write_5m: Read and kept for five minutes.
        cache_write_1h: Read and kept for an hour.
        cache_read: Found in the cache.
        output: Written, thinking included.
        batch: Whether the reply came in a batch, for half the price.
    """

    input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    output: int = 0
    batch: bool = False


@dataclass(frozen=True, kw_only=True)
class Response:
    """What a client said.

    Attributes:
        ending: `CALLED` (it called the tool), `SPOKE` (it did not), `CUT` (it ran out of
            tokens) or `REFUSED`.
        call: The tool's input as it was given, unchecked; None without a call.
        said: Text beside the call.
        thought: Its reasoning, where it shows some.
        usage: Tokens.
        request_id: The provider's name for the request, to ask its support about.
        model: The model that answered, as the provider says.
    """

    ending: str
    call: object = None
    said: str = ""
    thought: str = ""
    usage: Usage = field(default_factory=Usage)
    request_id: str | None = None
    model: str = ""


class LLMError(Exception):
    """No reply can be had, after all retries.

    Attributes:
        reason: One sentence.
        fatal: Whether no other question would fare better, as with a key that is refused.
    """

    def __init__(self, reason: str, *, fatal: bool = False) -> None:
        """Says why.

        Args:
            reason: One sentence that names the provider's answer.
            fatal: As in this class.
        """
        super().__init__(reason)
        self.reason = reason
        self.fatal = fatal


class LLMClient(Protocol):
    """Asks one provider's model."""

    @property
    def model(self) -> str:
        """The model's name, as prices and transcripts know it."""

    @property
    def options(self) -> Mapping[str, object]:
        """What else changes its answers, such as its effort; {} where nothing was set."""

    async def complete(self, request: Request) -> Response:
        """Ask and wait for the reply; may be called many times at once.

        Raises:
            LLMError: If none can be had.
        """

    async def close(self) -> None:
        """Let go of connections."""


def completion(client: LLMClient) -> Callable[[Request], Awaitable[Response]]:
    """A client's `complete`; `ask`, its old name, works for one release.

    Args:
        client: Any client.
    """
    old: Callable[[Request], Awaitable[Response]] | None = getattr(client, "ask", None)
    if old is None or hasattr(client, "complete"):
        return client.complete
    warn(f"{type(client).__name__}.ask", "complete")
    return old


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an error's body says.

    Attributes:
        message: Its words; "" where it has none.
        kind: Its type, such as "invalid_request_error"; "" where it has none.
        code: Its code as text; "" where it has none.
    """

    message: str = ""
    kind: str = ""
    code: str = ""

    @property
    def status(self) -> int | None:
        """The HTTP status that the code names, if it names an error's."""
        known = self.code.isascii() and self.code.isdigit() and 400 <= int(self.code) < 600
        return int(self.code) if known else None


class ErrorInside(ValueError):  # noqa: N818 - it names what was found, not a fault in code
    """An answer that claims success and reports an error."""

    def __init__(self, told: Told) -> None:
        """Keeps what was told."""
        super().__init__(told.message)
        self.told = told


class DamagedAnswer(ValueError):  # noqa: N818 - as above
    """An answer that cannot be read; its text is how it begins."""


def check_no_error(body: object) -> None:
    """Checks a body in which no reply was found.

    Raises:
        ErrorInside: If it says why.
    """
    told = told_by(body)
    if told.message:
        raise ErrorInside(told)


def told_by(body: object) -> Told:
    """What an error's body says; nothing, if it is in no form that says anything.

    Args:
        body: As the API's client has it: parsed JSON, or text that was none.
    """
    if isinstance(body, list) and body:  # Google's servers put the one error in a list
        return told_by(body[0])
    if isinstance(body, str):
        return Told(message="" if body.lstrip().startswith("<") else body)
    if not isinstance(body, Mapping):
        return Told()
    inner = body.get("error") or body
    if not isinstance(inner, Mapping):
        inner = {**body, "message": inner}
    return Told(
        message=_message(inner),
        kind=_word(inner.get("type")),
        code=_word(inner.get("code") or inner.get("status_code")),
    )


def _message(told: Mapping[str, object]) -> str:
    words = next((words for key in _WORDS if (words := _words(told.get(key)))), "")
    metadata = told.get("metadata")  # a router's: what the provider behind it said
    raw = _words(metadata.get("raw")) if isinstance(metadata, Mapping) else ""
    about = raw or _words(told.get("param"))  # the part of the question that is meant
    return f"{words.rstrip('.')} ({about})".strip() if about and about not in words else words


def _words(value: object) -> str:
    """Words in one string, those of a checker that names places included."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        place = value.get("loc")
        listed = isinstance(place, Sequence) and not isinstance(place, str)
        where = ".".join(map(str, place)) if listed and place else ""
        return ": ".join(filter(None, (where, _message(value))))
    if isinstance(value, list):
        return "; ".join(filter(None, map(_words, value)))
    return ""


def _word(value: object) -> str:
    plain = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value) if plain else ""
