"""`Source`: a figure and how another reading of it is taken; here are all of ours."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from arena_breaker_gym.throughput import fresh
from arena_breaker_gym.throughput.config import Part, ThroughputConfig
from arena_breaker_gym.throughput.process import Worker
from arena_breaker_gym.throughput.rows import SECONDS, TICK, Row

START_COST_S = 2.0  # about what one start of an interpreter takes, for the time left
COMPILE_COST_S = 30.0


@dataclass(frozen=True)
class Source:
    """A figure to read.

    Attributes:
        row: Where the readings go.
        take: Takes one, in the row's unit; raises `BrokenError` where there is none.
        cost: About how many seconds a reading takes.
    """

    row: Row
    take: Callable[[], float]
    cost: float


def worker_sources(worker: Worker, terms: ThroughputConfig, *, peer: str = "") -> Iterator[Source]:
    """A figure for everything that a worker measures."""
    for subject in worker.greeting["subjects"]:
        row = _row(subject, peer)
        take = functools.partial(worker.read, row.name, terms.seconds)
        if row.part == Part.TICK:
            row.unit, row.arenas = TICK, 1
            take = functools.partial(_microseconds, take)
        yield Source(row, take, terms.seconds)


def own_sources(worker: Worker, terms: ThroughputConfig) -> list[Source]:
    """Our figures that are read in every round, of the parts and names asked for."""
    sources = [*worker_sources(worker, terms), *_start_sources()]
    return [one for one in sources if terms.wants(one.row.part, one.row.name)]


def compile_source(terms: ThroughputConfig) -> Source | None:
    """The first start of all, which is read once; None if nobody asked for it."""
    name = "first make, reset and step, nothing compiled"
    row = Row(name, Part.COMPILE, unit=SECONDS)
    wanted = terms.wants(row.part, row.name)
    return Source(row, fresh.compile_seconds, COMPILE_COST_S) if wanted else None


def _start_sources() -> Iterator[Source]:
    for name, take in (
        ("import of the core after NumPy, Numba and Gymnasium", fresh.import_seconds),
        ("gym.make once compiled", fresh.make_seconds),
        ("make, reset and step once compiled", fresh.first_step_seconds),
    ):
        yield Source(Row(name, Part.START, unit=SECONDS), take, START_COST_S)


def _row(subject: Mapping[str, Any], peer: str) -> Row:
    size = subject["size"]
    return Row(**{**subject, "peer": peer, "size": None if size is None else (size[0], size[1])})


def _microseconds(rate: Callable[[], float]) -> float:
    return 1e6 / rate()
