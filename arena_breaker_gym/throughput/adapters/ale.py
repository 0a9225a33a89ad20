"""The Arcade Learning Environment: Breakout, 160×210 RGB."""

from __future__ import annotations

import functools

from arena_breaker_gym.throughput.adapters.stepping import sampled, single
from arena_breaker_gym.throughput.adapters.subject import Adapter, Step, Subject

SIZE = (160, 210)


def _make(frame_skip: int) -> Step:
    import ale_py
    import gymnasium as gym

    gym.register_envs(ale_py)
    env = gym.make("ALE/Breakout-v5", frameskip=frame_skip)
    return single(env, sampled(env.action_space))


ADAPTER = Adapter(
    name="ALE",
    module="ale_py",
    distributions=("ale-py",),
    subjects=tuple(
        Subject(f"Breakout, frame skip {skip}", functools.partial(_make, skip), "pixels", size=SIZE)
        for skip in (4, 1)
    ),
)
