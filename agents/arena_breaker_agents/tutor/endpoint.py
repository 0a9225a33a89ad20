"""`Endpoint`: a provider's API as clients call it: with patience, its errors put into sentences.

The providers' clients retry by themselves what may go better the next time. What is left to do
is the same for all of them: replies that arrived damaged are asked for again, no call takes
longer than its patience however long the API wants to be left alone, and whatever is raised
becomes an `LLMError` in which no key stands.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import anyio

from arena_breaker_agents.tutor.llm_client import (
    DamagedAnswer,
    ErrorInside,
    LLMError,
    Told,
    told_by,
)
from arena_breaker_gym._runtime.plain import plain_float, plain_int

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

PATIENCE_S = 600.0  # for one call, all retries included

_READINGS = 3  # how often a call is made whose reply arrives damaged
_PAUSE_S = 0.5  # before the second; twice as long before the third
_LONGEST = 300  # letters of an API's own words
_BEGINNING = 120  # letters of an answer that cannot be read
_LONG_WAIT_S = 60.0  # asked for by an API; from here on it is said

# A status between 400 and 499 that another try, or another question, may not get.
_PASSING = frozenset({408, 409, 425, 429, 499})

# What a status means, and what to do about it.
_MEANING: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        400: (
            "refused the question",
            "not every model takes every thinking, effort and length of answer",
        ),
        401: ("refused the key", "check {key_name}"),
        402: ("wants to be paid", "check the account's credit and payment details"),
        403: ("does not allow this", "check what the key in {key_name} may use"),
        404: ("knows nothing of that name", "check the model's name, {model}, and the base URL"),
        413: ("finds the question too large", "tell fewer earlier turns"),
        422: ("refused the question", "not every server takes every question"),
        429: ("has no room for more now", "lower the number of questions at once"),
    }
)

_Response = TypeVar("_Response")
_Read = TypeVar("_Read")


def through_proxy(url: str) -> str:
    """Words on the proxy through which an address is asked; "" where it is asked directly.

    The proxy itself is not repeated, since a password may stand in it.
    """
    parts = urlsplit(url)
    proxies = getproxies()
    scheme = next((name for name in (parts.scheme, "all") if name in proxies), None)
    if scheme is None or proxy_bypass(parts.netloc):
        return ""
    return f" through the proxy that {scheme.upper()}_PROXY names (NO_PROXY names exceptions)"


@contextmanager
def way_prepared(api: str) -> Iterator[None]:
    """Puts into a sentence what goes wrong while a client is made.

    Args:
        api: Whose, for the sentence.

    Raises:
        ValueError: If the environment names a proxy or certificates that cannot be used.
    """
    try:
        yield
    except (OSError, ImportError, ValueError) as error:
        # Nothing is quoted: a proxy's password may stand in what the client says.
        raise ValueError(f"{api} cannot be asked: {_reason(error)}.") from None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        named = [f"{name}={os.environ[name]}" for name in _CERTIFICATES if os.environ.get(name)]
        said = " or ".join(named) or "the certificates of this machine"
        return f"{said} cannot be read as certificates ({error.strerror or 'damaged'})"
    if isinstance(error, ImportError):
        return "a proxy of the kind SOCKS needs one more package: pip install socksio"
    named = [f"{scheme.upper()}_PROXY" for scheme in getproxies() if scheme != "no"]
    return f"{' or '.join(named) or 'the environment'} names no proxy that can be used"


def waited_by(headers: Mapping[str, str]) -> float | None:
    """Seconds that an API asks to wait; None if it asks for none.

    Args:
        headers: Those of its answer: `retry-after` is in seconds, or a date.
    """
    said = headers.get("retry-after", "").strip()
    thousandths = headers.get("retry-after-ms", "").strip()
    try:
        seconds = float(thousandths) / 1000.0 if thousandths else float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - time.time()
        except ValueError:
            return None
    return seconds if math.isfinite(seconds) and seconds > 0.0 else None


def no_longer_than(patience: float) -> Callable[[Any], Awaitable[None]]:
    """A hook on answers: the client gives up at once where it would wait beyond all patience.

    Args:
        patience: Seconds that a question may take.
    """

    async def hook(response: Any) -> None:
        wait = waited_by(response.headers)
        if wait is not None and wait > patience:
            response.headers["x-should-retry"] = "false"

    return hook


def in_words(seconds: float) -> str:
    """A time as people say it: "90 seconds", "2 hours"."""
    for unit, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2.0 * unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{math.ceil(seconds)} seconds"


@dataclass(frozen=True, kw_only=True)
class ClientErrors:
    """The classes that a provider's client raises.

    Attributes:
        any: What all of them derive from.
        status: The API answered with an error.
        connection: It did not answer.
        timeout: It did not answer in time; one of `connection`.
    """

    any: type[Exception]
    status: type[Exception]
    connection: type[Exception]
    timeout: type[Exception]


class ApiError(LLMError):
    """The API answered with an error.

    Attributes:
        status: Its HTTP status.
        message: Its own words; "" where it had none.
        code: Its own name for the error; "" where it had none.
    """

    def __init__(
        self, reason: str, *, fatal: bool, status: int, message: str, code: str = ""
    ) -> None:
        """Says why.

        Args:
            reason: One sentence.
            fatal: Whether no other question would fare better.
            status: As in this class.
            message: As in this class.
            code: As in this class.
        """
        super().__init__(reason, fatal=fatal)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One provider's API.

    Attributes:
        name: As sentences call it.
        url: Where it is.
        model: The model to ask there.
        key_name: The environment variable with the key.
        errors: What its client raises.
        patience: Seconds that one call may take.
        key: Never said.
    """

    name: str
    url: str
    model: str
    key_name: str
    errors: ClientErrors
    patience: float
    key: str | None = field(default=None, repr=False)

    async def call(
        self, send: Callable[[], Awaitable[_Response]], read: Callable[[_Response], _Read]
    ) -> _Read:
        """Calls the API and reads what it answers.

        Args:
            send: Makes the call through the provider's client, which retries by itself.
            read: Makes something of the answer; a ValueError means that it arrived damaged.

        Raises:
            LLMError: If no answer can be had.
        """
        with anyio.move_on_after(self.patience):
            return await self._read(send, read)
        raise LLMError(
            f"{self.name} gave no answer within {self.patience:g} seconds, retries included."
        )

    async def _read(
        self, send: Callable[[], Awaitable[_Response]], read: Callable[[_Response], _Read]
    ) -> _Read:
        failure = self._unreadable(ValueError())
        for reading in range(_READINGS):
            if reading:
                await anyio.sleep(_PAUSE_S * reading)
            response = await self._sent(send)
            try:
                return read(response)
            except ErrorInside as error:
                failure = self._refused(error.told, error.told.status or 200)
                if failure.fatal:
                    break
            except (ValueError, RecursionError) as error:  # no JSON, another one, or too deep
                failure = self._unreadable(error)
        raise failure

    def _unreadable(self, error: Exception) -> LLMError:
        begins = self.quoted(str(error)[:_BEGINNING]) if isinstance(error, DamagedAnswer) else ""
        told = f" (the last begins {begins!r})" if begins else ""
        return LLMError(f"{self.name} sent {_READINGS} answers that cannot be read{told}.")

    async def _sent(self, send: Callable[[], Awaitable[_Response]]) -> _Response:
        try:
            return await send()
        except self.errors.any as error:
            failure = self._failure(error)
        raise failure  # out here, so that nothing of the client's hangs on to it

    def _failure(self, error: Exception) -> LLMError:
        errors = self.errors
        if isinstance(error, errors.status):
            return self._api_error(error)
        if isinstance(error, errors.timeout):
            return LLMError(f"{self.name} did not answer in time, nor when asked again.")
        cause = error.__cause__ or error
        what = self.quoted(f"{type(cause).__name__}: {cause}")
        if isinstance(error, errors.connection):
            where = place_of(self.url) + through_proxy(self.url)
            return LLMError(f"{self.name} cannot be reached at {where} ({what}).")
        return LLMError(f"{self.name} could not be asked ({what}).")

    def _api_error(self, error: Any) -> ApiError:
        return self._refused(
            told_by(error.body),
            int(error.status_code),
            request=str(error.request_id or ""),
            wait=waited_by(error.response.headers),
        )

    def _refused(
        self, told: Told, status: int, *, request: str = "", wait: float | None = None
    ) -> ApiError:
        """What a refusal means: its status, its own words, and what to do."""
        message, kind = self.quoted(told.message), self.quoted(told.kind)
        about = [" ".join(filter(None, (str(status), kind)))]
        if request:
            about.append(f"request {self.quoted(request)}")
        fatal = 400 <= status < 500 and status not in _PASSING
        if "insufficient_quota" in (told.kind, told.code):  # a 429 that waiting does not cure
            fatal, status = True, 402
        what, advice = _MEANING.get(status, ("failed", "" if fatal else "try again later"))
        sentence = f"{self.name} {what} ({', '.join(about)})"
        sentence += f": {message}" if message else ""
        if wait is not None and wait >= _LONG_WAIT_S:
            advice = f"it wants to be left alone for {in_words(wait)}"
        advice = advice.format(key_name=self.key_name, model=self.model)
        reason = f"{sentence}; {advice}." if advice else f"{sentence}."
        return ApiError(reason, fatal=fatal, status=status, message=message, code=told.code)

    def quoted(self, text: str) -> str:
        """Another's words as part of a sentence: in one line, not long, and without the key.

        Args:
            text: What was said.
        """
        if self.key:
            text = text.replace(self.key, "…")
        text = " ".join(text.split()).rstrip(".")
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def checked_url(url: str, name: str) -> str:
    """An API's address.

    Args:
        url: As the user gave it.
        name: Where it was given, for the sentence.

    Raises:
        ValueError: If it is not a whole http address.
    """
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(f"{name} must be an address such as http://127.0.0.1:8000, got {url!r}.")
    return url


