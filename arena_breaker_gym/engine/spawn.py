"""How an enemy comes into the arena."""

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import MAX_ENEMIES, ticks
from arena_breaker_gym.engine.record import Record
from arena_breaker_gym.engine.roster.stats import HP, WALKING

FIRST_ATTACK = ticks(1.0)  # no newcomer attacks from afar before; our own value


@compiled
def free_slot(arena: Record) -> int:
    """The first empty enemy slot, -1 when all 24 are taken."""
    for slot in range(MAX_ENEMIES):
        if arena.enemies[slot].kind == 0:
            return slot
    return -1


@compiled
def spawn(arena: Record, kind: int, x: float, z: float) -> bool:
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
def _forget_slot(arena: Record, slot: int) -> None:
    """A newcomer is nobody whom shots under way have passed through."""
    for shot in arena.shots:
        shot.passing &= ~(1 << slot)
