"""Policies: what the tool is called with, a pure function of the snapshot."""

import json
import math
import re

_BERTH_M = 4.0  # to enemies
_DANGER_M = 1.2  # at which a dash is due
_WATCHED_M = 5.0  # to shots
_MARGIN_M = 1.0  # to hazards
_OPEN_M = 5.5  # from the middle to where the rim begins


class Steady:
    """One item a plan, held for `hold` steps: aims at the nearest enemy and keeps clear."""

    def __init__(self, hold=6):
        self.hold = hold

    def __call__(self, snapshot, tool):
        return {"plan": [_item(snapshot, self.hold)]}


class Nimble:
    """Two or three items a plan, of 1 to `hold` steps each; the first is `Steady`'s."""

    def __init__(self, hold=6):
        self.hold = hold

    def __call__(self, snapshot, tool):
        first = _item(snapshot, 1)
        position = snapshot["player"]["pos"]
        seed = round(100 * (position["x"] + 3 * position["z"])) + snapshot["score"]
        plan = []
        for index in range(2 + seed % 2):
            turned = _turned(first["move"], 0.4 * index)
            hold = 1 + (seed + 2 * index) % self.hold
            dash = first["dash"] and index == 0
            plan.append({**first, "move": turned, "dash": dash, "hold": hold})
        return {"plan": plan}


def _item(snapshot, hold):
    away, nearest = _danger(snapshot)
    x, z = _unit(*away) if math.hypot(*away) > 0.1 else _circling(snapshot)
    return {
        "move": {"x": round(x, 3), "z": round(z, 3)},
        "aim": _aim(snapshot["enemies"]),
        "dash": nearest < _DANGER_M and snapshot["player"]["dash_ready"],
        "hold": hold,
    }


def _aim(enemies):
    if not enemies:
        return {"x": 0.0, "z": 0.0}
    x, z = _unit(enemies[0]["dx"], enemies[0]["dz"])
    return {"x": round(x, 3), "z": round(z, 3)}


def _danger(snapshot):
    """The sum of all pushes, and how near the nearest enemy or shot is (m)."""
    pushes = [_from(enemy, _BERTH_M) for enemy in snapshot["enemies"]]
    pushes += [_sideways(shot) for shot in snapshot["enemy_projectiles"]]
    pushes += [_from(hazard, hazard["radius"] + _MARGIN_M) for hazard in snapshot["hazards"]]
    pushes.append(_inwards(snapshot["player"]["pos"]))
    near = snapshot["enemies"][:1] + snapshot["enemy_projectiles"][:1]
    nearest = min((math.hypot(thing["dx"], thing["dz"]) for thing in near), default=math.inf)
    return (sum(x for x, _ in pushes), sum(z for _, z in pushes)), nearest


def _from(thing, reach):
    distance = math.hypot(thing["dx"], thing["dz"])
    strength = max(0.0, reach - distance) / max(reach, 0.1)
    x, z = _unit(thing["dx"], thing["dz"])
    return -2.0 * strength * x, -2.0 * strength * z


def _sideways(shot):
    """Off the line of a shot that comes nearer, to the side on which it would miss."""
    coming = -(shot["dx"] * shot["vx"] + shot["dz"] * shot["vz"]) > 0.0
    if not coming or math.hypot(shot["dx"], shot["dz"]) > _WATCHED_M:
        return 0.0, 0.0
    side = 1.0 if shot["dx"] * shot["vz"] - shot["dz"] * shot["vx"] > 0.0 else -1.0
    x, z = _unit(-shot["vz"], shot["vx"])
    return side * x, side * z


def _inwards(position):
    x, z = position["x"], position["z"]
    return tuple(-math.copysign(max(0.0, abs(v) - _OPEN_M), v) for v in (x, z))


def _circling(snapshot):
    """Round the middle of the arena, at some metres from it."""
    x, z = snapshot["player"]["pos"]["x"], snapshot["player"]["pos"]["z"]
    distance = math.hypot(x, z)
    outwards = 0.5 * (3.5 - distance)
    across = _unit(-z, x) if distance > 0.1 else (1.0, 0.0)
    straight = _unit(x, z)
    return _unit(across[0] + outwards * straight[0], across[1] + outwards * straight[1])


def _unit(x, z):
    length = math.hypot(x, z)
    return (x / length, z / length) if length > 1e-6 else (0.0, 0.0)


def _turned(stick, angle):
    x, z = stick["x"], stick["z"]
    cos, sin = math.cos(angle), math.sin(angle)
    return {"x": round(x * cos - z * sin, 3), "z": round(x * sin + z * cos, 3)}


def read_snapshot(texts):
    """The snapshot after the last line that says "Now:" in these texts; None without one."""
    for text in reversed(texts):
        if found := list(re.finditer(r"^Now:\n", text, re.MULTILINE)):
            snapshot, _ = json.JSONDecoder().raw_decode(text[found[-1].end() :])
            return snapshot
    return None
