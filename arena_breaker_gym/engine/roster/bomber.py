"""Bomber: lights a fuse near the player and blasts friend and foe; shot before, it dies quietly."""

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import BLAST, MAX_ENEMIES, ArenaRecord, ticks
from arena_breaker_gym.engine.damage import burst, damage_player, remove, wound
from arena_breaker_gym.engine.roster import SPEED
from arena_breaker_gym.engine.steering import chase, face, stand
from arena_breaker_gym.stages.table import BOMBER, StageRecord

FUSE = 1  # phase: lit

FUSE_TICKS = ticks(0.6)
TRIGGER = 1.4  # m between centres
BLAST_RADIUS = 2.2  # m
BLAST_DAMAGE = 2


@compiled
def act(arena: ArenaRecord, slot: int, stage: StageRecord) -> None:
    """One tick of a bomber's mind."""
    enemy = arena.enemies[slot]
    player = arena.player
    if enemy.phase == FUSE:
        stand(enemy)
        if enemy.clock == 0:
            _blast(arena, slot)
        return
    chase(arena, enemy, player.x, player.z, SPEED[BOMBER], stage)
    if face(enemy, player.x, player.z) < TRIGGER:
        enemy.phase = FUSE
        enemy.clock = FUSE_TICKS


@compiled
def _blast(arena: ArenaRecord, slot: int) -> None:
    # A splitter that dies in the blast may give this slot to a child: keep the place.
    x = arena.enemies[slot].x
    z = arena.enemies[slot].z
    remove(arena, slot)
    burst(arena, BLAST, x, z)
    for other in range(MAX_ENEMIES):
        enemy = arena.enemies[other]
        if enemy.kind != 0 and _within(enemy.x - x, enemy.z - z):
            wound(arena, other, BLAST_DAMAGE, False)
    dx = arena.player.x - x
    dz = arena.player.z - z
    if _within(dx, dz):
        damage_player(arena, BLAST_DAMAGE, BOMBER, dx, dz)


@compiled
def _within(dx: float, dz: float) -> bool:
    return dx * dx + dz * dz <= BLAST_RADIUS * BLAST_RADIUS
