"""`ThroughputConfig`: what a run measures, how often and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


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
    """

    parts: tuple[Part, ...] = tuple(Part)
    only: tuple[str, ...] = ()
    rounds: int = 7
    seconds: float = 0.3
    memory_steps: int = 10_000_000
    peers: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()

    @classmethod
    def of(cls, *, quick: bool, **wishes: Any) -> Self:
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
        """Plain JSON values; where this machine keeps its interpreters is nobody's business."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
            if name != "pythons"
        }
