"""What compiled code promises: no arrays of its own, and none of another kind let in."""

import inspect
import os
import subprocess
import sys
import typing

import numba
import numpy as np
import pytest

from arena_breaker_gym._runtime.jit import CHECK_CALLS, compiled, jit_unchecked
from arena_breaker_gym._runtime.records import Record, dtype_of
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.batch.observation import NearRecord
from arena_breaker_gym.batch.stepping import first_bad
from arena_breaker_gym.engine import arena
from arena_breaker_gym.rendering.frames import ScratchRecord
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


def names_of(record):
    """Every class of records that one is made of, itself included."""
    yield record
    for hint in typing.get_type_hints(record, include_extras=True).values():
        for held in (hint, *getattr(hint, "__metadata__", ())):
            if inspect.isclass(held) and issubclass(held, Record):
                yield from names_of(held)


@pytest.mark.parametrize(
    "record",
    sorted(
        {*names_of(arena.ArenaRecord), *names_of(arena.StageRecord)}
        | {*names_of(ScratchRecord), NearRecord},
        key=lambda one: one.__name__,
    ),
)
def test_what_a_record_says_of_its_fields_is_what_they_hold(record):
    numbers = {np.dtype("i8"): int, np.dtype("f8"): float}
    dtype, hints = dtype_of(record), typing.get_type_hints(record)
    assert dtype.names == tuple(hints)
    for name, hint in hints.items():
        held, shape = dtype[name].subdtype or (dtype[name], ())
        if not shape:
            assert hint == numbers.get(held) or dtype_of(hint) == held
        elif held.names:
            assert dtype_of(typing.get_args(hint)[0]) == held
        else:
            assert typing.get_args(hint)[-1] == np.dtype[held.type]


def test_a_record_lies_in_memory_as_files_of_episodes_in_play_have_it():
    sizes = {"player": 136, "enemies": 24 * 112, "director": 24 + 8 * 8, "statistics": 18 * 8}
    assert arena.ARENA.itemsize == 11_200
    assert {name: arena.ARENA[name].itemsize for name in sizes} == sizes


@pytest.fixture
def total(monkeypatch):
    """A function whose calls are looked at, as plain Python."""
    monkeypatch.setenv(CHECK_CALLS, "1")
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)

    @jit_unchecked(values="n 2", weights="n", pairs="n*2")
    def total(values, weights, pairs, first):
        return float(values.sum() + weights.sum() + pairs.sum() + first)

    return total


RIGHT = (np.ones((3, 2)), np.ones(3), np.ones(6), 1)


def test_with_the_debug_switch_right_calls_pass(total):
    assert [total(*RIGHT) for _ in range(2)] == [16.0, 16.0]
    assert total(np.ones((4, 2)), np.ones(4), np.ones(8), 1) == 21.0


@pytest.mark.parametrize(
    ("place", "wrong", "sentence"),
    [
        (0, np.ones((3, 2), np.float32), r"total: values was array\(float64, 2d, C\) at the first"),
        (0, np.ones((2, 3)).T, r"total: values was .*C\).* but is .*F\)"),
        (1, np.ones(4), r"total: weights must have the shape \(n\), got \(4,\)"),
        (2, np.ones(5), r"total: pairs must have the shape \(n\*2\), got \(5,\)"),
        (3, 1.0, r"total: first was int64 at the first call, but is float64"),
    ],
)
def test_with_the_debug_switch_a_wrong_call_is_refused(total, place, wrong, sentence):
    total(*RIGHT)
    with pytest.raises(TypeError, match=sentence):
        total(*RIGHT[:place], wrong, *RIGHT[place + 1 :])


LOOKED_AT = """
from tests.arena_breaker_gym.test_determinism import make, make_batch, played
from tests.trajectories import trajectory
envs = make_batch(3, observation="both", pixel_size=64, max_episode_steps=8, copy=False,
                  num_threads=2)
print(played(envs, 20))
with make(pixel_size=64) as env:
    print(trajectory(env, 0, 40))
"""


def test_play_passes_the_debug_switch_and_is_the_same():
    runs = [
        subprocess.run(
            [sys.executable, "-c", LOOKED_AT],
            env={**os.environ, CHECK_CALLS: value},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for value in ("", "1")
    ]
    assert runs[0] == runs[1]
