"""`Adapter` and `Subject`: what there is to measure of one environment, and how to step it.

Environments of well-known forms are stepped with random actions that were drawn before.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

Step = Callable[[], object]

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Subject:
    """One thing to measure.

    Attributes:
        name: What it is, in a few words.
        make: Makes it and returns a function that steps all its arenas once; what that one
            returns is not looked at.
        observation: "state", "pixels" or "both"; "" for what is no environment.
        arenas: Steps of an arena in one call.
        size: Width and height of an arena's picture; None without one.
        threads: Threads that step it.
        copies: Whether a batch hands out new arrays at every step, not its own buffers.
        part: Part of a run that it belongs to.
        note: What a reader should know of it when comparing.
    """

    name: str
    make: Callable[[], Step]
    observation: str = "state"
    arenas: int = 1
    size: tuple[int, int] | None = None
    threads: int = 1
    copies: bool = True
    part: str = "peers"
    note: str = ""

    def describe(self) -> dict[str, Any]:
        """All but the function, in plain JSON values."""
        values = asdict(self)
        del values["make"]
        return values


@dataclass(frozen=True)
class Adapter:
    """An environment, or a family of them that come in one distribution.

    Attributes:
        name: What people call it.
        module: What is imported of it; where that is not found, it is not installed.
        distributions: Names under which it may be installed; the first one found has its version.
        subjects: What is measured of it.
        own: Whether it is Arena Breaker itself.
    """

    name: str
    module: str
    distributions: tuple[str, ...]
    subjects: tuple[Subject, ...]
    own: bool = False


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
