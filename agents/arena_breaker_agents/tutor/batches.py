"""`BatchClient`: asks Claude in Message Batches: half the price, minutes to hours of waiting.

`BatchApi` is what the Anthropic API has for them, `BatchLog` remembers which of them are out.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import anyio
from anthropic import AsyncAnthropic
from pydantic import BaseModel, TypeAdapter, ValidationError

from arena_breaker_agents.tutor.claude import ClaudeClient, reply_from
from arena_breaker_agents.tutor.endpoint import ApiError
from arena_breaker_agents.tutor.llm_client import LLMError, Request, Response
from arena_breaker_gym._runtime.files import LineFile, heal
from arena_breaker_gym._runtime.stored import StoredError, read_stored

TIMEOUT_S = 300.0  # thousands of questions, or their replies, are many megabytes


@dataclass(frozen=True)
class BatchRequest:
    """One request of a batch.

    Attributes:
        ident: Its name in the batch.
        params: What is asked.
    """

    ident: str
    params: Mapping[str, object]

    @cached_property
    def text(self) -> str:
        """What is asked, in a form that is the same every time."""
        return json.dumps(self.params, sort_keys=True)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what is asked."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class _Row(BaseModel):
    batch: str
    requests: dict[str, str]  # digests by ident


class BatchLog:
    """Batches that were created, a JSON line each, in a file or, without one, in memory only."""

    def __init__(self, path: Path | None = None) -> None:
        """Reads what is there.

        Args:
            path: The file; it is made with the first batch. None keeps it in memory.

        Raises:
            ValueError: If the file is no such log.
        """
        self.path = path
        self._batches: dict[tuple[str, str], str] = {}
        if path is not None and path.exists():
            self._read(path)

    def find(self, request: BatchRequest) -> str | None:
        """The newest batch in which the same was asked under the same name."""
        return self._batches.get((request.ident, request.digest))

    def add(self, batch: str, requests: Iterable[BatchRequest]) -> None:
        """Writes a batch down, at once and whole.

        Args:
            batch: The API's name for it.
            requests: What it asks.

        Raises:
            OSError: If there is no room for it; the file holds whole lines still.
        """
        row = _Row(batch=batch, requests={one.ident: one.digest for one in requests})
        if self.path is not None:
            at = datetime.now(UTC).isoformat(timespec="seconds")
            _append(self.path, {"batch": batch, "at": at, "requests": row.requests})
        self._remember(row)

    def _remember(self, row: _Row) -> None:
        self._batches |= dict.fromkeys(row.requests.items(), row.batch)

    def _read(self, path: Path) -> None:
        try:
            heal(path)  # a killed writer's half line
            lines = read_stored(path).split(b"\n")[:-1]
        except StoredError as error:
            raise ValueError(f"{path} is no log of batches: {error}.") from None
        for number, line in enumerate(lines, start=1):
            try:
                self._remember(_Row.model_validate_json(line))
            except ValidationError:
                raise ValueError(f"{path}, line {number}: this is no batch.") from None


def _append(path: Path, row: Mapping[str, object]) -> None:
    file = LineFile(path)
    try:
        file.add(json.dumps(row, separators=(",", ":")).encode() + b"\n", durable=True)
    finally:
        file.close()


class _Batch(BaseModel):
    id: str
    type: Literal["message_batch"]
    processing_status: str
    results_url: str | None = None


class _Line(BaseModel):
    custom_id: str
    result: dict[str, object]


_LINE = TypeAdapter(_Line)


class BatchApi:
    """Creates batches, looks whether they have ended, and fetches what they came to."""

    def __init__(self, claude: ClaudeClient) -> None:
        """Uses a client's connection.

        Args:
            claude: The client.

        Raises:
            ValueError: If it asks through another service, which has no batches.
        """
        if not isinstance(claude.client, AsyncAnthropic):
            raise ValueError("Message Batches go through Anthropic's own API only.")
        self._client = claude.client.with_options(timeout=TIMEOUT_S)
        self._batches = self._client.messages.batches.with_raw_response
        self._endpoint = claude.endpoint

    async def create(self, requests: Sequence[BatchRequest]) -> str:
        """Creates a batch and returns the API's name for it.

        Raises:
            LLMError: If it cannot be created.
        """
        asked: list[Any] = [{"custom_id": one.ident, "params": one.params} for one in requests]
        batch = await self._endpoint.call(lambda: self._batches.create(requests=asked), _batch)
        return batch.id

    async def ended(self, batch: str) -> str | None:
        """Where the results of a batch are; None while it is under way.

        Raises:
            LLMError: If the API does not say.
        """
        found = await self._endpoint.call(lambda: self._batches.retrieve(batch), _batch)
        if found.processing_status != "ended":
            return None
        if found.results_url is None:
            reason = f"The results of batch {batch} are no longer kept."
            raise ApiError(reason, fatal=True, status=404, message="")
        return found.results_url

    async def results(self, url: str) -> dict[str, Mapping[str, object]]:
        """Results by ident, in whatever order they come.

        Args:
            url: As `ended` gave it.

        Raises:
            LLMError: If they cannot be had.
        """
        # As a whole rather than in a stream: a connection that breaks is the client's to mend.
        options: Any = {"headers": {"Accept": "application/binary"}}
        return await self._endpoint.call(
            lambda: self._client.get(url, cast_to=str, options=options), _results
        )


def _batch(response: Any) -> _Batch:
    return _Batch.model_validate(response.http_response.json())


def _results(text: str) -> dict[str, Mapping[str, object]]:
    # Not `splitlines`, for which a line ends at more letters than JSON does.
    lines = [json.loads(line) for line in text.split("\n") if line.strip()]
    rows = [_LINE.validate_python(line) for line in lines]
    return {row.custom_id: row.result for row in rows}


CACHE_TTL = "1h"  # a batch may take longer than five minutes to come to all its questions
PATIENCE_S = 25 * 3600.0  # the API gives batches up after 24 hours

_MOST = 10_000  # questions in a batch
_MOST_LETTERS = 100_000_000  # in a batch; the API takes 256 MB
_GRACE_S = 20.0  # for a batch that is being created when the client is closed

# Errors of a single question that any other question would get, too.
_FATAL = frozenset(
    {
        "invalid_request_error",
        "authentication_error",
        "billing_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
    }
)

_LOG = logging.getLogger(__name__)
_Result = Mapping[str, object]


@dataclass
class _Lot:
    """Questions that go out together, and the batch that they become."""

    batch: asyncio.Future[str]
    requests: dict[str, BatchRequest] = field(default_factory=dict)
    letters: int = 0
    timer: asyncio.TimerHandle | None = None

    def add(self, request: BatchRequest) -> None:
        self.requests[request.ident] = request
        self.letters += len(request.text)

    @property
    def full(self) -> bool:
        return len(self.requests) >= _MOST or self.letters >= _MOST_LETTERS


class BatchClient:
    """Gathers questions that come close together and sends them as one batch.

    Every batch is written down as soon as it exists. A client that is asked the same
    under the same name again, in another process, too, takes the reply from there and pays
    nothing; only what a batch left unanswered is sent again.
    """

    def __init__(
        self,
        claude: ClaudeClient,
        *,
        log: Path | None = None,
        gather: float = 1.0,
        poll: float = 10.0,
        patience: float = PATIENCE_S,
    ) -> None:
        """Prepares a client; nothing is asked yet.

        Args:
            claude: The client that it asks.
            log: Where batches are written down; None, unless `set_log` names a file: nowhere.
            gather: Seconds without a new question after which a batch goes out.
            poll: Seconds between two looks at a batch.
            patience: Seconds after which a batch is given up.

        Raises:
            ValueError: If a time is not above 0, or the log is none.
        """
        for name, value in (("gather", gather), ("poll", poll), ("patience", patience)):
            if not value > 0.0:
                raise ValueError(f"{name} must be above 0 seconds, got {value!r}.")
        self._claude = claude
        self._api = BatchApi(claude)
        self._log = BatchLog(log)
        self._gather, self._poll, self._patience = gather, poll, patience
        self._lot: _Lot | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._awaited: dict[str, asyncio.Task[dict[str, _Result]]] = {}

    @property
    def model(self) -> str:
        """The model's name."""
        return self._claude.model

    @property
    def options(self) -> Mapping[str, object]:
        """Those of the client that it asks."""
        return self._claude.options

    @property
    def thinking_tokens(self) -> int:
        """Tokens that it may think, beyond those of the answer."""
        return self._claude.thinking_tokens

    def set_log(self, path: Path) -> None:
        """Says where batches are written down, before the first question of a run.

        Args:
            path: The file; what stands in it is known from now on.

        Raises:
            ValueError: If it is no such log.
        """
        self._log = BatchLog(path)

    async def complete(self, request: Request) -> Response:
        """Asks and waits for the reply.

        Raises:
            LLMError: If none can be had.
        """
        while True:
            params = self._claude.params(request, cache_ttl=CACHE_TTL)
            result = await self._result(BatchRequest(request.ident, params))
            if result.get("type") == "succeeded":
                return self._reply(result, request.tool.name)
            error = _error_in(result)
            if not self._claude.lets_go(params, str(error.get("message", ""))):
                raise self._failure(result)

    async def close(self) -> None:
        """Lets go of connections; batches under way go on, and are found again by their log."""
        if self._lot is not None:
            _disarm(self._lot)
            self._lot.batch.cancel()
            self._lot = None
        if self._sending:  # what is being created is paid for: its name must be written down
            await asyncio.wait(self._sending, timeout=_GRACE_S)
        for task in (*self._sending, *self._awaited.values()):
            task.cancel()
            with suppress(asyncio.CancelledError, LLMError):
                await task
        self._awaited.clear()
        await self._claude.close()

    async def _result(self, request: BatchRequest) -> _Result:
        known = self._log.find(request)
        if known is not None:
            result = await self._recalled(known, request)
            if result.get("type") == "succeeded":
                return result
        batch = await self._sent(request)
        return await self._taken(batch, request)

    async def _recalled(self, batch: str, request: BatchRequest) -> _Result:
        """A result from a batch of before; {} if the API no longer has it."""
        try:
            return await self._taken(batch, request)
        except ApiError as error:
            if error.status != 404:
                raise
            _LOG.warning("Batch %s is gone; its questions are asked again.", batch)
            return {}

    async def _taken(self, batch: str, request: BatchRequest) -> _Result:
        """A question's result; waits until its batch has ended."""
        task = self._awaited.get(batch)
        if task is None:
            task = self._awaited[batch] = asyncio.create_task(self._results(batch))
            task.add_done_callback(_handle)
        try:
            # A caller that is cancelled leaves the others waiting.
            results = await asyncio.shield(task)
        except LLMError:
            self._awaited.pop(batch, None)
            raise
        result = results.pop(request.ident, {})
        if not results:
            self._awaited.pop(batch, None)
        return result

    async def _results(self, batch: str) -> dict[str, _Result]:
        """All results of a batch by ident, once it has ended."""
        with anyio.move_on_after(self._patience):
            while True:
                try:
                    if url := await self._api.ended(batch):
                        return await self._api.results(url)
                except LLMError as error:
                    if error.fatal:
                        raise
                    # What is paid for is not given up because the API does not answer just now.
                    _LOG.warning("Batch %s: %s", batch, error.reason)
                await anyio.sleep(self._poll)
        raise LLMError(f"Batch {batch} did not end within {self._patience:g} seconds.")

    async def _sent(self, request: BatchRequest) -> str:
        """The batch that a question went out in."""
        lot = self._lot
        if lot is not None and request.ident in lot.requests:
            self._send_off(lot)  # a batch holds no name twice
            lot = None
        if lot is None:
            lot = self._lot = _Lot(asyncio.get_running_loop().create_future())
            lot.batch.add_done_callback(_handle)
        lot.add(request)
        self._arm(lot)
        try:
            return await asyncio.shield(lot.batch)
        except asyncio.CancelledError:
            if lot is self._lot:
                lot.requests.pop(request.ident, None)
            raise

    def _arm(self, lot: _Lot) -> None:
        """Sends a lot when it is full, or when no request has joined it for a while."""
        _disarm(lot)
        if lot.full:
            self._send_off(lot)
        else:
            loop = asyncio.get_running_loop()
            lot.timer = loop.call_later(self._gather, self._send_off, lot)

    def _send_off(self, lot: _Lot) -> None:
        _disarm(lot)
        self._lot = None
        if lot.requests:
            task = asyncio.create_task(self._send(lot))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, lot: _Lot) -> None:
        requests = list(lot.requests.values())
        try:
            batch = await self._api.create(requests)
            self._log.add(batch, requests)
        except LLMError as error:
            lot.batch.set_exception(error)
        except OSError as error:
            reason = f"{self._log.path} cannot be written: {error.strerror}."
            lot.batch.set_exception(LLMError(reason, fatal=True))
        else:
            lot.batch.set_result(batch)
        finally:
            lot.batch.cancel()  # of no effect but where this was cancelled itself

    def _reply(self, result: _Result, tool: str) -> Response:
        try:
            reply = reply_from(result.get("message"), tool=tool, request_id=None)
        except ValueError:
            raise LLMError(f"{self._claude.endpoint.name} sent no message in a batch.") from None
        return replace(reply, usage=replace(reply.usage, batch=True))

    def _failure(self, result: _Result) -> LLMError:
        error = _error_in(result)
        kind = str(error.get("type") or result.get("type") or "missing")
        if not error:
            return LLMError(f"A batch left the question unanswered ({kind}).")
        said = self._claude.endpoint.quoted(str(error.get("message", "")))
        sentence = f"A batch failed at the question ({kind}): {said}."
        return LLMError(sentence, fatal=kind in _FATAL)


def _disarm(lot: _Lot) -> None:
    if lot.timer is not None:
        lot.timer.cancel()


def _handle(done: asyncio.Future[Any]) -> None:
    """Reads an exception that may have no caller left to read it."""
    if not done.cancelled():
        done.exception()


def _error_in(result: _Result) -> Mapping[str, object]:
    """What the API says of a question that it refused; {} if it did not."""
    error = result.get("error")
    inner = error.get("error", error) if isinstance(error, dict) else None
    return inner if isinstance(inner, dict) else {}
