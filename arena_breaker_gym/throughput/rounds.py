"""`Rounds`: readings taken in turn, A B C A B C, each after one of the calibration loop."""

from collections.abc import Callable, Iterator, Sequence

from arena_breaker_gym.throughput.process import BrokenError
from arena_breaker_gym.throughput.rows import Row
from arena_breaker_gym.throughput.sources import Source

# Told before every reading what is read, and the seconds of work done so far, as planned.
Watch = Callable[[str, float], None]


class Rounds:
    """Takes readings; a peer that breaks is left out from then on.

    Attributes:
        broken: By peer, a sentence for each of its figures that could not be read.
        done: Seconds of work done, as planned.
    """

    def __init__(self, calibration: Source, watch: Watch) -> None:
        """Prepares for readings, each of which `calibration` goes before."""
        self.broken: dict[str, list[str]] = {}
        self.done = 0.0
        self._calibration = calibration
        self._watch = watch

    def take(self, sources: Sequence[Source], rounds: int) -> Iterator[int]:
        """Reads all sources in turn and yields the number of each round that is over.

        Round 0 makes, compiles and warms up; its readings are not kept.

        Raises:
            ValueError: If one of ours cannot be read.
        """
        whole = list(sources)
        for number in range(rounds + 1):
            words = f"round {number} of {rounds}" if number else "warming up"
            whole = [source for source in whole if self.read(source, words, keep=number > 0)]
            yield number

    def read(self, source: Source, words: str, *, keep: bool = True) -> bool:
        """Takes one reading; False if it broke, being a peer's.

        Raises:
            ValueError: If it is one of ours and cannot be read.
        """
        self._watch(f"{source.row.title}, {words}", self.done)
        try:
            loops, value = self._calibration.take(), source.take()
        except BrokenError as error:
            self._give_up(source.row, error)
            return False
        if keep:
            source.row.calibrations.append(loops)
            source.row.values.append(value)
        self.done += self.cost(source)
        return True

    def cost(self, source: Source) -> float:
        """Seconds that a reading and the calibration before it take, as planned."""
        return self._calibration.cost + source.cost

    def _give_up(self, row: Row, error: BrokenError) -> None:
        sentence = f"{row.title} could not be measured: {error}."
        if not row.peer:
            raise ValueError(sentence) from error
        self.broken.setdefault(row.peer, []).append(sentence)
