"""EnvPool: Atari's Pong as a batch in threads, frames scaled to 84×84 greys."""

from __future__ import annotations

from arena_breaker_gym.throughput.adapters.stepping import TURNS, batch
from arena_breaker_gym.throughput.adapters.subject import CORES, Adapter, Step, Subject

BATCH = 64


def _make() -> Step:
    import envpool
    import numpy as np

    envs = envpool.make("Pong-v5", env_type="gymnasium", num_envs=BATCH, num_threads=CORES, seed=0)
    actions = envs.action_space.n
    return batch(envs, np.random.default_rng(0).integers(0, actions, (TURNS, BATCH)))


ADAPTER = Adapter(
    name="EnvPool",
    module="envpool",
    distributions=("envpool",),
    subjects=(
        Subject(
            f"Atari Pong, batch of {BATCH}",
            _make,
            "pixels",
            arenas=BATCH,
            size=(84, 84),
            threads=CORES,
            note="frame skip 4, four greys stacked",
        ),
    ),
)
