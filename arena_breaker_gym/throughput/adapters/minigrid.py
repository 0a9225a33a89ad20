"""MiniGrid: an empty room of 8×8 fields, seen as 256×256 RGB."""

from __future__ import annotations

from arena_breaker_gym.throughput.adapters.stepping import sampled, single
from arena_breaker_gym.throughput.adapters.subject import Adapter, Step, Subject

STEPS_BEFORE = 300  # it draws a field when it is first seen, and keeps it


def _make() -> Step:
    import gymnasium as gym
    from minigrid.wrappers import ImgObsWrapper, RGBImgObsWrapper

    env = gym.make("MiniGrid-Empty-8x8-v0")
    env = ImgObsWrapper(RGBImgObsWrapper(env, tile_size=32))
    step = single(env, sampled(env.action_space))
    for _ in range(STEPS_BEFORE):
        step()
    return step


ADAPTER = Adapter(
    name="MiniGrid",
    module="minigrid",
    distributions=("minigrid",),
    subjects=(Subject("empty room", _make, "pixels", size=(256, 256)),),
)
