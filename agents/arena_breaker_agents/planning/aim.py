"""`Aim`: whom to shoot in each of many futures, and how far ahead of it to point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.engine.record import Record
from arena_breaker_gym.engine.shots import RANGE
from arena_breaker_gym.engine.shots import SPEED as SHOT_SPEED
from arena_breaker_gym.stages.table import DISTANCE_NODES

# How many metres nearer a target of a type counts, by enemy code.
#                      none swarmer shooter charger splitter bomber sentinel
_EAGERNESS = np.array([0.0, 1.5,    0.5,    0.5,    0.0,     3.0,   0.5])  # fmt: skip
_HIDDEN = 30.0  # m farther that a target behind a wall counts
_LOOKS = np.linspace(0.1, 0.9, 9)  # shares of the way to a target at which walls are looked for
_SLIM = 0.12  # m from a wall at which a shot still passes


class Aim:
    """Keeps a target for each arena of a batch until it is told to choose again."""

    def __init__(self, count: int) -> None:
        """Makes one that has no targets yet.

        Args:
            count: How many arenas.
        """
        self._rows = np.arange(count)
        self._targets = np.zeros(count, dtype=np.int64)

    def choose(self, arenas: NDArray[np.void], stage: Record) -> None:
        """Chooses whom to shoot in each arena: the nearest, eagerness and walls considered.

        Args:
            arenas: (n,) records.
            stage: The stage that they are on.
        """
        player, enemies = arenas["player"], arenas["enemies"]
        dx = enemies["x"] - player["x"][:, None]
        dz = enemies["z"] - player["z"][:, None]
        kinds = enemies["kind"]
        far = np.sqrt(dx * dx + dz * dz) - _EAGERNESS[kinds]
        far[kinds == 0] = np.inf
        far += _HIDDEN * _hidden(stage, player, dx, dz)
        self._targets = far.argmin(axis=1)

    def sticks(self, arenas: NDArray[np.void]) -> NDArray[np.float64]:
        """(n, 2): full sticks to where a shot would meet each target; at rest without one."""
        player = arenas["player"]
        target = arenas["enemies"][self._rows, self._targets]
        dx, dz = target["x"] - player["x"], target["z"] - player["z"]
        seconds = np.minimum(np.sqrt(dx * dx + dz * dz), RANGE) / SHOT_SPEED
        x, z = dx + target["vx"] * seconds, dz + target["vz"] * seconds
        length = np.sqrt(x * x + z * z)
        length[(length < 1e-6) | (target["kind"] == 0)] = np.inf
        return np.stack([x / length, z / length], axis=1)


def _hidden(
    stage: Record, player: NDArray[np.void], dx: NDArray[np.float64], dz: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(n, enemies): whether a wall lies between the player and each enemy."""
    middle = 0.5 * (DISTANCE_NODES - 1) + 0.5
    x = player["x"][:, None, None] + dx[..., None] * _LOOKS
    z = player["z"][:, None, None] + dz[..., None] * _LOOKS
    column = (x * stage.columns_per_metre + middle).astype(np.int64)
    row = (z * stage.rows_per_metre + middle).astype(np.int64)
    last = DISTANCE_NODES - 1
    gaps = stage.distance[np.clip(row, 0, last), np.clip(column, 0, last)]
    hidden: NDArray[np.bool_] = (gaps < _SLIM).any(axis=2)
    return hidden
