"""`Worth`: what a future is worth: lives kept, enemies hit, room to move at its end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.engine.arena import DEFEAT, VICTORY
from arena_breaker_gym.engine.player import RADIUS as PLAYER_RADIUS
from arena_breaker_gym.engine.record import Record
from arena_breaker_gym.engine.roster.stats import RADIUS

_LIFE = 10.0
_END = 100.0  # for victory; defeat costs as much
_HIT = 0.2  # for each shot of the player that hits
_SCORE = 0.02  # for each point
_IMPATIENCE = 0.3  # share of what happens that no longer counts at the horizon
_DASH = 0.5  # for a dash that is ready at the end
_SQUEEZE = 0.15  # share of the crowding at the end of a segment that counts
_RIM = (3.0, 0.1)  # m from the outer walls at which the middle is missed, and how much a metre
# How much each type's nearness is minded, and over what distance that falls off.
#                   none swarmer shooter charger splitter bomber sentinel
_FEAR = np.array(  [0.0, 1.0,    0.3,    1.2,    1.0,     2.0,   1.0])  # fmt: skip
_BERTH = np.array( [1.0, 1.5,    2.0,    2.0,    1.5,     1.8,   2.5])  # m  # fmt: skip


class Worth:
    """Adds up what happens in each arena of a batch from a moment on."""

    def __init__(self, arenas: NDArray[np.void]) -> None:
        """Begins at the moment that the arenas are in.

        Args:
            arenas: (n,) records, all of the same moment.
        """
        self._sum = np.zeros(len(arenas))
        self._last = _standing(arenas)

    def add(self, arenas: NDArray[np.void], share: float) -> None:
        """Counts what has happened since the last call.

        Args:
            arenas: (n,) records.
            share: Share of the horizon that has gone by.
        """
        now = _standing(arenas)
        self._sum += (now - self._last) * (1.0 - _IMPATIENCE * share)
        self._sum -= _SQUEEZE * _crowding(arenas)
        self._last = now

    def total(self, arenas: NDArray[np.void], stage: Record) -> NDArray[np.float64]:
        """(n,): all that was counted, and how good the moment is that the arenas are in."""
        player = arenas["player"]
        rim = np.maximum(np.abs(player["x"]) - 0.5 * stage.width + _RIM[0], 0.0)
        rim += np.maximum(np.abs(player["z"]) - 0.5 * stage.depth + _RIM[0], 0.0)
        ready = player["dash_cooldown"] == 0
        total: NDArray[np.float64] = self._sum - _crowding(arenas) - _RIM[1] * rim + _DASH * ready
        return total


def _standing(arenas: NDArray[np.void]) -> NDArray[np.float64]:
    """(n,): what has been achieved so far."""
    tally, outcome = arenas["tally"], arenas["outcome"]
    gained = _LIFE * arenas["player"]["hp"] + _HIT * tally["hits"] + _SCORE * tally["score"]
    ended = _END * (outcome == VICTORY) - _END * (outcome == DEFEAT)
    standing: NDArray[np.float64] = gained + ended
    return standing


def _crowding(arenas: NDArray[np.void]) -> NDArray[np.float64]:
    """(n,): how near enemies are, each feared in its own way."""
    player, enemies = arenas["player"], arenas["enemies"]
    kinds = enemies["kind"]
    dx = enemies["x"] - player["x"][:, None]
    dz = enemies["z"] - player["z"][:, None]
    gap = np.sqrt(dx * dx + dz * dz) - RADIUS[kinds] - PLAYER_RADIUS
    near = _FEAR[kinds] * np.exp(-np.maximum(gap, 0.0) / _BERTH[kinds])
    crowding: NDArray[np.float64] = near.sum(axis=1)
    return crowding
