"""Gates: openings in the outer wall before the zones in which enemies appear."""

from collections.abc import Sequence
from dataclasses import dataclass

from arena_breaker_gym.stages.model import Stage, Zone

_NEAREST = 3.0  # m from a zone's middle to a wall that has its gate
_WIDEST, _SHARE = 3.2, 0.45  # m, and of the zone's length along the wall


@dataclass(frozen=True)
class Gate:
    """An opening in one side of the outer wall.

    Attributes:
        x, z: Its middle, on the floor's edge.
        half: Half its width, metres.
        inwards: Unit vector from it into the arena.
    """

    x: float
    z: float
    half: float
    inwards: tuple[int, int]


def gates_of(stage: Stage) -> list[Gate]:
    """The gates of a stage: one for each zone near a wall, where two overlap the first."""
    gates: list[Gate] = []
    for zone in stage.zones:
        gate = _gate_of(zone, stage)
        if gate is not None and not any(_overlap(gate, other) for other in gates):
            gates.append(gate)
    return gates


def openings(gates: Sequence[Gate], inwards: tuple[int, int]) -> list[tuple[float, float]]:
    """From where to where the wall with that inward side is open, along it, in order."""
    along = 0 if inwards[0] == 0 else 1
    chosen = [gate for gate in gates if gate.inwards == inwards]
    middles = [((gate.x, gate.z)[along], gate.half) for gate in chosen]
    return sorted((middle - half, middle + half) for middle, half in middles)


def _gate_of(zone: Zone, stage: Stage) -> Gate | None:
    right, down = stage.size.width / 2, stage.size.depth / 2
    sides = {
        (1, 0): (zone.x + right, -right, zone.z, zone.depth, down),
        (-1, 0): (right - zone.x, right, zone.z, zone.depth, down),
        (0, 1): (zone.z + down, -down, zone.x, zone.width, right),
        (0, -1): (down - zone.z, down, zone.x, zone.width, right),
    }
    inwards, (distance, edge, middle, length, reach) = min(sides.items(), key=lambda one: one[1][0])
    half = min(_WIDEST, _SHARE * length) / 2
    if distance > _NEAREST or abs(middle) + half > reach - 0.5:
        return None
    x, z = (edge, middle) if inwards[0] else (middle, edge)
    return Gate(x, z, half, inwards)


def _overlap(one: Gate, other: Gate) -> bool:
    apart = abs(one.x - other.x) + abs(one.z - other.z)
    return one.inwards == other.inwards and apart < one.half + other.half + 0.5
