"""`BatchLog`: which questions went out in which batch, so that a run that was killed finds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from arena_breaker_gym._runtime.files import LineFile, heal
from arena_breaker_gym._runtime.stored import StoredError, read_stored


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
