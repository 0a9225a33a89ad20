"""Measures this machine: steps a second, the cost of a tick, and the time to get going.

Run `python examples/throughput.py`; every figure is the median of several rounds, with the
smallest and largest beside it. `--json FILE` writes them for a script to read. Threads are
not used: every figure is one core's.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import gymnasium as gym
import numba
import numpy as np

from arena_breaker_gym.arenas import Arenas
from arena_breaker_gym.engine.arena import MAX_ENEMIES, MAX_ENEMY_SHOTS, MAX_SHOTS
from arena_breaker_gym.engine.space import push_out
from arena_breaker_gym.engine.tick import tick
from arena_breaker_gym.settings import Settings

ROUNDS = 7


def measure(once: Callable[[], float]) -> dict[str, float]:
    """Median, smallest and largest of some rounds, after one that does not count."""
    once()
    values = [once() for _ in range(ROUNDS)]
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def steps_a_second(observation: str, steps: int) -> Callable[[], float]:
    """One environment as a user steps it, through `gym.make`, ended episodes reset."""
    env = gym.make("ArenaBreaker-v0", observation=observation)
    actions = np.random.default_rng(0).uniform(-1, 1, (steps, 5)).astype(np.float32)

    def once() -> float:
        env.reset(seed=0)
        start = time.perf_counter()
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return steps / (time.perf_counter() - start)

    return once


def batch_steps_a_second(observation: str, count: int, steps: int) -> Callable[[], float]:
    """A native batch as a user steps it, through `gym.make_vec`."""
    envs = gym.make_vec("ArenaBreaker-v0", num_envs=count, observation=observation)
    actions = np.random.default_rng(0).uniform(-1, 1, (steps, count, 5)).astype(np.float32)

    def once() -> float:
        envs.reset(seed=0)
        start = time.perf_counter()
        for action in actions:
            envs.step(action)
        return steps * count / (time.perf_counter() - start)

    return once


def full_arena() -> Arenas:
    """Stage 3 with every slot taken: 24 enemies of all types, 48 shots, 64 enemy shots."""
    arenas = Arenas(Settings(start_stage=3), count=1)
    arenas.reset(0, (1, 2))
    arena = arenas.records[0]
    generator = np.random.default_rng(0)
    _scatter(
        arena.enemies,
        generator,
        kind=1 + np.arange(MAX_ENEMIES) % 6,
        hp=1_000_000,
        serial=np.arange(24),
    )
    _scatter(arena.shots, generator, live=np.ones(MAX_SHOTS), reach=14.0)
    _scatter(arena.enemy_shots, generator, live=np.ones(MAX_ENEMY_SHOTS), reach=2.0)
    arena.player.hp = 1_000_000
    _clear_of_walls(arena, arenas)
    return arenas


def _clear_of_walls(arena: np.record, arenas: Arenas) -> None:
    """Nothing in play stands in a wall."""
    stage = arenas.campaign[2]
    for things, radius in ((arena.enemies, 0.8), (arena.shots, 0.3), (arena.enemy_shots, 0.3)):
        for thing in things:
            thing.x, thing.z = push_out(stage, thing.x, thing.z, radius)


def _scatter(things: np.ndarray, generator: np.random.Generator, **fields: object) -> None:
    for name, value in fields.items():
        things[name] = value
    things["x"] = generator.uniform(-11, 11, len(things))
    things["z"] = generator.uniform(-10, 10, len(things))
    angle = generator.uniform(0, 2 * np.pi, len(things))
    things["vx"] = 8.0 * np.cos(angle)
    things["vz"] = 8.0 * np.sin(angle)


@numba.njit
def _tick_full(arenas, full, action, campaign, count):  # noqa: ANN001, ANN202  (compiled)
    for _ in range(count):
        arenas[0] = full[0]
        tick(arenas[0], action, campaign)


def microseconds_a_tick() -> Callable[[], float]:
    """A full arena's tick, with the copy of the record that keeps it full."""
    arenas = full_arena()
    full = arenas.records.copy()
    action = np.array([0.5, 0.5, 1.0, 0.0, 0.0])
    count = 20_000

    def once() -> float:
        start = time.perf_counter()
        _tick_full(arenas.records, full, action, arenas.campaign, count)
        return (time.perf_counter() - start) / count * 1e6

    return once


START = """
import time
import gymnasium as gym, numba, numpy
start = time.perf_counter()
env = gym.make("ArenaBreaker-v0")
made = time.perf_counter()
env.reset(seed=0)
env.step(env.action_space.sample())
print(made - start, time.perf_counter() - start)
"""


def seconds_to_start(environment: dict[str, str]) -> list[float]:
    """Seconds for `gym.make`, and for make, reset and one step, in a new process."""
    result = subprocess.run(
        [sys.executable, "-c", START],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(word) for word in result.stdout.split()]


def measure_start() -> dict[str, dict[str, float]]:
    """Starting with everything compiled, and once with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        cold = seconds_to_start({"NUMBA_CACHE_DIR": folder, "ARENA_BREAKER_CACHE": folder})[1]
    seconds_to_start({})
    warm = [seconds_to_start({})[0] for _ in range(3)]
    return {
        "gym.make once compiled, s": {
            "median": statistics.median(warm),
            "low": min(warm),
            "high": max(warm),
        },
        "first make, reset and step, nothing compiled, s": {
            "median": cold,
            "low": cold,
            "high": cold,
        },
    }


def main() -> None:
    """Prints one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    figures = {
        "one environment, state, steps/s": measure(steps_a_second("state", 20_000)),
        "one environment, pixels 256, steps/s": measure(steps_a_second("pixels", 3_000)),
        "one environment, both, steps/s": measure(steps_a_second("both", 3_000)),
        "batch of 256, state, steps/s": measure(batch_steps_a_second("state", 256, 100)),
        "batch of 64, pixels 256, steps/s": measure(batch_steps_a_second("pixels", 64, 40)),
        "a tick of a full arena, microseconds": measure(microseconds_a_tick()),
        **measure_start(),
    }
    for name, figure in figures.items():
        print(
            f"{name:52s} {figure['median']:12,.2f}  ({figure['low']:,.2f} .. {figure['high']:,.2f})"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
