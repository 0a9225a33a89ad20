"""PufferLib's games in C: Impulse Wars, a twin-stick arena with Box2D, and Breakout."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from arena_breaker_gym.throughput.adapters.stepping import TURNS, batch
from arena_breaker_gym.throughput.adapters.subject import Adapter, Step, Subject

BATCH_OF_ARENAS = 64
BATCH_OF_BREAKOUTS = 1024


def _impulse_wars(arenas: int) -> Step:
    import numpy as np
    from pufferlib.ocean.impulse_wars.impulse_wars import ImpulseWars

    env: Any = ImpulseWars(arenas, continuous=True)
    shape = (TURNS, env.num_agents, *env.single_action_space.shape)
    return batch(env, np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32))


def _breakout(arenas: int) -> Step:
    import numpy as np
    from pufferlib.ocean.breakout.breakout import Breakout

    env: Any = Breakout(num_envs=arenas)
    return batch(env, np.random.default_rng(0).integers(0, 3, (TURNS, env.num_agents)))


def _subject(name: str, make: Callable[[int], Step], arenas: int) -> Subject:
    words = name if arenas == 1 else f"{name}, batch of {arenas:,}"
    return Subject(
        words, functools.partial(make, arenas), "state", arenas=arenas, threads=1, copies=False
    )


ADAPTER = Adapter(
    name="PufferLib",
    module="pufferlib",
    distributions=("pufferlib",),
    subjects=(
        _subject("Impulse Wars", _impulse_wars, 1),
        _subject("Impulse Wars", _impulse_wars, BATCH_OF_ARENAS),
        _subject("Breakout in C", _breakout, BATCH_OF_BREAKOUTS),
    ),
)
