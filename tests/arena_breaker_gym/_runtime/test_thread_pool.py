"""A pool does every piece once, waits for all, tells what went wrong, and outlives a fork."""

import copy
import os
import threading

import numpy as np
import pytest

from arena_breaker_gym._runtime.pools import ThreadPool, cores


@pytest.mark.parametrize("size", [1, 2, 5])
def test_every_row_is_done_once(size):
    pool = ThreadPool(size)
    for rows in (1, 7, 100, 1000):
        done = np.zeros(rows, dtype=int)

        def work(first, last, done=done):
            done[first:last] += 1

        pool.share(work, pool.cut(rows, least=3))
        assert (done == 1).all()


def test_small_batches_are_left_to_the_caller():
    pool, callers = ThreadPool(4), set()
    pool.share(lambda *_: callers.add(threading.get_ident()), pool.cut(19, least=10))
    assert callers == {threading.get_ident()}


def test_pieces_run_side_by_side():
    meeting = threading.Barrier(3, timeout=30)
    ThreadPool(3).share(lambda _: meeting.wait(), [(0,), (1,), (2,)])


def test_what_a_helper_raises_reaches_the_caller_and_the_crew_works_on():
    pool, meeting = ThreadPool(2), threading.Barrier(2, timeout=30)

    def work(piece):
        meeting.wait()
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("a helper stumbled")

    for _ in range(3):
        with pytest.raises(ValueError, match="a helper stumbled"):
            pool.share(work, [(0,), (1,)])


def test_a_copied_crew_has_helpers_of_its_own():
    pool = ThreadPool(2)
    pool.share(lambda _: None, [(0,), (1,)])
    meeting = threading.Barrier(2, timeout=30)
    copy.deepcopy(pool).share(lambda _: meeting.wait(), [(0,), (1,)])


def test_helpers_go_home_with_their_crew():
    before = set(threading.enumerate())
    pool = ThreadPool(3)
    pool.share(lambda _: None, [(0,), (1,), (2,)])
    helpers = set(threading.enumerate()) - before
    assert len(helpers) == 2
    del pool
    for helper in helpers:
        helper.join(timeout=30)
    assert not any(helper.is_alive() for helper in helpers)


def test_there_is_at_least_one_core():
    assert 1 <= cores() <= (os.cpu_count() or 1)
