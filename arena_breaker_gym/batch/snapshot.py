"""The article's structured state: one arena as the JSON that a tutor reads, key for key."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.engine.arena import PLAYER
from arena_breaker_gym.engine.hazards import UP
from arena_breaker_gym.stages.table import ENEMY_TYPES, HAZARD_TYPES, SPIKES

_PLAYER_FIELDS = tuple(PLAYER.names or ())


def snapshot(records: NDArray[np.void], index: int) -> dict[str, Any]:
    """The state of one arena in plain JSON values, rounded to 2 decimals.

    Args:
        records: (n,) array of dtype `engine.arena.ARENA`.
        index: Which of them.

    Returns:
        `player` (pos, hp, dash_ready, aim), `enemies` and `enemy_projectiles` (nearest
        first, relative to the player, metres and m/s), `hazards` (in the stage's order;
        spikes also say whether they are `active`), `stage` and `wave` (from 1; wave 0 is
        the pause before the first), `score`.
    """
    # Whole columns, then one row: fields of a single record are slow to get at from Python.
    player = dict(zip(_PLAYER_FIELDS, records["player"][index].item(), strict=True))
    x, z = player["x"], player["z"]
    return {
        "player": {
            "pos": {"x": _round(x), "z": _round(z)},
            "hp": player["hp"],
            "dash_ready": player["dash_cooldown"] == 0,
            "aim": {"x": _round(player["aim_x"]), "z": _round(player["aim_z"])},
        },
        "enemies": _enemies(records["enemies"][index], x, z),
        "enemy_projectiles": _projectiles(records["enemy_shots"][index], x, z),
        "hazards": _hazards(records["hazards"][index], x, z),
        "stage": int(records["stage"][index]) + 1,
        "wave": int(records["director"]["wave"][index]) + 1,
        "score": int(records["statistics"]["score"][index]),
    }


def _round(value: float) -> float:
    return round(value, 2) + 0.0  # no minus zero


def _rounded(column: NDArray[np.float64]) -> list[float]:
    numbers: list[float] = (column.round(2) + 0.0).tolist()
    return numbers


def _enemies(enemies: NDArray[np.void], x: float, z: float) -> list[dict[str, object]]:
    present = np.flatnonzero(enemies["kind"])
    dx = enemies["x"][present] - x
    dz = enemies["z"][present] - z
    squared = dx * dx + dz * dz
    # By the square, as the state's tables: two that differ may have one root.
    order = np.argsort(squared, kind="stable")
    distance = np.sqrt(squared)
    columns = (
        enemies["kind"][present[order]].tolist(),
        _rounded(dx[order]),
        _rounded(dz[order]),
        _rounded(distance[order]),
        enemies["hp"][present[order]].tolist(),
    )
    return [
        {"type": ENEMY_TYPES[kind], "dx": dx, "dz": dz, "dist": reach, "hp": hp}
        for kind, dx, dz, reach, hp in zip(*columns, strict=True)
    ]


def _projectiles(shots: NDArray[np.void], x: float, z: float) -> list[dict[str, float]]:
    present = np.flatnonzero(shots["live"])
    dx = shots["x"][present] - x
    dz = shots["z"][present] - z
    order = np.argsort(dx * dx + dz * dz, kind="stable")
    columns = (
        _rounded(dx[order]),
        _rounded(dz[order]),
        _rounded(shots["vx"][present[order]]),
        _rounded(shots["vz"][present[order]]),
    )
    return [
        {"dx": dx, "dz": dz, "vx": vx, "vz": vz} for dx, dz, vx, vz in zip(*columns, strict=True)
    ]


def _hazards(hazards: NDArray[np.void], x: float, z: float) -> list[dict[str, object]]:
    present = hazards[hazards["kind"] != 0]
    columns = (
        present["kind"].tolist(),
        _rounded(present["x"] - x),
        _rounded(present["z"] - z),
        _rounded(present["radius"]),
        (present["phase"] == UP).tolist(),
    )
    return [
        {"type": HAZARD_TYPES[kind], "dx": dx, "dz": dz, "radius": radius}
        | ({"active": up} if kind == SPIKES else {})
        for kind, dx, dz, radius, up in zip(*columns, strict=True)
    ]
