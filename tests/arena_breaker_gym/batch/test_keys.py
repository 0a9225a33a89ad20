"""An arena's keys are what Gymnasium's generator draws for one environment, reset for reset."""

import numpy as np
import pytest
from gymnasium.error import Error
from gymnasium.utils import seeding

from arena_breaker_gym.batch.seeding import KeyStreams

SEEDS = [0, 1, 7, 2**32 - 1, 2**32, 2**64 + 5, 2**127, 2**200 + 3]


def drawn(generator):
    return generator.integers(0, 2**32, size=2)


def test_streams_draw_what_numpys_generator_draws():
    streams = KeyStreams(len(SEEDS))
    for index, seed in enumerate(SEEDS):
        streams.seed(index, seed)
    generators = [seeding.np_random(seed)[0] for seed in SEEDS]
    everyone = np.ones(len(SEEDS), dtype=bool)
    for _ in range(200):
        assert np.array_equal(streams.draw(everyone), [drawn(one) for one in generators])


def test_only_chosen_streams_move_on():
    streams = KeyStreams(2)
    for index in range(2):
        streams.seed(index, 5)
    generator = seeding.np_random(5)[0]
    first, second = drawn(generator), drawn(generator)
    assert np.array_equal(streams.draw(np.array([True, False]))[0], first)
    assert np.array_equal(streams.draw(np.array([True, True])), [second, first])


def test_streams_without_a_seed_differ_from_each_other_and_from_draw_to_draw():
    streams = KeyStreams(50)
    draws = [streams.draw(np.ones(50, dtype=bool)).copy() for _ in range(3)]
    assert len(np.unique(np.concatenate(draws), axis=0)) == 150
    assert (np.stack(draws) >= 0).all() and (np.stack(draws) < 2**32).all()


def test_a_bad_seed_is_refused_as_gymnasium_refuses_it():
    with pytest.raises(Error, match="greater or equal to zero"):
        KeyStreams(1).seed(0, -1)
