"""The calibration loop: fixed work by which runs on other machines and days can be compared.

One loop is, in about equal shares of time, arithmetic in plain Python, array work in NumPy
and a compiled integer loop, all on one core. What it computes is of no use.
"""

from __future__ import annotations

from typing import Any

from .subject import Adapter, Step, Subject


def _integers(count: int) -> int:
    value = 1
    for _ in range(count):  # every turn waits for the one before: nothing to do side by side
        value ^= (value << 13) & 0xFFFFFFFF
        value ^= value >> 17
        value ^= (value << 5) & 0xFFFFFFFF
    return value


def _make() -> Step:
    import numba
    import numpy as np

    compiled_work: Any = numba.njit(_integers)
    numbers = np.random.default_rng(0).random(40_000)

    def loop() -> None:
        _integers(3_000)
        np.sort(numbers)
        (numbers * numbers + numbers).cumsum()
        compiled_work(250_000)

    return loop


ADAPTER = Adapter(
    name="calibration",
    module="numba",
    distributions=("numba",),
    subjects=(Subject("calibration", _make, observation="", part="calibration"),),
    own=True,
)
