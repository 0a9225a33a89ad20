"""`ScriptedBaseline`: a calm hand-written player that reads the snapshot and nothing else.

It weighs a ring of possible moves against all that it would meet there, aims ahead of its
target, and dashes when nothing else helps. What it knows of the game is what a player knows
after some rounds; it sees neither walls nor the future.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.rollout.agent import Observations

STEP = 1.0 / 30.0  # s between two snapshots at the default frame skip
_FASTEST = 13.0  # m/s; what moved faster is not the same enemy

SHOT_SPEED = 18.0  # m/s
WALK_SPEED = 6.0  # m/s
DASH_LENGTH = 3.0  # m
_DIRECTIONS = 16
_ANGLES = 2.0 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
_RING = np.vstack([np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1), np.zeros((1, 2))])
_HORIZONS = np.array([0.1, 0.25, 0.45])  # s ahead at which a move is judged

# How far from each type it likes to be (m), and how much it minds being nearer.
_BERTH = {
    "swarmer": (3.0, 1.0),
    "shooter": (3.5, 0.4),
    "charger": (4.5, 1.2),
    "splitter": (3.5, 1.0),
    "bomber": (4.0, 1.6),
    "sentinel": (5.0, 1.0),
}
# How many metres nearer a target of a type counts when it chooses which enemy to shoot.
_EAGERNESS = {"bomber": 3.0, "swarmer": 1.5, "charger": 0.5, "shooter": 0.0}

_OPEN = np.array([6.0, 6.5])  # m from the middle to where the rim begins, along x and z
_TOUCH = 1.2  # m between centres: about to be touched
_DASH_AT = 1.5  # cost of the best walk above which a dash is thought of
_DASH_PRICE = 0.7  # what being without a dash for a second is worth


@dataclass(frozen=True)
class TrackedArena:
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


def _pairs(rows: list[dict[str, object]], x: str, z: str) -> NDArray[np.float64]:
    return np.array([(row[x], row[z]) for row in rows], dtype=np.float64).reshape(-1, 2)


class Tracker:
    """Remembers the last snapshot of one arena."""

    def __init__(self) -> None:
        """Starts with no memory."""
        self._last: TrackedArena | None = None

    def see(self, snapshot: dict[str, Any]) -> TrackedArena:
        """The scene of a snapshot, with velocities from the one before."""
        player = snapshot["player"]
        position = np.array([player["pos"]["x"], player["pos"]["z"]])
        types = [row["type"] for row in snapshot["enemies"]]
        enemies = _pairs(snapshot["enemies"], "dx", "dz")
        hazards = _pairs(snapshot["hazards"], "dx", "dz")
        scene = TrackedArena(
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


class ScriptedBaseline:
    """Keeps its distance, leads its shots, walks round hazards, dashes out of the way of shots."""

    name = "scripted"
    needs = ("snapshot",)

    def __init__(self) -> None:
        """Makes an agent that has met no arena yet."""
        self._trackers: dict[int, Tracker] = {}

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """Forgets what it saw in these arenas; it draws nothing at random."""
        for arena in arenas:
            self._trackers[arena] = Tracker()

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.float32]:
        """One action for each arena, (n, 5)."""
        return np.array(
            [
                self._decide(snapshot, self._trackers.setdefault(arena, Tracker()))
                for snapshot, arena in zip(observations.snapshots, arenas, strict=True)
            ],
            dtype=np.float32,
        )

    def close(self) -> None:
        """Holds nothing that needs closing."""

    def _decide(self, snapshot: dict[str, object], tracker: Tracker) -> tuple[float, ...]:
        scene = tracker.see(snapshot)
        move, dash = _choose_move(scene)
        aim = _choose_aim(scene)
        return (*move, *aim, dash)


def _choose_aim(scene: TrackedArena) -> tuple[float, float]:
    """Full stick at the place where a shot would meet the target; idle without one."""
    if not scene.types:
        return 0.0, 0.0
    distance = np.hypot(scene.enemies[:, 0], scene.enemies[:, 1])
    eagerness = np.array([_EAGERNESS.get(kind, 0.0) for kind in scene.types])
    target = int((distance - eagerness).argmin())
    x, z = _lead(scene.enemies[target], scene.enemy_velocities[target])
    length = float(np.hypot(x, z)) or 1.0
    return float(x) / length, float(z) / length


def _lead(offset: NDArray[np.float64], velocity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a shot fired now meets a target that keeps its velocity (two fixed-point rounds)."""
    meeting = offset
    for _ in range(2):
        meeting = offset + velocity * (np.hypot(meeting[0], meeting[1]) / SHOT_SPEED)
    return meeting


