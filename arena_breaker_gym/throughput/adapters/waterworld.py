"""PettingZoo's Waterworld, whose bodies move in pymunk."""

from __future__ import annotations

from .stepping import parallel
from .subject import Adapter, Step, Subject


def _make() -> Step:
    from pettingzoo.sisl import waterworld_v4

    return parallel(waterworld_v4.parallel_env())


ADAPTER = Adapter(
    name="Waterworld",
    module="pettingzoo.sisl.waterworld_v4",
    distributions=("pettingzoo",),
    subjects=(Subject("sensors", _make, "state", note="two agents act in one step"),),
)
