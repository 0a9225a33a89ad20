"""`run`: a whole run, from starting the workers to the last figure."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from arena_breaker_gym.throughput import process
from arena_breaker_gym.throughput.process import (
    STATUS,
    AdapterProcess,
    BrokenError,
    Checkout,
    Found,
)
from arena_breaker_gym.throughput.results import (
    MEGABYTES,
    SECONDS,
    TICK,
    Row,
    ThroughputResults,
    this_machine,
)
from arena_breaker_gym.throughput.table import like

START_COST_S = 2.0  # about what one start of an interpreter takes, for the time left
COMPILE_COST_S = 30.0

# Told before every reading what is read, and the seconds of work done so far, as planned.
Watch = Callable[[str, float], None]

# Told what is measured, and the share of all work done.

CALIBRATION_SHARE = 4  # the calibration loop runs for a quarter of a reading before it
MEMORY_STEPS_A_SECOND = 300_000  # about, for the time left


class Part(StrEnum):
    """The parts of a run, in their order; memory is told on Linux alone."""

    ENVIRONMENT = "environment"
    BATCH = "batch"
    THREADS = "threads"
    TICK = "tick"
    START = "start"
    COMPILE = "compile"
    MEMORY = "memory"


MEMORY_ARENAS = 4096
QUICK: Mapping[str, Any] = {
    "rounds": 3,
    "seconds": 0.1,
    "memory_steps": 1_000_000,
}


@dataclass(frozen=True, kw_only=True)
class ThroughputConfig:
    """What a run measures.

    Attributes:
        parts: Which parts of ours.
        only: Only figures of ours that have one of these in their name; empty for all.
        rounds: Readings of each figure that count; one more goes before them.
        seconds: How long a reading steps.
        memory_steps: Steps of an arena over which memory is watched.
        peers: Names of peers' adapters or files with one.
        pythons: Interpreters besides this one in which peers may be installed.
        against: Folder of another checkout, whose figures are read beside ours; "": none.
        cpu_time: Whether our steps are timed by the processor's time, not by the wall's clock.
    """

    parts: tuple[Part, ...] = tuple(Part)
    only: tuple[str, ...] = ()
    rounds: int = 7
    seconds: float = 0.3
    memory_steps: int = 10_000_000
    peers: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()
    against: str = ""
    cpu_time: bool = False

    @property
    def checkout(self) -> Checkout | None:
        """The other checkout."""
        return Checkout(Path(self.against).resolve()) if self.against else None

    @classmethod
    def of(cls, *, quick: bool, **wishes: object) -> Self:
        """A config in which a wish of None leaves what is usual, or usual for a quick run.

        Args:
            quick: Whether nothing said means a run of seconds, not of minutes.
            **wishes: The attributes.
        """
        said = {name: wish for name, wish in wishes.items() if wish is not None}
        return cls(**{**(QUICK if quick else {}), **said})

    def wants(self, part: str, name: str) -> bool:
        """Whether a figure of ours is asked for."""
        named = not self.only or any(words in name for words in self.only)
        return named and part in self.parts

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the private paths of this machine."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
            if name not in ("pythons", "against")
        }


@dataclass(frozen=True)
class AdapterSource:
    """A figure to read.

    Attributes:
        row: Where the readings go.
        take: Takes one, in the row's unit; raises `BrokenError` where there is none.
        cost: About how many seconds a reading takes.
        other: Takes another checkout's; None where there is none.
    """

    row: Row
    take: Callable[[], float]
    cost: float
    other: Callable[[], float] | None = None

    def read(self, number: int) -> tuple[float, ...]:
        """Our reading, and the other's if there is one, which goes first in every second round."""
        if self.other is None:
            return (self.take(),)
        if number % 2:
            before = self.other()
            return (self.take(), before)
        return (self.take(), self.other())


def worker_sources(
    worker: AdapterProcess, terms: ThroughputConfig, *, peer: str = ""
) -> Iterator[AdapterSource]:
    """A figure for everything that a worker measures."""
    for subject in worker.greeting["subjects"]:
        row = _row(subject, peer)
        take = functools.partial(worker.read, row.name, terms.seconds)
        if row.part == Part.TICK:
            row.unit, row.arenas = TICK, 1
            take = functools.partial(_microseconds, take)
        yield AdapterSource(row, take, terms.seconds)


def own_sources(
    worker: AdapterProcess, terms: ThroughputConfig, other: AdapterProcess | None = None
) -> list[AdapterSource]:
    """Our figures that are read in every round, of the parts and names asked for."""
    sources = [*_beside(worker_sources(worker, terms), other, terms), *_start_sources(terms)]
    return [one for one in sources if terms.wants(one.row.part, one.row.name)]


def _beside(
    sources: Iterator[AdapterSource], other: AdapterProcess | None, terms: ThroughputConfig
) -> Iterator[AdapterSource]:
    """Figures, with another checkout's of the same name."""
    theirs = {} if other is None else {one.row.name: one for one in worker_sources(other, terms)}
    for source in sources:
        same = theirs.get(source.row.name)
        yield source if same is None else replace(source, other=same.take, cost=2 * source.cost)


def compile_source(terms: ThroughputConfig) -> AdapterSource | None:
    """The first start of all, which is read once; None if it was not asked for."""
    name = "first make, reset and step, nothing compiled"
    row = Row(name, Part.COMPILE, unit=SECONDS)
    wanted = terms.wants(row.part, row.name)
    return AdapterSource(row, process.compile_seconds, COMPILE_COST_S) if wanted else None


