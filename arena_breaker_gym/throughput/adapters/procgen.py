"""Procgen: starpilot, 64×64 RGB, alone and as a batch in threads."""

from __future__ import annotations

import functools
import itertools

from arena_breaker_gym.throughput.adapters.stepping import TURNS
from arena_breaker_gym.throughput.adapters.subject import CORES, Adapter, Step, Subject

BATCH = 64
ACTIONS = 15


def _make(arenas: int, threads: int) -> Step:
    import numpy as np
    from procgen import ProcgenGym3Env

    env = ProcgenGym3Env(
        num=arenas, env_name="starpilot", rand_seed=0, num_threads=threads if threads > 1 else 0
    )
    drawn = np.random.default_rng(0).integers(0, ACTIONS, (TURNS, arenas), dtype=np.int32)
    turns = itertools.cycle(drawn)

    def step() -> None:
        env.act(next(turns))
        env.observe()

    return step


def _subject(name: str, arenas: int, threads: int) -> Subject:
    return Subject(
        name,
        functools.partial(_make, arenas, threads),
        "pixels",
        arenas=arenas,
        size=(64, 64),
        threads=threads,
        copies=False,
    )


ADAPTER = Adapter(
    name="Procgen",
    module="procgen",
    distributions=("procgen", "procgen-mirror", "procgen2"),
    subjects=(_subject("starpilot", 1, 1), _subject(f"starpilot, batch of {BATCH}", BATCH, CORES)),
)
