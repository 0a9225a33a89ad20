"""`Row`: all readings of one figure, with those of the calibration loop that went before each."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

STEPS = "steps/s"
TICK = "µs"
SECONDS = "s"
MEGABYTES = "MB"
DECIMALS = {STEPS: 0, TICK: 2, SECONDS: 2, MEGABYTES: 1}


@dataclass(frozen=True)
class Spread:
    """The median of some readings, the smallest and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """The spread of at least one reading."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Row:
    """One figure.

    Attributes:
        name: What was measured.
        part: The part of a run that it belongs to.
        unit: `STEPS`, `TICK`, `SECONDS` or `MEGABYTES`.
        peer: Whose figure it is; "" for ours.
        observation: "state", "pixels" or "both"; "" where there is none.
        arenas: Arenas stepped in one call.
        size: Width and height of the picture; None without one.
        threads: Threads that step.
        copies: Whether new arrays are handed out.
        note: What a reader should know when comparing.
        values: The readings, one a round.
        calibrations: Loops a second of the calibration loop just before each reading; empty
            for what has nothing to do with time.
    """

    name: str
    part: str
    unit: str = STEPS
    peer: str = ""
    observation: str = ""
    arenas: int = 1
    size: tuple[int, int] | None = None
    threads: int = 1
    copies: bool = True
    note: str = ""
    values: list[float] = field(default_factory=list)
    calibrations: list[float] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The name, with the peer's before it."""
        return f"{self.peer}: {self.name}" if self.peer else self.name

    @property
    def more_is_better(self) -> bool:
        """Whether a larger figure is the better one."""
        return self.unit == STEPS

    @property
    def spread(self) -> Spread:
        """The readings' spread, in the row's unit."""
        return Spread.of(self.values)

    @property
    def ratios(self) -> list[float]:
        """What does not depend on the machine's speed, one a round; empty if nothing is.

        Steps for each calibration loop that the machine does in the same time, or the
        loops that fit into the seconds of a row of times.
        """
        pairs = zip(self.values, self.calibrations, strict=True) if self.calibrations else ()
        if self.more_is_better:
            return [value / loops for value, loops in pairs]
        scale = 1e-6 if self.unit == TICK else 1.0
        return [value * scale * loops for value, loops in pairs]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, the spreads of readings and ratios among them."""
        ratios = self.ratios
        return {
            **vars(self),
            **vars(self.spread),
            "ratio": vars(Spread.of(ratios)) if ratios else None,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """What `to_dict` gave.

        Raises:
            KeyError: If something is missing.
        """
        row = cls(**{name: values[name] for name in cls.__dataclass_fields__})
        row.size = None if row.size is None else (row.size[0], row.size[1])
        return row
