"""`Ledger`: what a run has heard and may still cost: kept here, or in the driver's process."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import anyio
import anyio.to_thread

from arena_breaker_agents.tutor.bill import Budget
from arena_breaker_agents.tutor.transcript import Line, Transcript
from arena_breaker_gym.rollout.agent import SendRequest

PAUSE_S = 0.05  # before a worker asks again for dollars that others have under way


class Ledger(Protocol):
    """A run's transcript and its budget."""

    @property
    def place(self) -> str:
        """What a sentence calls the transcript."""

    async def of(self, seed: int, decision: int) -> Sequence[Line]:
        """What a decision's questions came to so far."""

    def reserve(self, most: float) -> contextlib.AbstractAsyncContextManager[None]:
        """Keeps dollars aside while a question is under way; see `Budget.reserve`."""

    async def add(self, values: Mapping[str, object]) -> Line:
        """Writes a line down and counts what it cost."""


class LocalLedger:
    """A ledger that this process keeps."""

    def __init__(self, transcript: Transcript, *, limit: float | None) -> None:
        """Opens them.

        Args:
            transcript: What was heard before, and where more is written.
            limit: Dollars that the run may cost, with what the transcript holds; None: any.
        """
        self.transcript = transcript
        spent = sum(line.values["dollars"] or 0.0 for line in transcript.lines)
        self.budget = Budget(limit, spent=spent)

    @property
    def place(self) -> str:
        """What a sentence calls the transcript."""
        return str(self.transcript.path)

    async def of(self, seed: int, decision: int) -> Sequence[Line]:
        """What a decision's questions came to so far."""
        return self.transcript.of(seed, decision)

    def reserve(self, most: float) -> contextlib.AbstractAsyncContextManager[None]:
        """Keeps dollars aside while a question is under way."""
        return self.budget.reserve(most)

    async def add(self, values: Mapping[str, object]) -> Line:
        """Writes a line down and counts what it cost."""
        return self.write(values)

    def write(self, values: Mapping[str, object]) -> Line:
        """The same at once."""
        line = self.transcript.add(values)
        self.budget.charge(line.values["dollars"] or 0.0)
        return line


# What a worker's tutor sends to the process that keeps the ledger.


@dataclass(frozen=True)
class Lookup:
    """What is known of a decision?"""

    seed: int
    decision: int


@dataclass(frozen=True)
class Hold:
    """May a question go out that costs so much at most? Answered with yes or "not just now"."""

    ident: int
    most: float


@dataclass(frozen=True)
class Write:
    """This was heard."""

    values: Mapping[str, object]


@dataclass(frozen=True)
class Release:
    """A question is under way no longer."""

    ident: int


class RemoteLedger:
    """A ledger that another process keeps."""

    place = "The transcript"

    def __init__(self, ask: SendRequest) -> None:
        """Takes a way to ask.

        Args:
            ask: Puts a `Lookup`, `Hold`, `Write` or `Release` and waits for the answer.
        """
        self._ask = ask
        self._idents = itertools.count()

    async def of(self, seed: int, decision: int) -> Sequence[Line]:
        """What a decision's questions came to so far."""
        known: Sequence[Line] = await self._put(Lookup(seed, decision))
        return known

    @contextlib.asynccontextmanager
    async def reserve(self, most: float) -> AsyncIterator[None]:
        """Keeps dollars aside while a question is under way."""
        ident = next(self._idents)
        while not await self._put(Hold(ident, most)):
            await anyio.sleep(PAUSE_S)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._put(Release(ident))

    async def add(self, values: Mapping[str, object]) -> Line:
        """Writes a line down and counts what it cost."""
        with anyio.CancelScope(shield=True):  # it is paid for
            line: Line = await self._put(Write(dict(values)))
        return line

    async def _put(self, request: object) -> Any:
        return await anyio.to_thread.run_sync(partial(self._ask, request))


class LedgerServer:
    """Answers workers about the ledger of this process."""

    def __init__(self, ledger: LocalLedger, *, concurrency: float) -> None:
        """Prepares to answer.

        Args:
            ledger: The run's.
            concurrency: Most questions under way at once, of all workers together.
        """
        self._ledger = ledger
        self._concurrency = concurrency
        self._held: dict[tuple[int, int], float] = {}
        self._warm = False  # whether a reply has filled the provider's cache

    def handle_request(self, worker: int, request: object) -> Any:
        """Answers a worker; see `Coordinator.handle_request`.

        Raises:
            RunStopped: If the money is spent.
        """
        match request:
            case Lookup():
                return self._ledger.transcript.of(request.seed, request.decision)
            case Hold():
                return self._hold(worker, request)
            case Write():
                return self._ledger.write(request.values)
            case Release():
                return self._release(worker, request)
            case _:
                raise ValueError(f"{request!r} is no request for the ledger.")

    def on_worker_lost(self, worker: int) -> None:
        """A worker is gone; each of its questions under way counts as if it had cost its most."""
        for key in [key for key in self._held if key[0] == worker]:
            most = self._held.pop(key)
            self._ledger.budget.charge(most)
            self._ledger.budget.release(most)

    def _hold(self, worker: int, asked: Hold) -> bool:
        under_way = self._ledger.budget.held
        if under_way >= (self._concurrency if self._warm else 1):
            return False  # the very first question goes alone, so that all others find its cache
        if not self._ledger.budget.hold(asked.most):
            return False
        self._held[worker, asked.ident] = asked.most
        return True

    def _release(self, worker: int, asked: Release) -> None:
        self._warm = True
        self._ledger.budget.release(self._held.pop((worker, asked.ident)))
