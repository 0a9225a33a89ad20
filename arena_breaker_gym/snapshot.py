"""The article's structured state: one arena as the JSON that a tutor reads, key for key."""

from typing import Any

import numpy as np

from arena_breaker_gym.engine.hazards import UP
from arena_breaker_gym.stages.names import ENEMY_TYPES, HAZARD_TYPES, SPIKES


def snapshot(arena: np.record) -> dict[str, Any]:
    """The state of one arena in plain JSON values, rounded to 2 decimals.

    Args:
        arena: The arena's record.

    Returns:
        `player` (pos, hp, dash_ready, aim), `enemies` and `enemy_projectiles` (nearest
        first, relative to the player, metres and m/s), `hazards` (in the stage's order;
        spikes also say whether they are `active`), `stage` and `wave` (from 1; wave 0 is
        the pause before the first), `score`.
    """
    player = arena.player
    return {
        "player": {
            "pos": {"x": _round(player.x), "z": _round(player.z)},
            "hp": int(player.hp),
            "dash_ready": bool(player.dash_cooldown == 0),
            "aim": {"x": _round(player.aim_x), "z": _round(player.aim_z)},
        },
        "enemies": _enemies(arena),
        "enemy_projectiles": _projectiles(arena),
        "hazards": _hazards(arena),
        "stage": int(arena.stage) + 1,
        "wave": int(arena.director.wave) + 1,
        "score": int(arena.tally.score),
    }


def _round(value: float) -> float:
    return round(float(value), 2) + 0.0  # no minus zero


def _enemies(arena: np.record) -> list[dict[str, Any]]:
    present = arena.enemies[arena.enemies["kind"] != 0]
    dx = present["x"] - arena.player.x
    dz = present["z"] - arena.player.z
    distance = np.sqrt(dx * dx + dz * dz)
    order = np.argsort(distance, kind="stable")
    return [
        {"type": ENEMY_TYPES[kind], "dx": x + 0.0, "dz": z + 0.0, "dist": reach, "hp": hp}
        for kind, x, z, reach, hp in zip(
            present["kind"][order].tolist(),
            dx[order].round(2).tolist(),
            dz[order].round(2).tolist(),
            distance[order].round(2).tolist(),
            present["hp"][order].tolist(),
            strict=True,
        )
    ]


def _projectiles(arena: np.record) -> list[dict[str, float]]:
    present = arena.enemy_shots[arena.enemy_shots["live"] != 0]
    dx = present["x"] - arena.player.x
    dz = present["z"] - arena.player.z
    order = np.argsort(dx * dx + dz * dz, kind="stable")
    columns = (dx[order], dz[order], present["vx"][order], present["vz"][order])
    return [
        {"dx": x + 0.0, "dz": z + 0.0, "vx": vx + 0.0, "vz": vz + 0.0}
        for x, z, vx, vz in zip(*(column.round(2).tolist() for column in columns), strict=True)
    ]


def _hazards(arena: np.record) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    for hazard in arena.hazards[arena.hazards["kind"] != 0]:
        row: dict[str, Any] = {
            "type": HAZARD_TYPES[hazard["kind"]],
            "dx": _round(hazard["x"] - arena.player.x),
            "dz": _round(hazard["z"] - arena.player.z),
            "radius": _round(hazard["radius"]),
        }
        if hazard["kind"] == SPIKES:
            row["active"] = bool(hazard["phase"] == UP)
        listed.append(row)
    return listed
