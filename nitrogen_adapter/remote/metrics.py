"""`Metrics`: what a server did, in numbers that stay few however long it runs."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

PERCENTILES = (50, 95, 99)

_FINENESS = math.log(1.02)  # of a latency: 2 %, so that a day's latencies are some hundred counts
_LEAST_S = 1e-6


class Latencies:
    """Seconds, counted by their size."""

    def __init__(self) -> None:
        """Begin with none."""
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[round(math.log(max(seconds, _LEAST_S) / _LEAST_S) / _FINENESS)] += 1

    def percentile(self, percent: float) -> float | None:
        """Seconds within which so many in a hundred lie, to 1 %; None: there are none."""
        left = math.ceil(self._counts.total() * percent / 100)
        for size, count in sorted(self._counts.items()):
            left -= count
            if left <= 0:
                return _LEAST_S * math.exp(size * _FINENESS)
        return None


class Metrics:
    """Counts of requests and forward passes over some time.

    Attributes:
        counts: of requests by what became of them: "served", "refused" (what the client sent is
            wrong), "failed" (the model did) and "turned away" (the queue was full).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now.

        Args:
            clock: seconds.
        """
        self._clock = clock
        self._began = clock()
        self._latencies = Latencies()
        self._shared: Counter[int] = Counter()  # passes by the requests that shared them
        self._frames = 0
        self.counts: Counter[str] = Counter()

    def count(self, outcome: str, seconds: float) -> None:
        """Count a request that was answered.

        Args:
            outcome: what became of it, as in `counts`.
            seconds: from its arrival to its answer.
        """
        self.counts[outcome] += 1
        self._latencies.add(seconds)

    def count_pass(self, requests: int, frames: int) -> None:
        """Count a forward pass."""
        self._shared[requests] += 1
        self._frames += frames

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._clock() - self._began

    def to_dict(self) -> dict[str, Any]:
        """Return all as JSON values; latencies in milliseconds."""
        passes = self._shared.total()
        predicted = sum(requests * times for requests, times in self._shared.items())
        return {
            "seconds": round(self.seconds, 3),
            "requests": self.counts.total(),
            **{name: self.counts[name] for name in ("refused", "failed", "turned away")},
            "latency_ms": {f"p{one}": self._milliseconds(one) for one in PERCENTILES},
            "passes": passes,
            "requests_per_pass": round(predicted / passes, 2) if passes else None,
            "most_requests_per_pass": max(self._shared, default=None),
            "frames": self._frames,
        }

    def __str__(self) -> str:
        """In one line."""
        return _sentence(self.to_dict())

    def _milliseconds(self, percent: float) -> float | None:
        seconds = self._latencies.percentile(percent)
        return None if seconds is None else float(f"{1000 * seconds:.3g}")


def _sentence(told: Mapping[str, Any]) -> str:
    """Say in one line what `Metrics.to_dict` tells."""
    bad = ", ".join(f"{told[name]} {name}" for name in ("refused", "failed", "turned away"))
    said = f"{told['seconds']:.0f} s: {told['requests']} requests ({bad})"
    if told["requests"]:
        latency = ", ".join(f"{name} {ms:g} ms" for name, ms in told["latency_ms"].items())
        said += f"; latency {latency}"
    if told["passes"]:
        said += (
            f"; {told['passes']} forward passes of {told['requests_per_pass']:g} requests on "
            f"average, {told['most_requests_per_pass']} at most"
        )
    return f"{said}."
