"""Marks of deaths and blasts: written by the rules for the renderer's eyes, read by no rule."""

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import MAX_BURSTS
from arena_breaker_gym.engine.record import Record


@compiled
def burst(arena: Record, kind: int, x: float, z: float) -> None:
    """Leaves a mark; the oldest of the last 16 gives way."""
    mark = arena.bursts[arena.burst_count % MAX_BURSTS]
    arena.burst_count += 1
    mark.kind = kind
    mark.x = x
    mark.z = z
    mark.tick = arena.tick