def place_of(url: str) -> str:
    """Host and port of an address, without anything else that may stand in it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def plain_connection(
    *, max_retries: int, timeout: float, patience: float
) -> tuple[int, float, float]:
    """What a client's connection is made with, checked and in plain numbers.

    Raises:
        ValueError: If a value is not allowed.
    """
    retries = plain_int("max_retries", max_retries, least=0)
    seconds = {"timeout": timeout, "patience": patience}
    plain = {name: plain_float(name, value) for name, value in seconds.items()}
    for name, value in plain.items():
        if not value > 0.0:
            raise ValueError(f"{name} must be above 0 seconds, got {value!r}.")
    return retries, plain["timeout"], plain["patience"]


class MissingKeyError(ValueError):
    """There is no key, or none that could be sent; the sentence says what to set."""


def read_key(variable: str, provider: str) -> str | None:
    """The key in an environment variable.

    Args:
        variable: Its name.
        provider: Whose key it is, for the sentence.

    Returns:
        The key without white space around it; None if the variable is unset or blank.

    Raises:
        MissingKeyError: If it holds what no key does; the sentence does not repeat it.
    """
    key = os.environ.get(variable, "").strip()
    # What a header cannot carry would be quoted in another library's errors.
    if not all("!" <= letter <= "~" for letter in key):
        raise MissingKeyError(
            f"{variable} is no key of {provider}: it holds spaces or letters that no key has."
        )
    return key or None
