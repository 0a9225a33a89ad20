"""`Search`: plays many futures of one moment in the simulator itself and finds the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arena_breaker_agents.planning.aim import Aim
from arena_breaker_agents.planning.futures import STICKS, Futures, drawn, straight, varied
from arena_breaker_agents.planning.options import PlannerOptions
from arena_breaker_agents.planning.played import Played
from arena_breaker_agents.planning.worth import Worth
from arena_breaker_gym.batch.arenas import ACTION_LENGTH, Arenas
from arena_breaker_gym.settings import Settings

_PARENTS = 8  # futures that the next round varies
_HEIRS = 8  # of a search's first futures, how many vary what was planned before


class Search:
    """Arenas of its own, in which futures are played; the game that they start from is another."""

    def __init__(self, settings: Settings, options: PlannerOptions) -> None:
        """Makes the arenas.

        Args:
            settings: Of the game that is to be played.
            options: How far to look, and at how many futures.
        """
        self.options = options
        self._arenas = Arenas(settings, count=options.candidates)
        self._actions = np.zeros((options.horizon, options.candidates, ACTION_LENGTH), np.float32)
        self._aim = Aim(options.candidates)

    def best(self, state: bytes, last: Futures | None, generator: np.random.Generator) -> Played:
        """The best future found, alone.

        Args:
            state: A saved state of the game; see `Arenas.save`.
            last: The future that was best a segment ago; None: there is none.
            generator: For what is drawn.

        Raises:
            ValueError: If the state is of other stages or of another engine.
        """
        options = self.options
        found = self._play(state, self._first(last, generator))
        for _ in range(options.rounds - 1):
            parents = found.best(_PARENTS)
            heirs = varied(parents.futures, options.candidates, generator)
            found = parents.then(self._play(state, heirs))
        return found.best(1)

    def _first(self, last: Futures | None, generator: np.random.Generator) -> Futures:
        """What a search begins with: what was planned, straight ways, and drawn ones."""
        segments, count = self.options.segments, self.options.candidates
        futures = straight(segments)
        if last is not None:
            going_on = last.later()
            futures = going_on.then(futures).then(varied(going_on, _HEIRS, generator))
        missing = max(count - len(futures), 0)
        return futures.then(drawn(missing, segments, generator))[:count]

    def _play(self, state: bytes, futures: Futures) -> Played:
        """Plays as many futures as there are arenas to the horizon."""
        arenas, horizon, hold = self._arenas, self.options.horizon, self.options.hold
        arenas.restore(0, state)
        arenas.records[:] = arenas.records[0]
        stage = arenas.campaign[arenas.records[0].stage]
        worth = Worth(arenas.records)
        for step in range(horizon):
            segment, within = divmod(step, hold)
            if within == 0:
                self._aim.choose(arenas.records, stage)
            self._act(step, futures.moves[:, segment], futures.dashes[:, segment] & (within == 0))
            if within == hold - 1:
                worth.add(arenas.records, (step + 1) / horizon)
        begun = self._actions[:hold].swapaxes(0, 1).copy()
        return Played(futures, worth.total(arenas.records, stage), begun)

    def _act(self, step: int, moves: NDArray[np.int64], dashes: NDArray[np.bool_]) -> None:
        """Moves every arena on by one step, aiming as it goes."""
        # Rounded to float32 as the game's own actions are, so that what is foreseen happens.
        actions = self._actions[step]
        actions[:, :2] = STICKS[moves]
        actions[:, 2:4] = self._aim.sticks(self._arenas.records)
        actions[:, 4] = dashes
        self._arenas.step(actions)
