"""The calibration loop: fixed work by which runs on other machines and days can be compared.

One loop is, in about equal shares of time, arithmetic in plain Python, array work in NumPy
and a compiled integer loop, all on one core. What it computes is of no use.
"""

from __future__ import annotations

from .subject import Adapter, Step, Subject


def _make() -> Step:
    import numba
    import numpy as np

    @numba.njit
    def compiled_work(count: int) -> int:  # type: ignore[misc]  # Numba's decorator is untyped
        value = 1
        for _ in range(count):
            value = (value * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        return value

    numbers = np.random.default_rng(0).random(10_000)

    def loop() -> None:
        value = 0
        for number in range(5_000):
            value = (value * 31 + number) & 0xFFFF
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
