"""`run`: a whole run, from starting the workers to the last figure."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from arena_breaker_gym.throughput import fresh, peers
from arena_breaker_gym.throughput.config import MEMORY_ARENAS, Part, ThroughputConfig
from arena_breaker_gym.throughput.likes import like
from arena_breaker_gym.throughput.memory import STATUS
from arena_breaker_gym.throughput.peers import Found
from arena_breaker_gym.throughput.process import BrokenError, Worker
from arena_breaker_gym.throughput.results import Results, this_machine
from arena_breaker_gym.throughput.rounds import Rounds
from arena_breaker_gym.throughput.rows import MEGABYTES, Row
from arena_breaker_gym.throughput.sources import (
    Source,
    compile_source,
    own_sources,
    worker_sources,
)

# Told what is measured, and the share of all work done.
Watch = Callable[[str, float], None]

CALIBRATION_SHARE = 4  # the calibration loop runs for a quarter of a reading before it
MEMORY_STEPS_A_SECOND = 300_000  # about, for the time left


def run(terms: ThroughputConfig, *, out: Path | None = None, watch: Watch | None = None) -> Results:
    """Measures everything that the terms name.

    Args:
        terms: What to measure.
        out: Folder for `throughput.json`, written anew after every round; None keeps nothing.
        watch: Told before every reading.

    Raises:
        ValueError: If the terms name what does not exist or nothing at all, or a figure of
            ours cannot be measured.
    """
    peers.check(terms.peers, terms.pythons)
    with ExitStack() as stack:
        try:
            return _Run(terms, stack, out, watch or (lambda words, share: None)).measure()
        except BrokenError as error:
            raise ValueError(f"Arena Breaker could not be measured: {error}.") from error


class _Run:
    """A run under way."""

    def __init__(
        self, terms: ThroughputConfig, stack: ExitStack, out: Path | None, watch: Watch
    ) -> None:
        self._terms = terms
        self._out = out
        self._watch = watch
        watch("starting", 0.0)
        ours = stack.enter_context(Worker("arena_breaker"))
        clock = stack.enter_context(Worker("calibration"))
        self._found = list(peers.find(terms.peers, terms.pythons, stack))
        self._sources = _in_turn(own_sources(ours, terms), _peers_sources(self._found, terms))
        self._compile = compile_source(terms)
        self._memory = _memory_rows(terms)
        if not (self._sources or self._compile or self._memory):
            words = " or ".join(map(repr, terms.only))
            raise ValueError(f"There is nothing to measure with {words} in its name.")
        (calibration,) = worker_sources(
            clock, replace(terms, seconds=terms.seconds / CALIBRATION_SHARE)
        )
        self._rounds = Rounds(calibration, lambda words, done: watch(words, done / self._all()))

    def measure(self) -> Results:
        for _ in self._rounds.take(self._sources, self._terms.rounds):
            self._keep()
        if self._compile is not None:
            self._rounds.read(self._compile, "once")
        if self._memory:
            self._measure_memory()
        return self._keep()

    def _measure_memory(self) -> None:
        done = self._rounds.done
        words = f"memory of {MEMORY_ARENAS:,} arenas"
        sizes = fresh.memory(
            MEMORY_ARENAS,
            self._terms.memory_steps,
            lambda share: self._watch(words, (done + share * self._memory_cost()) / self._all()),
        )
        for row, size in zip(self._memory, sizes, strict=True):
            row.values.append(size)

    def _memory_cost(self) -> float:
        return self._terms.memory_steps / MEMORY_STEPS_A_SECOND if self._memory else 0.0

    def _all(self) -> float:
        """Seconds of work in the whole run, as planned."""
        once = 0.0 if self._compile is None else self._rounds.cost(self._compile)
        a_round = sum(map(self._rounds.cost, self._sources))
        return a_round * (self._terms.rounds + 1) + once + self._memory_cost()

    def _keep(self) -> Results:
        """Everything that there is a reading of, written down if there is a place."""
        rows = [source.row for source in self._sources]
        rows += [self._compile.row] if self._compile is not None else []
        rows += self._memory
        said = self._rounds.broken
        found = [one.peer for one in self._found]
        known = [replace(one, broken=(*one.broken, *said.get(one.name, ()))) for one in found]
        rows = [row for row in rows if row.values]
        results = Results(rows, known, this_machine(), self._terms.to_dict())
        if self._out is not None:
            results.save(self._out)
        return results


def _peers_sources(found: Sequence[Found], terms: ThroughputConfig) -> list[Source]:
    return [
        source
        for one in found
        if one.worker is not None
        for source in worker_sources(one.worker, terms, peer=one.peer.name)
    ]


def _in_turn(ours: list[Source], theirs: list[Source]) -> list[Source]:
    """Each peer's figure right after ours that it is compared with, so that both see one load."""
    rows = [source.row for source in ours]
    after = {id(source): like(source.row, rows) for source in theirs}
    turn = [
        one
        for own in ours
        for one in (own, *(other for other in theirs if after[id(other)] is own.row))
    ]
    return turn + [source for source in theirs if after[id(source)] is None]


def _memory_rows(terms: ThroughputConfig) -> list[Row]:
    words = f"{MEMORY_ARENAS:,} arenas, state"
    if not (STATUS.exists() and terms.wants(Part.MEMORY, words)):
        return []
    names = ("memory of the process", f"growth over {terms.memory_steps:,} steps")
    common: dict[str, Any] = {"part": Part.MEMORY, "unit": MEGABYTES, "observation": "state"}
    return [Row(f"{words}: {name}", arenas=MEMORY_ARENAS, **common) for name in names]
