"""PettingZoo's Waterworld, whose bodies move in pymunk."""

from __future__ import annotations

from arena_breaker_gym.throughput.adapters.stepping import parallel
from arena_breaker_gym.throughput.adapters.subject import Adapter, Step, Subject


def _make() -> Step:
    from pettingzoo.sisl import waterworld_v4

    return parallel(waterworld_v4.parallel_env())


ADAPTER = Adapter(
    name="Waterworld",
    module="pettingzoo.sisl.waterworld_v4",
    distributions=("pettingzoo",),
    subjects=(Subject("sensors", _make, "state", note="two agents act in one step"),),
)