def _start_sources(terms: ThroughputConfig) -> Iterator[AdapterSource]:
    checkout = terms.checkout
    for name, take in (
        ("import of the core after NumPy, Numba and Gymnasium", process.import_seconds),
        ("gym.make once compiled", process.make_seconds),
        ("make, reset and step once compiled", process.first_step_seconds),
    ):
        row = Row(name, Part.START, unit=SECONDS)
        other = functools.partial(take, checkout) if checkout else None
        yield AdapterSource(row, take, START_COST_S * (2 if checkout else 1), other)


def _row(subject: Mapping[str, Any], peer: str) -> Row:
    size = subject["size"]
    return Row(**{**subject, "peer": peer, "size": None if size is None else (size[0], size[1])})


def _microseconds(rate: Callable[[], float]) -> float:
    return 1e6 / rate()


class Rounds:
    """Takes readings; a peer that breaks is left out from then on.

    Attributes:
        broken: By peer, a sentence for each of its figures that could not be read.
        done: Seconds of work done, as planned.
    """

    def __init__(self, calibration: AdapterSource, watch: Watch) -> None:
        """Prepares for readings, each of which `calibration` goes before."""
        self.broken: dict[str, list[str]] = {}
        self.done = 0.0
        self._calibration = calibration
        self._watch = watch

    def take(self, sources: Sequence[AdapterSource], rounds: int) -> Iterator[int]:
        """Reads all sources in turn and yields the number of each round that is over.

        Round 0 makes, compiles and warms up; its readings are not kept.

        Raises:
            ValueError: If one of ours cannot be read.
        """
        whole = list(sources)
        for number in range(rounds + 1):
            words = f"round {number} of {rounds}" if number else "warming up"
            whole = [source for source in whole if self.read(source, words, number)]
            yield number

    def read(self, source: AdapterSource, words: str, number: int = 1) -> bool:
        """Takes one reading of a round; False if it broke, being a peer's.

        Raises:
            ValueError: If it is one of ours and cannot be read.
        """
        self._watch(f"{source.row.title}, {words}", self.done)
        try:
            loops, values = self._calibration.take(), source.read(number)
        except BrokenError as error:
            self._give_up(source.row, error)
            return False
        if number > 0:
            source.row.calibrations.append(loops)
            source.row.values.append(values[0])
            source.row.before.extend(values[1:])
        self.done += self.cost(source)
        return True

    def cost(self, source: AdapterSource) -> float:
        """Seconds that a reading and the calibration before it take, as planned."""
        return self._calibration.cost + source.cost

    def _give_up(self, row: Row, error: BrokenError) -> None:
        sentence = f"{row.title} could not be measured: {error}."
        if not row.peer:
            raise ValueError(sentence) from error
        self.broken.setdefault(row.peer, []).append(sentence)


def run(
    terms: ThroughputConfig, *, out: Path | None = None, watch: Watch | None = None
) -> ThroughputResults:
    """Measures everything that the terms name.

    Args:
        terms: What to measure.
        out: Folder for `throughput.json`, written again after every round; None keeps nothing.
        watch: Told before every reading.

    Raises:
        ValueError: If the terms name what does not exist or nothing at all, or a figure of
            ours cannot be measured.
    """
    process.check(terms.peers, terms.pythons, terms.checkout)
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
        ours = stack.enter_context(AdapterProcess(process.OURS, cpu_time=terms.cpu_time))
        clock = stack.enter_context(AdapterProcess("calibration", cpu_time=terms.cpu_time))
        other = _checkouts_process(terms, stack)
        self._found = list(process.find(terms.peers, terms.pythons, stack))
        self._sources = _in_turn(
            own_sources(ours, terms, other), _peers_sources(self._found, terms)
        )
        self._compile = compile_source(terms)
        self._memory = _memory_rows(terms)
        if not (self._sources or self._compile or self._memory):
            words = " or ".join(map(repr, terms.only))
            raise ValueError(f"There is nothing to measure with {words} in its name.")
        (calibration,) = worker_sources(
            clock, replace(terms, seconds=terms.seconds / CALIBRATION_SHARE)
        )
        self._rounds = Rounds(calibration, lambda words, done: watch(words, done / self._all()))

    def measure(self) -> ThroughputResults:
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
        sizes = process.memory(
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

    def _keep(self) -> ThroughputResults:
        """Everything that there is a reading of, written down if there is a place."""
        rows = [source.row for source in self._sources]
        rows += [self._compile.row] if self._compile is not None else []
        rows += self._memory
        said = self._rounds.broken
        found = [one.peer for one in self._found]
        known = [replace(one, broken=(*one.broken, *said.get(one.name, ()))) for one in found]
        rows = [row for row in rows if row.values]
        results = ThroughputResults(rows, known, this_machine(), self._terms.to_dict())
        if self._out is not None:
            results.save(self._out)
        return results


def _checkouts_process(terms: ThroughputConfig, stack: ExitStack) -> AdapterProcess | None:
    if terms.checkout is None:
        return None
    return stack.enter_context(
        AdapterProcess(process.OURS, checkout=terms.checkout, cpu_time=terms.cpu_time)
    )


def _peers_sources(found: Sequence[Found], terms: ThroughputConfig) -> list[AdapterSource]:
    return [
        source
        for one in found
        if one.worker is not None
        for source in worker_sources(one.worker, terms, peer=one.peer.name)
    ]


def _in_turn(ours: list[AdapterSource], theirs: list[AdapterSource]) -> list[AdapterSource]:
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
