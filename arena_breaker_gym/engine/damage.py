"""What a hit does to enemies and to the player, what it leaves behind, and how enemies come in."""

import numpy as np

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import (
    DEFEAT,
    MAX_EFFECTS,
    MAX_ENEMIES,
    PLAYER_HIT,
    PLAYING,
    ArenaRecord,
    PlayerRecord,
    ticks,
)
from arena_breaker_gym.engine.roster import HP, VALUE, WALKING
from arena_breaker_gym.engine.roster.splitter import BROOD
from arena_breaker_gym.stages.table import SPLITTER, SWARMER

GRACE = ticks(0.75)
SHOVE = 7.0  # m/s at the hit; our own value
SHOVE_KEPT = 0.86  # share of the shove left after each tick; our own value

FIRST_ATTACK = ticks(1.0)  # no newcomer attacks from afar before; our own value

FLASH = ticks(0.1)


@compiled
def burst(arena: ArenaRecord, kind: int, x: float, z: float) -> None:
    """Leaves a mark; the oldest of the last 16 gives way."""
    mark = arena.effects[arena.effect_count % MAX_EFFECTS]
    arena.effect_count += 1
    mark.kind = kind
    mark.x = x
    mark.z = z
    mark.tick = arena.tick


@compiled
def damage_player(
    arena: ArenaRecord, damage: int, cause: int, away_x: float, away_z: float
) -> bool:
    """Hurts the player unless something shields it.

    Args:
        arena: The arena's record.
        damage: Hp to lose.
        cause: What did it: an index into `arena.CAUSES`.
        away_x: x of the vector from the cause to the player, any length.
        away_z: z of that vector.

    Returns:
        Whether the hit counted: not in a dash, in the grace after a hit, or after the end.
    """
    player = arena.player
    if player.grace > 0 or player.dash > 0 or arena.outcome != PLAYING:
        return False
    lost = min(damage, player.hp)
    player.hp -= lost
    player.grace = GRACE
    arena.statistics.damage_taken += lost
    burst(arena, PLAYER_HIT, player.x, player.z)
    _shove(player, away_x, away_z)
    if player.hp <= 0:
        arena.outcome = DEFEAT
        arena.statistics.cause_of_death = cause
    return True


@compiled
def _shove(player: PlayerRecord, away_x: float, away_z: float) -> None:
    length = np.sqrt(away_x * away_x + away_z * away_z)
    if length > 1e-9:
        player.push_x = SHOVE * away_x / length
        player.push_z = SHOVE * away_z / length


@compiled
def free_slot(arena: ArenaRecord) -> int:
    """The first empty enemy slot, -1 when all 24 are taken."""
    for slot in range(MAX_ENEMIES):
        if arena.enemies[slot].kind == 0:
            return slot
    return -1


@compiled
def spawn(arena: ArenaRecord, kind: int, x: float, z: float) -> bool:
    """Brings an enemy in at (x, z), facing the player; False when the arena is full."""
    slot = free_slot(arena)
    if slot < 0:
        return False
    arena.serial += 1
    enemy = arena.enemies[slot]
    enemy.kind = kind
    enemy.x = x
    enemy.z = z
    enemy.vx = 0.0
    enemy.vz = 0.0
    enemy.heading_x = 0.0
    enemy.heading_z = 1.0
    enemy.hp = HP[kind]
    enemy.phase = WALKING
    enemy.clock = 0
    enemy.reload = FIRST_ATTACK
    enemy.flash = 0
    enemy.sight = 0
    enemy.serial = arena.serial
    _forget_slot(arena, slot)
    return True


@compiled
def _forget_slot(arena: ArenaRecord, slot: int) -> None:
    """Forgets that shots under way passed through a slot's last enemy: a new one has the slot."""
    for shot in arena.shots:
        shot.passing &= ~(1 << slot)


@compiled
def wound(arena: ArenaRecord, slot: int, damage: int, by_player: bool) -> None:
    """Takes hp from the enemy in a slot; only a death by the player's shot is a kill and scores."""
    enemy = arena.enemies[slot]
    enemy.hp -= damage
    enemy.flash = FLASH
    if enemy.hp > 0:
        return
    kind = enemy.kind
    if by_player:
        arena.statistics.kills += 1
        arena.statistics.kills_by_type[kind] += 1
        arena.statistics.score += VALUE[kind]
    remove(arena, slot)
    if kind == SPLITTER:
        _split(arena, enemy.x, enemy.z)


@compiled
def remove(arena: ArenaRecord, slot: int) -> None:
    """Takes an enemy out of the arena and marks the place."""
    enemy = arena.enemies[slot]
    burst(arena, enemy.kind, enemy.x, enemy.z)
    enemy.kind = 0


@compiled
def _split(arena: ArenaRecord, x: float, z: float) -> None:
    for child in range(BROOD.shape[0]):
        spawn(arena, SWARMER, x + BROOD[child, 0], z + BROOD[child, 1])
