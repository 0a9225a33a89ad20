"""What tutoring costs: `Bill` of a run, `Prices` of tokens, `Budget` that is never passed."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import anyio
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arena_breaker_agents.tutor.llm_client import Usage
from arena_breaker_agents.tutor.transcript import Line
from arena_breaker_gym._runtime.stored import is_whole
from arena_breaker_gym.rollout.agent import RunStopped

_KINDS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")

BATCH_SHARE = 0.5  # of the price, for what comes in a Message Batch
_MILLION = 1e6
_DATED = re.compile(r"-\d{8}$")  # a model's name may end in the day that it was made

_Dollars = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What some replies cost.

    Attributes:
        episodes: Episodes that they belong to.
        decisions: Decisions that were had.
        requests: Replies, unusable ones included.
        tokens: By kind: input, cache_write_5m, cache_write_1h, cache_read, output.
        dollars: In all; None if a price is unknown.
    """

    episodes: int
    decisions: int
    requests: int
    tokens: dict[str, int]
    dollars: float | None

    @classmethod
    def of(cls, lines: Iterable[Line]) -> Bill:
        """Adds up lines of a transcript."""
        lines = list(lines)
        dollars = [line.values["dollars"] for line in lines]
        return cls(
            episodes=len({line.seed for line in lines}),
            decisions=sum(line.answered for line in lines),
            requests=sum(line.values["usage"] is not None for line in lines),
            tokens={
                kind: sum(_count(line.values["usage"], kind) for line in lines) for kind in _KINDS
            },
            dollars=None if None in dollars else _sum(dollars),
        )

    @classmethod
    def by_episode(cls, lines: Iterable[Line]) -> dict[int, Bill]:
        """The bill of each episode by its seed; lines come episode by episode."""
        return {seed: cls.of(some) for seed, some in groupby(lines, key=lambda line: line.seed)}

    @classmethod
    def sum(cls, bills: Iterable[Bill]) -> Bill:
        """Adds up the bills of several runs."""
        bills = list(bills)
        dollars = [bill.dollars for bill in bills if bill.dollars is not None]
        return cls(
            episodes=sum(bill.episodes for bill in bills),
            decisions=sum(bill.decisions for bill in bills),
            requests=sum(bill.requests for bill in bills),
            tokens={kind: sum(bill.tokens[kind] for bill in bills) for kind in _KINDS},
            dollars=_sum(dollars) if len(dollars) == len(bills) else None,
        )

    @property
    def hit_rate(self) -> float:
        """Share of the tokens read that were found in the cache; 0 if none were read."""
        read = sum(count for kind, count in self.tokens.items() if kind != "output")
        return self.tokens["cache_read"] / read if read else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, with what they come to for a decision and an episode."""
        per = {"decision": self.decisions, "episode": self.episodes}
        shares = {
            f"dollars_per_{name}": None
            if self.dollars is None or not count
            else round(self.dollars / count, 6)
            for name, count in per.items()
        }
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**plain, **shares, "hit_rate": round(self.hit_rate, 4)}

    def sentence(self) -> str:
        """The bill in a line, for people."""
        cost = "at unknown prices" if self.dollars is None else f"${self.dollars:.4f}"
        read = sum(count for kind, count in self.tokens.items() if kind != "output")
        return (
            f"{self.decisions} decisions in {self.requests} requests: {cost}; {read} tokens read, "
            f"{100.0 * self.hit_rate:.0f} % of them from the cache, "
            f"{self.tokens['output']} written"
        )


def tokens_of(usage: Usage) -> dict[str, Any]:
    """A reply's tokens in plain JSON values."""
    return {kind: getattr(usage, kind) for kind in _KINDS} | {"batch": usage.batch}


def _sum(dollars: Iterable[float]) -> float:
    """The same for any order and grouping: a line's cost has eight decimals, so sums keep them."""
    return round(math.fsum(dollars), 8)


