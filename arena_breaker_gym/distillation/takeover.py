"""`Takeover`: what an agent would do from given states on, found by letting it take over there.

Each state is copied into arenas of its own, where the agent plays a few steps; the game that the
state came from goes on as if nothing had been.
"""

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.batch.arenas import ACTION_LENGTH, Arenas
from arena_breaker_gym.rollout.agent import Agent, RunAware
from arena_breaker_gym.rollout.batch import observations_of
from arena_breaker_gym.rollout.plan import Plan
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings


class Takeover:
    """Arenas in which one agent takes over."""

    def __init__(
        self, agent: Agent, settings: Settings, *, count: int = 256, num_threads: int = 1
    ) -> None:
        """Makes the arenas.

        Args:
            agent: Who takes over; it begins every time without a memory.
            settings: Of the game that states come from.
            count: States that are played on side by side.
            num_threads: That step arenas; they change no result.
        """
        self._agent = agent
        self._arenas = Arenas(settings, count=count, num_threads=num_threads)
        if isinstance(agent, RunAware):
            plan = Plan(
                agent=agent.name,
                settings=settings,
                seed=0,
                stages=(1,),
                max_steps=MAX_EPISODE_STEPS,
            )
            agent.prepare(plan, None, episodes=0)

    def chunks(self, records: NDArray[np.void], *, steps: int) -> NDArray[np.float32]:
        """The agent's actions from some states on.

        Args:
            records: (n,) of dtype `engine.arena.ARENA`, episodes under way.
            steps: How many steps it plays.

        Returns:
            (n, steps, 5) actions; after an episode's end its last action stands.
        """
        count = len(self._arenas)
        parts = [
            self._chunks(records[first : first + count], steps)
            for first in range(0, len(records), count)
        ]
        return np.concatenate(parts)

    def _chunks(self, records: NDArray[np.void], steps: int) -> NDArray[np.float32]:
        arenas, count = self._arenas, len(records)
        arenas.records[:count] = records
        arenas.terminated[:] = False
        playing = np.arange(len(arenas)) < count
        actions = np.zeros((len(arenas), ACTION_LENGTH), dtype=np.float32)
        played = np.zeros((count, steps, ACTION_LENGTH), dtype=np.float32)
        self._agent.reset(range(count), 0)
        for step in range(steps):
            rows = np.flatnonzero(playing).tolist()
            if rows:
                seen = observations_of(arenas, rows, self._agent.needs)
                actions[rows] = self._agent.act(seen, rows)
                arenas.step(actions, playing)
                playing &= ~arenas.terminated
            played[:, step] = actions[:count]
        return played
