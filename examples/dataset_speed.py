"""Measures how fast training examples are made: streamed from episodes, by workers, in memory.

Run `python examples/dataset_speed.py`; it plays a few episodes, then makes shuffled batches of
256 × 256 frames, chunks and auxiliary targets. A figure is the median of several rounds, and
starting the workers is not part of it.
"""

import argparse
import statistics
import time
from collections.abc import Iterator

import numpy as np
import torch

from arena_breaker_agents.registry import make_agent
from arena_breaker_gym.rollout import Episode, rollout
from nitrogen_adapter.data.dataset import ChunkSettings, EpisodeExamples
from nitrogen_adapter.data.examples import Batch, Examples, batches

BATCH = 32
WARM_UP = 20  # batches that do not count: workers start, and save their states of the play


def samples_a_second(examples: Examples, *, workers: int, rounds: int, per_round: int) -> float:
    """Median over some rounds of shuffled batches."""
    order = np.random.default_rng(0)
    count = WARM_UP + rounds * per_round
    orders = [order.integers(0, len(examples), BATCH) for _ in range(count)]
    made = batches(examples, orders, workers=workers)
    take(made, WARM_UP)
    speeds = [BATCH * per_round / take(made, per_round) for _ in range(rounds)]
    return statistics.median(speeds)


def take(made: Iterator[Batch], count: int) -> float:
    """Seconds to get some batches."""
    start = time.perf_counter()
    for _ in range(count):
        next(made)
    return time.perf_counter() - start


def demonstrations(count: int, steps: int) -> list[Episode]:
    """Episodes of the scripted tutor, stage 1, 2, 3 in turn."""
    return rollout(make_agent("scripted"), episodes=count, stage=(1, 2, 3), max_steps=steps)


def main() -> None:
    """Prints one line a way of making batches."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=6)
    parser.add_argument("--steps", type=int, default=900, help="of each episode, at most")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=60, help="of a round")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    examples = EpisodeExamples(demonstrations(arguments.episodes, arguments.steps), ChunkSettings())
    size = {"rounds": arguments.rounds, "per_round": arguments.batches}
    print(f"{len(examples):,} examples of 256 x 256 pixels, batches of {BATCH}")
    print(f"{'way':36}{'samples/s':>12}")
    for workers in (0, 1, 2):
        speed = samples_a_second(examples, workers=workers, **size)
        print(f"{f'streamed, {workers} workers':36}{speed:12,.0f}")
    for title in ("in memory: made first, fresh memory", "in memory: made again"):
        start = time.perf_counter()
        made = len(examples.collect())
        print(f"{title:36}{made / (time.perf_counter() - start):12,.0f}")
    whole = examples.collect()
    speed = samples_a_second(whole, workers=0, **size)
    print(f"{'in memory: batches':36}{speed:12,.0f}")


if __name__ == "__main__":
    main()
