"""`BatchApi`: the Message Batches of the Anthropic API; `BatchLog`: which of them are out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from anthropic import AsyncAnthropic
from pydantic import BaseModel, TypeAdapter, ValidationError

from arena_breaker_agents.tutor.claude import ClaudeClient
from arena_breaker_agents.tutor.endpoint import ApiError
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
    params: Mapping[str, Any]

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


def _append(path: Path, row: Mapping[str, Any]) -> None:
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
    result: dict[str, Any]


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

    async def results(self, url: str) -> dict[str, Mapping[str, Any]]:
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


def _results(text: str) -> dict[str, Mapping[str, Any]]:
    # Not `splitlines`, for which a line ends at more letters than JSON does.
    lines = [json.loads(line) for line in text.split("\n") if line.strip()]
    rows = [_LINE.validate_python(line) for line in lines]
    return {row.custom_id: row.result for row in rows}
