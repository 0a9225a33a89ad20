"""`Bill`: what a run or an episode cost, in requests, tokens and dollars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from itertools import groupby
from typing import Any

from arena_breaker_agents.tutor.llm_client import Usage
from arena_breaker_agents.tutor.transcript import Line
from arena_breaker_gym._runtime.stored import is_whole

_KINDS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")


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
            dollars=None if None in dollars else round(sum(dollars), 6),
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
            dollars=round(sum(dollars), 6) if len(dollars) == len(bills) else None,
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


def _count(usage: Mapping[str, Any] | None, kind: str) -> int:
    """Tokens of a kind; what is no number counts nothing."""
    count: Any = (usage or {}).get(kind)
    return count if is_whole(count) else 0
