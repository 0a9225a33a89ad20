"""Buffers come back when nobody holds them or a view of them, and never before."""

import copy

import gymnasium as gym
import numpy as np
import pytest

from arena_breaker_gym._runtime.pools import BufferPool


def make(count=22):  # 22 frames of 256 × 256 are more than 4 MB
    return gym.make_vec("ArenaBreaker-v0", num_envs=count, observation="pixels", copy=True)


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize(
    "hold",
    [
        lambda array: array,
        lambda array: array[1],
        lambda array: array[1:, 2].T[:1],
        memoryview,
        lambda array: array.reshape(-1).view(np.int8),
    ],
    ids=["itself", "row", "view of a view", "memoryview", "other dtype"],
)
def test_whoever_holds_a_view_keeps_the_buffer(hold):
    pool = BufferPool((2**11, 2**11))
    array = pool.take()
    first, held = address(array), hold(array)
    del array
    others = [pool.take() for _ in range(3)]
    assert first not in [address(other) for other in others]
    del held
    assert address(pool.take()) == first


def test_few_buffers_wait_however_many_were_held():
    pool = BufferPool((2**22,))
    held = [pool.take() for _ in range(50)]
    first = {address(array) for array in held}
    del held
    again = [pool.take() for _ in range(50)]
    assert len({address(array) for array in again}) == 50
    assert len(first & {address(array) for array in again[:2]}) == 2


def test_frames_that_are_kept_stay_and_those_let_go_are_written_again():
    envs = make()
    kept = [envs.reset(seed=0)[0]]
    kept += [envs.step(envs.action_space.sample())[0] for _ in range(6)]
    copies = [frames.copy() for frames in kept]
    places = set()
    for _ in range(6):
        frames = envs.step(envs.action_space.sample())[0]
        places.add(address(frames))
        assert frames.flags.writeable
    assert len(places) == 2
    for frames, before in zip(kept, copies, strict=True):
        assert np.array_equal(frames, before)


def test_a_copied_batch_has_buffers_of_its_own():
    envs = make()
    frames = envs.reset(seed=0)[0]
    other = copy.deepcopy(envs)
    actions = envs.action_space.sample()
    mine, theirs = envs.step(actions)[0], other.step(actions)[0]
    assert np.array_equal(mine, theirs)
    theirs[:] = 0
    assert mine.any() and frames.any()
