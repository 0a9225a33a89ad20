"""Crafter: 64×64 RGB, through its own interface of the old form."""

from __future__ import annotations

import itertools

from arena_breaker_gym.throughput.adapters.stepping import TURNS
from arena_breaker_gym.throughput.adapters.subject import Adapter, Step, Subject


def _make() -> Step:
    import crafter
    import numpy as np

    env = crafter.Env(seed=0)
    drawn = np.random.default_rng(0).integers(0, env.action_space.n, TURNS)
    turns = itertools.cycle(drawn.tolist())
    env.reset()

    def step() -> None:
        *_, done, _ = env.step(next(turns))
        if done:
            env.reset()

    return step


ADAPTER = Adapter(
    name="Crafter",
    module="crafter",
    distributions=("crafter",),
    subjects=(Subject("world", _make, "pixels", size=(64, 64)),),
)
