"""What a hit does to an enemy: hp, flash, death, what death leaves behind."""

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import ticks
from arena_breaker_gym.engine.effects import burst
from arena_breaker_gym.engine.record import Record
from arena_breaker_gym.engine.roster.splitter import BROOD
from arena_breaker_gym.engine.roster.stats import VALUE
from arena_breaker_gym.engine.spawn import spawn
from arena_breaker_gym.stages.names import SPLITTER, SWARMER

FLASH = ticks(0.1)


@compiled
def wound(arena: Record, slot: int, damage: int, by_player: bool) -> None:
    """Takes hp from the enemy in a slot; only a death by the player's shot is a kill and scores."""
    enemy = arena.enemies[slot]
    enemy.hp -= damage
    enemy.flash = FLASH
    if enemy.hp > 0:
        return
    kind = enemy.kind
    if by_player:
        arena.tally.kills += 1
        arena.tally.kills_by_type[kind] += 1
        arena.tally.score += VALUE[kind]
    remove(arena, slot)
    if kind == SPLITTER:
        _split(arena, enemy.x, enemy.z)


@compiled
def remove(arena: Record, slot: int) -> None:
    """Takes an enemy out of the arena and marks the place."""
    enemy = arena.enemies[slot]
    burst(arena, enemy.kind, enemy.x, enemy.z)
    enemy.kind = 0


@compiled
def _split(arena: Record, x: float, z: float) -> None:
    for child in range(BROOD.shape[0]):
        spawn(arena, SWARMER, x + BROOD[child, 0], z + BROOD[child, 1])
