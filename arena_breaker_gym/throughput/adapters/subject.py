"""`Adapter` and `Subject`: what there is to measure of one environment, and how to step it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

Step = Callable[[], object]

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Subject:
    """One thing to measure.

    Attributes:
        name: What it is, in a few words.
        make: Makes it and returns a function that steps all its arenas once; what that one
            returns is not looked at.
        observation: "state", "pixels" or "both"; "" for what is no environment.
        arenas: Steps of an arena in one call.
        size: Width and height of an arena's picture; None without one.
        threads: Threads that step it.
        copies: Whether a batch hands out new arrays at every step, not its own buffers.
        part: Part of a run that it belongs to.
        note: What a reader should know of it when comparing.
    """

    name: str
    make: Callable[[], Step]
    observation: str = "state"
    arenas: int = 1
    size: tuple[int, int] | None = None
    threads: int = 1
    copies: bool = True
    part: str = "peers"
    note: str = ""

    def describe(self) -> dict[str, Any]:
        """All but the function, in plain JSON values."""
        values = asdict(self)
        del values["make"]
        return values


@dataclass(frozen=True)
class Adapter:
    """An environment, or a family of them that come in one distribution.

    Attributes:
        name: What people call it.
        module: What is imported of it; where that is not found, it is not installed.
        distributions: Names under which it may be installed; the first one found has its version.
        subjects: What is measured of it.
        own: Whether it is Arena Breaker itself.
    """

    name: str
    module: str
    distributions: tuple[str, ...]
    subjects: tuple[Subject, ...]
    own: bool = False
