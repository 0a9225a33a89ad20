"""A campaign's geometry in words: what stands where, which the snapshot does not tell."""

from __future__ import annotations

from collections.abc import Sequence

from arena_breaker_gym.stages.model import (
    Box,
    Circle,
    Hazard,
    Obstacle,
    Saw,
    Stage,
)


def campaign_in_words(stages: Sequence[Stage]) -> str:
    """A paragraph a stage, metres in stage coordinates."""
    return "\n\n".join(_stage(number, stage) for number, stage in enumerate(stages, start=1))


def _stage(number: int, stage: Stage) -> str:
    right, down = stage.size.width / 2, stage.size.depth / 2
    lines = [
        f'Stage {number}, "{stage.name}": floor from x {-right:g} to {right:g} and z {-down:g} to '
        f"{down:g}, walls all round. You begin at ({stage.start.x:g}, {stage.start.z:g})."
    ]
    if stage.obstacles:
        lines.append("Obstacles: " + "; ".join(map(_obstacle, stage.obstacles)) + ".")
    if stage.hazards:
        lines.append("Hazards: " + "; ".join(map(_hazard, stage.hazards)) + ".")
    return "\n".join(lines)


def _obstacle(obstacle: Obstacle) -> str:
    if isinstance(obstacle, Circle):
        return f"circle at ({obstacle.x:g}, {obstacle.z:g}), radius {obstacle.radius:g}"
    if isinstance(obstacle, Box) and obstacle.angle == 0.0:
        return (
            f"box x {obstacle.x - obstacle.width / 2:g} to {obstacle.x + obstacle.width / 2:g}, "
            f"z {obstacle.z - obstacle.depth / 2:g} to {obstacle.z + obstacle.depth / 2:g}"
        )
    corners = obstacle.corners() if isinstance(obstacle, Box) else obstacle.points
    return "polygon " + _points(corners)


def _hazard(hazard: Hazard) -> str:
    if isinstance(hazard, Saw):
        way = "round and round" if hazard.closed else "there and back"
        return (
            f"saw, radius {hazard.radius:g}, along {_points(hazard.track)} {way} "
            f"at {hazard.speed:g} m/s"
        )
    return (
        f"spikes at ({hazard.x:g}, {hazard.z:g}), radius {hazard.radius:g}, "
        f"down {hazard.down:g} s, warning {hazard.warn:g} s, up {hazard.up:g} s"
    )


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"({round(x, 2) + 0.0:g}, {round(z, 2) + 0.0:g})" for x, z in points)
