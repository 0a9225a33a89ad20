"""How environments of well-known forms are stepped: random actions that were drawn before."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from .subject import Step

TURNS = 512


def sampled(space: Any, turns: int = TURNS) -> list[Any]:
    """Actions drawn from a Gymnasium or Gym space, the same ones every time."""
    space.seed(0)
    return [space.sample() for _ in range(turns)]


def single(env: Any, actions: Iterable[Any]) -> Step:
    """One Gymnasium environment; ended episodes are reset."""
    env.reset(seed=0)
    turns = itertools.cycle(actions)

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(next(turns))
        if terminated or truncated:
            env.reset()

    return step


def batch(envs: Any, actions: Iterable[Any]) -> Step:
    """A batch that resets its ended episodes by itself."""
    envs.reset()
    turns = itertools.cycle(actions)
    return lambda: envs.step(next(turns))


def parallel(env: Any) -> Step:
    """A PettingZoo environment in which all agents act at once; ended episodes are reset."""
    spaces = {agent: env.action_space(agent) for agent in env.possible_agents}
    drawn = {agent: sampled(space, TURNS) for agent, space in spaces.items()}
    turns = itertools.cycle(range(TURNS))
    env.reset(seed=0)

    def step() -> None:
        if not env.agents:
            env.reset()
        turn = next(turns)
        env.step({agent: drawn[agent][turn] for agent in env.agents})

    return step
