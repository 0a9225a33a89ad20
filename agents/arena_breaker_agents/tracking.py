"""What a reader of snapshots can work out: where things are and how they move."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP = 1.0 / 30.0  # s between two snapshots at the default frame skip
_FASTEST = 13.0  # m/s; what moved faster is not the same enemy


@dataclass(frozen=True)
class Scene:
    """A snapshot as arrays; offsets are metres from the player, velocities m/s in the world.

    Attributes:
        position: (2,) of the player.
        hp: Of the player.
        dash_ready: Whether a dash may begin.
        types: Of the enemies, nearest first.
        enemies: (n, 2) offsets.
        enemy_velocities: (n, 2), worked out from the last two snapshots.
        projectiles: (m, 2) offsets.
        projectile_velocities: (m, 2).
        hazards: (k, 2) offsets.
        hazard_velocities: (k, 2), worked out likewise.
        hazard_radii: (k,), 0 for spikes that are not up.
    """

    position: NDArray[np.float64]
    hp: int
    dash_ready: bool
    types: list[str]
    enemies: NDArray[np.float64]
    enemy_velocities: NDArray[np.float64]
    projectiles: NDArray[np.float64]
    projectile_velocities: NDArray[np.float64]
    hazards: NDArray[np.float64]
    hazard_velocities: NDArray[np.float64]
    hazard_radii: NDArray[np.float64]


def _pairs(rows: list[dict[str, Any]], x: str, z: str) -> NDArray[np.float64]:
    return np.array([(row[x], row[z]) for row in rows], dtype=np.float64).reshape(-1, 2)


class Tracker:
    """Remembers the last snapshot of one arena."""

    def __init__(self) -> None:
        """Starts with no memory."""
        self._last: Scene | None = None

    def see(self, snapshot: dict[str, Any]) -> Scene:
        """The scene of a snapshot, with velocities from the one before."""
        player = snapshot["player"]
        position = np.array([player["pos"]["x"], player["pos"]["z"]])
        types = [row["type"] for row in snapshot["enemies"]]
        enemies = _pairs(snapshot["enemies"], "dx", "dz")
        hazards = _pairs(snapshot["hazards"], "dx", "dz")
        scene = Scene(
            position=position,
            hp=player["hp"],
            dash_ready=player["dash_ready"],
            types=types,
            enemies=enemies,
            enemy_velocities=self._enemy_velocities(types, enemies + position),
            projectiles=_pairs(snapshot["enemy_projectiles"], "dx", "dz"),
            projectile_velocities=_pairs(snapshot["enemy_projectiles"], "vx", "vz"),
            hazards=hazards,
            hazard_velocities=self._hazard_velocities(hazards + position),
            hazard_radii=np.array(
                [row["radius"] if row.get("active", True) else 0.0 for row in snapshot["hazards"]]
            ),
        )
        self._last = scene
        return scene

    def _enemy_velocities(
        self, types: list[str], places: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(n, 2): from the nearest enemy of the same type a step ago; 0 where there is none."""
        last = self._last
        if last is None or not last.types or not types:
            return np.zeros_like(places)
        moved = places[:, None] - (last.enemies + last.position)[None]  # (n, m, 2)
        distance = np.hypot(moved[..., 0], moved[..., 1])
        distance[np.array(types)[:, None] != np.array(last.types)[None]] = np.inf
        match = distance.argmin(axis=1)
        rows = np.arange(len(types))
        velocities: NDArray[np.float64] = moved[rows, match] / STEP
        velocities[distance[rows, match] > _FASTEST * STEP] = 0.0
        return velocities

    def _hazard_velocities(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """(k, 2): hazards keep their order while the stage lasts."""
        last = self._last
        if last is None or len(last.hazards) != len(places):
            return np.zeros_like(places)
        velocities: NDArray[np.float64] = (places - last.hazards - last.position) / STEP
        velocities[np.hypot(velocities[:, 0], velocities[:, 1]) > _FASTEST] = 0.0
        return velocities
