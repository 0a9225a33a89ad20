"""What a hit does to the player: hp, grace, the shove, the end."""

import numpy as np

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import DEFEAT, PLAYER_HIT, PLAYING, ticks
from arena_breaker_gym.engine.effects import burst
from arena_breaker_gym.engine.record import Record

GRACE = ticks(0.75)
SHOVE = 7.0  # m/s at the hit; our own value
SHOVE_KEPT = 0.86  # share of the shove left after each tick; our own value


@compiled
def damage_player(arena: Record, damage: int, cause: int, away_x: float, away_z: float) -> bool:
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
    arena.tally.damage_taken += lost
    burst(arena, PLAYER_HIT, player.x, player.z)
    _shove(player, away_x, away_z)
    if player.hp <= 0:
        arena.outcome = DEFEAT
        arena.tally.cause_of_death = cause
    return True


@compiled
def _shove(player: Record, away_x: float, away_z: float) -> None:
    length = np.sqrt(away_x * away_x + away_z * away_z)
    if length > 1e-9:
        player.push_x = SHOVE * away_x / length
        player.push_z = SHOVE * away_z / length
