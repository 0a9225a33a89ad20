"""The game's own random numbers: a counter hashed with two keys, held in the arena's record.

Products stay below 2^63, so compiled and plain Python give the same numbers.
"""

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import RandomRecord

_MASK = 0xFFFFFFFF
# Two odd 31-bit multipliers and shifts of a 32-bit integer hash found by Chris Wellons'
# hash prospector (public domain); `tests/arena_breaker_gym/engine/test_random.py` checks what
# play needs of it.
_FIRST, _SECOND = 0x2C1B3C6D, 0x297A2D39
_WEYL = 0x1E3779B1  # odd, spreads neighbouring counters


@compiled
def _scramble(value: int) -> int:
    value ^= value >> 15
    value = (value * _FIRST) & _MASK
    value ^= value >> 12
    value = (value * _SECOND) & _MASK
    return value ^ (value >> 15)


@compiled
def uniform(random: RandomRecord, low: float, high: float) -> float:
    """Draws a number in [low, high) and moves the counter on."""
    random.counter += 1
    mixed = _scramble((random.counter * _WEYL + random.key0) & _MASK)
    mixed = _scramble((mixed + random.key1) & _MASK)
    return low + (high - low) * (mixed * (1.0 / 4294967296.0))
