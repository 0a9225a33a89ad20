"""Agents for tests of travelling; workers import this file, so it imports little."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np

from arena_breaker_agents.baselines import RandomAgent


class Doomed(RandomAgent):
    """Takes its process down at one moment, as often as it may."""

    def __init__(self, tally: Path, *, times: int):
        super().__init__()
        self.tally, self.times, self.steps = tally, times, {}

    def reset(self, arenas, seed):
        super().reset(arenas, seed)
        self.steps[arenas[0]] = (seed, 0)

    def act(self, observations, arenas):
        for arena in arenas:
            seed, steps = self.steps[arena]
            self.steps[arena] = seed, steps + 1
            died = len(self.tally.read_text()) if self.tally.exists() else 0
            if (seed, steps) == (5, 20) and died < self.times:
                self.tally.write_text("x" * (died + 1))
                os.kill(os.getpid(), signal.SIGKILL)
        return super().act(observations, arenas)


class Broken(RandomAgent):
    def act(self, observations, arenas):
        raise RuntimeError("a bug")


class Unsendable(RandomAgent):
    def __init__(self):
        self.lock = threading.Lock()


class Heavy(RandomAgent):
    """Holds weights, and says how it is made of them: once in each of two workers."""

    name = "random"

    def __init__(self, folder: Path):
        super().__init__()
        self.folder, self.weights = folder, np.arange(10**6, dtype=np.float32)

    def agent_factory(self):
        return Load(self.weights, self.folder)


class Load:
    pickled = 0

    def __init__(self, weights, folder):
        self.weights, self.folder = weights, folder

    def __getstate__(self):
        Load.pickled += 1
        return self.__dict__

    def __call__(self, ask):
        assert not self.weights.flags.writeable  # shared memory
        assert self.weights.sum(dtype=np.float64) == 999_999 * 500_000
        (self.folder / str(os.getpid())).touch()
        patience = time.monotonic() + 60.0
        while len(list(self.folder.iterdir())) < 2 and time.monotonic() < patience:
            time.sleep(0.01)  # or the first might have played all before the second has come
        return RandomAgent()
