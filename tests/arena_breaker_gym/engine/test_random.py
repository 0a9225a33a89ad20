"""The game's own random numbers: even, independent of neighbouring keys, equal to plain Python."""

import numba
import numpy as np
import pytest

from arena_breaker_gym.engine import random as game_random
from arena_breaker_gym.engine.arena import RANDOM


@numba.njit
def draws(streams, count):
    numbers = np.empty(count)
    for index in range(count):
        numbers[index] = game_random.uniform(streams[0], 0.0, 1.0)
    return numbers


def stream(key0, key1):
    streams = np.zeros(1, dtype=RANDOM)
    streams[0] = (key0, key1, 0)
    return streams


def test_numbers_are_even_in_one_and_two_dimensions():
    numbers = draws(stream(12345, 67890), 200_000)
    assert numbers.min() >= 0.0 and numbers.max() < 1.0
    counts = np.histogram2d(numbers[:-1], numbers[1:], bins=20, range=[[0, 1], [0, 1]])[0]
    expected = (len(numbers) - 1) / 400
    # 399 degrees of freedom: mean 399, standard deviation 28; five of them allow for bad luck.
    assert ((counts - expected) ** 2 / expected).sum() < 399 + 5 * 28


@pytest.mark.parametrize("keys", [((1, 1), (2, 1)), ((1, 1), (1, 2)), ((0, 0), (2**31, 0))])
def test_neighbouring_keys_give_unrelated_numbers(keys):
    one, other = (draws(stream(*key), 50_000) for key in keys)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.02
    assert len(np.intersect1d(one, other)) < 50


def test_compiled_and_plain_python_agree():
    compiled_numbers = draws(stream(2**32 - 1, 2**32 - 1), 100)
    plain = stream(2**32 - 1, 2**32 - 1)
    # Where the compiler is off, as coverage wants it, the function is plain Python already.
    scramble = getattr(game_random._scramble, "py_func", game_random._scramble)
    numbers = []
    for _ in range(100):
        plain[0].counter += 1
        mixed = scramble((int(plain[0].counter) * game_random._WEYL + 2**32 - 1) % 2**32)
        mixed = scramble((mixed + 2**32 - 1) % 2**32)
        numbers.append(mixed / 2**32)
    assert np.array_equal(compiled_numbers, numbers)
