"""What compiled code promises: no arrays of its own, and none of another kind let in."""

import numba
import numpy as np
import pytest

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.batch.stepping import first_bad
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.settings import Settings


def test_compiled_code_that_would_make_an_array_does_not_compile():
    @compiled
    def make(count):
        return np.zeros(count).sum()

    with pytest.raises(numba.core.errors.NumbaError):
        make(3)


def test_a_settled_function_answers_alike_at_every_call():
    actions, moving = np.zeros((3, 5)), np.ones(3, dtype=bool)
    assert [first_bad(actions, moving) for _ in range(3)] == [-1, -1, -1]
    actions[1, 4] = np.nan
    assert [first_bad(actions, moving) for _ in range(3)] == [1, 1, 1]
    assert "not finite" in first_bad.__doc__


def rewards_of(weights):
    arenas = Arenas(Settings(reward=weights), count=1)
    arenas.reset(0, (1, 2))
    terms = []
    for _ in range(300):
        arenas.step(np.full((1, 5), 0.7))
        terms.append(arenas.reward_terms[0].tolist())
    return terms


def test_whole_numbers_weigh_what_real_ones_do():
    real = rewards_of({"score": 2.0, "damage": -3.0, "hits": 4.0})
    assert rewards_of({"score": 2, "damage": -3, "hits": 4}) == real
    assert np.any(real)


@pytest.mark.parametrize(
    "playing", [np.ones(3), np.ones(2, dtype=bool), np.ones((3, 1), dtype=bool)]
)
def test_who_plays_is_told_by_one_bool_an_arena(playing):
    arenas = Arenas(Settings(), count=3)
    for index in range(3):
        arenas.reset(index, (1, index))
    before = arenas.records.tobytes()
    with pytest.raises(ValueError, match="3 bools"):
        arenas.step(np.zeros((3, 5)), playing)
    with pytest.raises(ValueError, match="3 bools"):
        arenas.observe(playing)
    assert arenas.records.tobytes() == before


def test_who_plays_may_be_a_strided_view():
    arenas = Arenas(Settings(), count=3)
    for index in range(3):
        arenas.reset(index, (1, index))
    arenas.step(np.zeros((3, 5)))
    arenas.step(np.zeros((3, 5)), np.array([True, False, False, True, True, True])[::2])
    assert arenas.records["tick"].tolist() == [4, 2, 4]


def test_a_renderer_takes_any_row_of_records_and_nothing_else():
    arenas = Arenas(Settings(), count=4)
    for index in range(4):
        arenas.reset(index, (1, index))
    for _ in range(60):
        arenas.step(np.full((4, 5), 0.4))
    renderer = Renderer(arenas.loaded.models, size=64)
    frames = renderer.compose(arenas.records)
    assert np.array_equal(renderer.compose(arenas.records[::-2]), frames[::-2])
    for wrong in (arenas.records.reshape(2, 2), np.zeros(1)):
        with pytest.raises(ValueError, match="records of ARENA"):
            renderer.compose(wrong)
    frames.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        renderer.compose(arenas.records, frames)
