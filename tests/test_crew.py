"""A crew does every piece once, waits for all, tells what went wrong, and outlives a fork."""

import copy
import os
import threading

import numpy as np
import pytest

from arena_breaker_gym.crew import Crew, cores


@pytest.mark.parametrize("size", [1, 2, 5])
def test_every_row_is_done_once(size):
    crew = Crew(size)
    for rows in (1, 7, 100, 1000):
        done = np.zeros(rows, dtype=int)

        def work(first, last, done=done):
            done[first:last] += 1

        crew.share(work, crew.cut(rows, least=3))
        assert (done == 1).all()


def test_small_batches_are_left_to_the_caller():
    crew, callers = Crew(4), set()
    crew.share(lambda *_: callers.add(threading.get_ident()), crew.cut(19, least=10))
    assert callers == {threading.get_ident()}


def test_pieces_run_side_by_side():
    meeting = threading.Barrier(3, timeout=30)
    Crew(3).share(lambda _: meeting.wait(), [(0,), (1,), (2,)])


def test_what_a_helper_raises_reaches_the_caller_and_the_crew_works_on():
    crew, meeting = Crew(2), threading.Barrier(2, timeout=30)

    def work(piece):
        meeting.wait()
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("a helper stumbled")

    for _ in range(3):
        with pytest.raises(ValueError, match="a helper stumbled"):
            crew.share(work, [(0,), (1,)])


def test_a_copied_crew_has_helpers_of_its_own():
    crew = Crew(2)
    crew.share(lambda _: None, [(0,), (1,)])
    meeting = threading.Barrier(2, timeout=30)
    copy.deepcopy(crew).share(lambda _: meeting.wait(), [(0,), (1,)])


def test_helpers_go_home_with_their_crew():
    before = set(threading.enumerate())
    crew = Crew(3)
    crew.share(lambda _: None, [(0,), (1,), (2,)])
    helpers = set(threading.enumerate()) - before
    assert len(helpers) == 2
    del crew
    for helper in helpers:
        helper.join(timeout=30)
    assert not any(helper.is_alive() for helper in helpers)


def test_there_is_at_least_one_core():
    assert 1 <= cores() <= (os.cpu_count() or 1)