def _choose_move(scene: TrackedArena) -> tuple[tuple[float, float], float]:
    """The least bad of the ring's moves, and 1.0 if it is a dash."""
    walks = _cost(scene, WALK_SPEED * _RING[:, None] * _HORIZONS[None, :, None])
    best = int(walks.argmin())
    dash = 0.0
    if scene.dash_ready and walks[best] > _DASH_AT:
        # A dash is over in 0.15 s, so it is judged as if it had arrived at once.
        leaps = np.repeat(DASH_LENGTH * _RING[:-1, None], len(_HORIZONS), axis=1)
        dashes = _cost(scene, leaps) + _DASH_PRICE
        if dashes.min() < walks[best]:
            best, dash = int(dashes.argmin()), 1.0
    return (float(_RING[best, 0]), float(_RING[best, 1])), dash


def _cost(scene: TrackedArena, ways: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each of several ways (w, horizons, 2), as offsets from here, would cost; (w,)."""
    cost = _wall_cost(scene.position + ways[:, -1])
    if scene.types:
        cost += _enemy_cost(scene, ways)
    if len(scene.projectiles):
        cost += _projectile_cost(scene, ways)
    if len(scene.hazards):
        cost += _hazard_cost(scene, ways)
    return cost


def _gaps(
    ways: NDArray[np.float64], offsets: NDArray[np.float64], velocities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distances (w, horizons, n) between the player on each way and n moving things."""
    things = offsets[None] + velocities[None] * _HORIZONS[:, None, None]  # (horizons, n, 2)
    gaps = ways[:, :, None] - things[None]
    distances: NDArray[np.float64] = np.hypot(gaps[..., 0], gaps[..., 1])
    return distances


def _wall_cost(ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """It cannot see walls, but knows that the middle is open and the rim is a trap."""
    beyond = np.maximum(np.abs(ends) - _OPEN, 0.0)
    cost: NDArray[np.float64] = 1.2 * (beyond**2).sum(axis=1) + 0.02 * np.hypot(*ends.T)
    return cost


def _enemy_cost(scene: TrackedArena, ways: NDArray[np.float64]) -> NDArray[np.float64]:
    berth = np.array([_BERTH[kind][0] for kind in scene.types])
    weight = np.array([_BERTH[kind][1] for kind in scene.types])
    gaps = _gaps(ways, scene.enemies, scene.enemy_velocities)
    near = np.maximum(berth - gaps, 0.0) / berth
    touch = gaps < _TOUCH
    cost: NDArray[np.float64] = (weight * near**2 + 3.0 * touch).sum(axis=2).mean(axis=1)
    return cost


def _projectile_cost(scene: TrackedArena, ways: NDArray[np.float64]) -> NDArray[np.float64]:
    gaps = _gaps(ways, scene.projectiles, scene.projectile_velocities)
    cost: NDArray[np.float64] = (4.0 * np.maximum(1.1 - gaps, 0.0)).sum(axis=2).mean(axis=1)
    return cost


def _hazard_cost(scene: TrackedArena, ways: NDArray[np.float64]) -> NDArray[np.float64]:
    gaps = _gaps(ways, scene.hazards, scene.hazard_velocities)
    # Spikes that are down may be crossed, not lingered on.
    reach = np.where(scene.hazard_radii > 0.0, scene.hazard_radii + 1.0, 0.6)
    weight = np.where(scene.hazard_radii > 0.0, 6.0, 0.5)
    cost: NDArray[np.float64] = (weight * np.maximum(reach - gaps, 0.0)).sum(axis=2).mean(axis=1)
    return cost
