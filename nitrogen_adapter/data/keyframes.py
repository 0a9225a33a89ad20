"""`KeyFrames`: any moment of an episode at once, by playing on from a state saved before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.engine.arena import ARENA
from arena_breaker_gym.rollout import Episode
from arena_breaker_gym.rollout.replay import resimulate

CLOSEST = 8
"""Fewest steps between two saved states: playing these takes as long as drawing the frame."""


class KeyFrames:
    """States of one episode, saved every so many steps."""

    def __init__(self, episode: Episode, *, spacing: int) -> None:
        """Play an episode to its end once and save states on the way.

        Args:
            episode: of T steps.
            spacing: steps from one saved state to the next.

        Raises:
            ReplayError: if the episode does not play as recorded.
        """
        self._actions = episode.actions
        self._spacing = spacing
        self._states: list[bytes] = []
        for step, arenas in resimulate(episode):
            if step % spacing == 0:
                self._states.append(arenas.save(0))

    def walk(self, arenas: Arenas, steps: Iterable[int]) -> Iterator[int]:
        """Put an arena at some moments, one after the other.

        Args:
            arenas: a batch of one with the episode's settings; it is played on.
            steps: of the moments, rising, 0 to T.

        Yields:
            Each step, with the arena as the agent saw it then.
        """
        now = -1
        for step in steps:
            key = step // self._spacing
            if now < key * self._spacing:
                arenas.restore(0, self._states[key])
                now = key * self._spacing
            for action in self._actions[now:step]:
                arenas.step(action[np.newaxis])
            now = step
            yield step


def spacing_for(steps: int, memory: int) -> int:
    """Steps between saved states so that those of so many steps fit into some bytes."""
    return max(CLOSEST, -(-steps * ARENA.itemsize // max(memory, 1)))