def _count(usage: Mapping[str, object] | None, kind: str) -> int:
    """Tokens of a kind; what is no number counts nothing."""
    count: Any = (usage or {}).get(kind)
    return count if is_whole(count) else 0


class Price(BaseModel):
    """Of one model, US dollars for a million tokens of each kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: _Dollars
    cache_write_5m: _Dollars
    cache_write_1h: _Dollars
    cache_read: _Dollars
    output: _Dollars

    def dollars(self, usage: Usage) -> float:
        """What a reply cost."""
        kinds = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
        total: float = sum(getattr(self, kind) * getattr(usage, kind) for kind in kinds)
        return total / _MILLION * (BATCH_SHARE if usage.batch else 1.0)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = ""
    models: dict[str, Price]


@dataclass(frozen=True)
class Prices:
    """Prices by model.

    Attributes:
        models: Each model's price.
        source: Where they are from, and of when.
    """

    models: Mapping[str, Price]
    source: str

    @classmethod
    def load(cls, path: str | Path | None = None) -> Prices:
        """Reads the table that comes along, and over it a file of your own.

        Args:
            path: JSON: {"models": {"name": {"input": …, "cache_write_5m": …,
                "cache_write_1h": …, "cache_read": …, "output": …}}}.

        Raises:
            ValueError: If the file is missing or no such table.
        """
        own = (files("arena_breaker_agents.tutor") / "prices.json").read_text(encoding="utf-8")
        table = _File.model_validate_json(own)
        if path is None:
            return cls(table.models, table.source)
        try:
            given = _File.model_validate_json(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"There is no table of prices at {path}.") from None
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise ValueError(f"{path} is no table of prices: {_first_of(error)}.") from None
        return cls(table.models | given.models, given.source or str(path))

    def of(self, model: str) -> Price | None:
        """A model's price; None if it is not known."""
        return self.models.get(model) or self.models.get(_DATED.sub("", model))


def _first_of(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


class Budget:
    """Dollars spent, and those that questions under way may still cost.

    A question is asked only while all that are under way could cost their most within the
    limit. Near its end questions wait for one another; when none is under way and the next
    could pass the limit, the run is over.
    """

    def __init__(self, limit: float | None, *, spent: float = 0.0) -> None:
        """Starts a bill.

        Args:
            limit: Dollars; None: as many as it takes.
            spent: Dollars that earlier parts of the run have cost.
        """
        self.limit = limit
        self.spent = spent
        self._reserved: list[float] = []  # of each question under way
        self._changed = anyio.Condition()

    @contextlib.asynccontextmanager
    async def reserve(self, most: float) -> AsyncIterator[None]:
        """Keeps dollars aside while a question is under way.

        Args:
            most: What it may cost at most.

        Raises:
            RunStopped: If that could pass the limit with nothing else under way.
        """
        async with self._changed:
            while not self.hold(most):
                await self._changed.wait()
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                async with self._changed:
                    self.release(most)
                    self._changed.notify_all()

    @property
    def held(self) -> int:
        """How many questions dollars are kept aside for."""
        return len(self._reserved)

    def hold(self, most: float) -> bool:
        """Keeps dollars aside, if that is possible just now; else the caller may ask again.

        Raises:
            RunStopped: As `reserve`.
        """
        if self._too_much(most):
            if not self._reserved:
                raise RunStopped(self._sentence(), wanted=True)
            return False
        self._reserved.append(most)
        return True

    def release(self, most: float) -> None:
        """Ends what `hold` began."""
        self._reserved.remove(most)

    def charge(self, dollars: float) -> None:
        """Counts what a reply did cost."""
        self.spent += dollars

    def _too_much(self, most: float) -> bool:
        limit = self.limit
        return limit is not None and self.spent + sum(self._reserved) + most > limit

    def _sentence(self) -> str:
        return (
            f"The budget of ${self.limit:.2f} does not reach for another question: "
            f"${self.spent:.4f} are spent."
        )
