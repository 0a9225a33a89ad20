"""How much longer many arenas wait for a tutor than one does, and what its bookkeeping costs.

    python examples/tutor_speed.py                       # 1 and 16 arenas, 200 ms a reply
    python examples/tutor_speed.py --uneven              # replies take 100 to 300 ms

The tutor speaks to a server on loopback that answers as the Messages API does, after a delay; it is
the one that the tests use, so this script runs in a checkout of the repository. Every arena asks
equally often: its episodes are cut off after the same number of steps, before any player dies.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).parent.parent))  # `tests` is no part of the package

from arena_breaker_agents.tutors import ClaudeTutor
from arena_breaker_gym.rollout import EpisodeStore, rollout
from tests.fake_apis import FakeApis

STEPS = 120  # of an episode: 20 decisions


class UnevenApis(FakeApis):
    """Its delay differs from reply to reply, from half the mean to half as much again."""

    _draw = random.Random(0)  # nosec B311  # the same delays each time
    _mean = 0.0

    @property
    def delay(self) -> float:
        """Seconds before the next reply."""
        return self._mean * self._draw.uniform(0.5, 1.5)

    @delay.setter
    def delay(self, mean: float) -> None:
        self._mean = mean


def seconds_of(arenas: int) -> float:
    """How long as many episodes take side by side."""
    tutor = ClaudeTutor()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        try:
            played = rollout(
                tutor,
                episodes=arenas,
                num_envs=arenas,
                max_steps=STEPS,
                recorder=EpisodeStore(folder),
            )
        finally:
            tutor.close()
        taken = time.perf_counter() - began
    if not all(len(one) == STEPS for one in played):
        raise SystemExit("A player died early; arenas did not ask equally often.")
    return taken


def main(
    arenas: Annotated[int, typer.Option(min=2, help="Side by side, against one.")] = 16,
    delay: Annotated[float, typer.Option(help="Seconds before each reply.")] = 0.2,
    repeats: Annotated[int, typer.Option(min=1, help="Of each, interleaved.")] = 3,
    uneven: Annotated[bool, typer.Option(help="Replies take unequally long.")] = False,
) -> None:
    """Measures and prints medians."""
    with (UnevenApis if uneven else FakeApis)() as server:
        os.environ["ANTHROPIC_API_KEY"] = "test-key"
        os.environ["ANTHROPIC_BASE_URL"] = server.url
        seconds_of(1)  # what is compiled and imported is so
        server.delay = delay
        times: dict[int, list[float]] = {1: [], arenas: []}
        for _ in range(repeats):
            for count, taken in times.items():
                taken.append(seconds_of(count))
    one, many = (statistics.median(taken) for taken in times.values())
    decisions = STEPS // 6
    waited = decisions * delay
    print(f"one arena, {decisions} decisions: {one:.2f} s, of which replies take {waited:.2f} s")
    print(f"{arenas} arenas: {many:.2f} s, {many / one:.3f} times as long")


if __name__ == "__main__":
    typer.run(main)
