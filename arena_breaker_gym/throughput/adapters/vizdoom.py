"""ViZDoom: the basic scenario, 320×240 RGB."""

from __future__ import annotations

from arena_breaker_gym.throughput.adapters.stepping import sampled, single
from arena_breaker_gym.throughput.adapters.subject import Adapter, Step, Subject


def _make() -> Step:
    import gymnasium as gym
    from vizdoom import gymnasium_wrapper  # noqa: F401  (registers its environments)

    env = gym.make("VizdoomBasic-v1")
    return single(env, sampled(env.action_space))


ADAPTER = Adapter(
    name="ViZDoom",
    module="vizdoom",
    distributions=("vizdoom",),
    subjects=(Subject("basic", _make, "pixels", size=(320, 240)),),
)
