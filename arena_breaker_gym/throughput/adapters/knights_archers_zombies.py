"""PettingZoo's knights, archers and zombies, the nearest to our kind: vectors, and pixels."""

from __future__ import annotations

import functools
from typing import Any

from arena_breaker_gym.throughput.adapters.stepping import parallel
from arena_breaker_gym.throughput.adapters.subject import Adapter, Step, Subject

NOTE = "four agents act in one step"


def _make(**settings: Any) -> Step:
    from pettingzoo.butterfly import knights_archers_zombies_v11 as game

    return parallel(game.parallel_env(**settings))


ADAPTER = Adapter(
    name="Knights, archers, zombies",
    module="pettingzoo.butterfly.knights_archers_zombies_v11",
    distributions=("pettingzoo",),
    subjects=(
        Subject("vectors", functools.partial(_make, obs_method="vector"), "state", note=NOTE),
        Subject(
            "images",
            functools.partial(_make, obs_method="image"),
            "pixels",
            size=(512, 512),
            note=NOTE,
        ),
    ),
)
