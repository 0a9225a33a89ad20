"""MiniGrid: an empty room of 8×8 fields, seen as 256×256 RGB."""

from __future__ import annotations

from .stepping import sampled, single
from .subject import Adapter, Step, Subject


def _make() -> Step:
    import gymnasium as gym
    from minigrid.wrappers import ImgObsWrapper, RGBImgObsWrapper

    env = gym.make("MiniGrid-Empty-8x8-v0")
    env = ImgObsWrapper(RGBImgObsWrapper(env, tile_size=32))
    return single(env, sampled(env.action_space))


ADAPTER = Adapter(
    name="MiniGrid",
    module="minigrid",
    distributions=("minigrid",),
    subjects=(Subject("empty room", _make, "pixels", size=(256, 256)),),
)
