"""`BatchApi`: the Anthropic API's Message Batches, each of its three calls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from anthropic import AsyncAnthropic
from pydantic import BaseModel, TypeAdapter

from arena_breaker_agents.tutor.batch_log import BatchRequest
from arena_breaker_agents.tutor.claude import ClaudeClient
from arena_breaker_agents.tutor.endpoint import ApiError

TIMEOUT_S = 300.0  # thousands of questions, or their replies, are many megabytes


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
            ValueError: If it asks through others, who know no batches.
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
