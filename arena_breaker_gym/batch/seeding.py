"""`KeyStreams`: where every arena of a batch takes the keys of its next episodes from.

A stream is the generator that Gymnasium gives to one environment, NumPy's PCG64, stepped in
compiled code: an arena's keys are those that a single environment with the same seed draws,
reset for reset. `tests/arena_breaker_gym/batch/test_keys.py` holds the two against each other.
"""

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from arena_breaker_gym._runtime.jit import compiled, jit_cached

# 128-bit numbers are kept as eight limbs of 16 bits, the lowest first: products and their sums
# stay below 2^63, so compiled and plain Python give the same numbers.
_LIMBS, _BITS, _MASK = 8, 16, 0xFFFF
_WORD = 0xFFFFFFFF


def _limbs(number: int) -> list[int]:
    return [number >> _BITS * place & _MASK for place in range(_LIMBS)]


_MULTIPLIER = np.array(_limbs(0x2360ED051FC65DA44385DF649FCCF645))  # PCG64's


class KeyStreams:
    """One stream of keys an arena; a stream that was never seeded is seeded by chance."""

    def __init__(self, count: int) -> None:
        """Makes `count` streams."""
        self._state = np.zeros((count, 2 * _LIMBS), dtype=np.int64)  # the state, then what is added
        self._seeded = np.zeros(count, dtype=np.bool_)
        self._keys = np.zeros((count, 2), dtype=np.int64)

    def seed(self, index: int, seed: int) -> None:
        """Puts a stream at the beginning of what a seed gives.

        Raises:
            gymnasium.error.Error: If it is no whole number of at least 0.
        """
        state = seeding.np_random(seed)[0].bit_generator.state["state"]
        self._state[index] = _limbs(state["state"]) + _limbs(state["inc"])
        self._seeded[index] = True

    def draw(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The next keys of some arenas.

        Args:
            chosen: (n,) whose streams move on.

        Returns:
            (n, 2) 32-bit keys, those of arenas that are not chosen as they were; written again
            by the next call.
        """
        unseeded = chosen & ~self._seeded
        if unseeded.any():
            self._seed_by_chance(unseeded)
        draw_keys_of(self._state, chosen, self._keys, np.empty(_LIMBS, np.int64))
        return self._keys

    def _seed_by_chance(self, chosen: NDArray[np.bool_]) -> None:
        shape = (int(chosen.sum()), 2 * _LIMBS)
        limbs = np.random.default_rng().integers(0, _MASK, size=shape, endpoint=True)
        limbs[:, _LIMBS] |= 1  # what PCG64 adds is odd
        self._state[chosen] = limbs
        self._seeded |= chosen


@jit_cached
def draw_keys_of(
    state: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    keys: NDArray[np.int64],
    before: NDArray[np.int64],
) -> None:
    """Draws two keys from each chosen stream: `integers(0, 2**32, size=2)` of its generator.

    Args:
        state: (n, 16) the streams.
        chosen: (n,) which of them move on.
        keys: (n, 2), written where a stream is chosen.
        before: (8,) room to work in.
    """
    for index in range(state.shape[0]):
        if chosen[index]:
            _advance(state[index], before)
            low, high = _output(state[index])
            keys[index, 0] = low
            keys[index, 1] = high


@compiled
def _advance(stream: NDArray[np.int64], before: NDArray[np.int64]) -> None:
    """State = state · multiplier + what is added, modulo 2^128."""
    for place in range(_LIMBS):
        before[place] = stream[place]
    carry = 0
    for place in range(_LIMBS):
        total = carry + stream[_LIMBS + place]
        for part in range(place + 1):
            total += before[part] * _MULTIPLIER[place - part]
        stream[place] = total & _MASK
        carry = total >> _BITS


@compiled
def _output(stream: NDArray[np.int64]) -> tuple[int, int]:
    """The 64 bits that a state stands for, as two words: its halves mixed, and turned round."""
    low = (stream[0] ^ stream[4]) | (stream[1] ^ stream[5]) << _BITS
    high = (stream[2] ^ stream[6]) | (stream[3] ^ stream[7]) << _BITS
    turn = stream[7] >> 10
    if turn >= 32:
        low, high = high, low
        turn -= 32
    kept = (1 << turn) - 1  # the bits that move from one word to the other
    return (
        low >> turn | (high & kept) << (32 - turn),
        high >> turn | (low & kept) << (32 - turn),
    )
