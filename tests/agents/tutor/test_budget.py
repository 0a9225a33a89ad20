"""A budget: never passed, never stuck, and open to whoever still fits."""

import random

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena_breaker_agents.tutor.bill import Budget
from arena_breaker_gym.rollout import RunStopped

CENTS = st.floats(0.001, 0.09)


@given(st.floats(0.01, 1.0), st.lists(CENTS, min_size=1, max_size=30), st.integers(0, 9))
def test_a_budget_is_never_passed_and_nobody_waits_for_ever(limit, most, seed):
    budget, draw = Budget(limit), random.Random(seed)
    stopped = []

    async def ask(dollars):
        try:
            async with budget.reserve(dollars):
                await anyio.lowlevel.checkpoint()
                budget.charge(draw.random() * dollars)
                assert budget.spent <= limit
        except RunStopped as stop:
            assert stop.wanted
            stopped.append(budget.spent + dollars)

    async def everybody():
        with anyio.fail_after(5.0):
            async with anyio.create_task_group() as group:
                for dollars in most:
                    group.start_soon(ask, dollars)

    anyio.run(everybody)
    assert budget.spent <= limit
    assert all(would_be > limit for would_be in stopped)  # whoever still fitted was let in


def test_without_a_limit_everybody_is_let_in():
    async def ask():
        budget = Budget(None, spent=1e9)
        async with budget.reserve(1e9), budget.reserve(1e9):
            budget.charge(2e9)
        assert budget.spent == 3e9

    anyio.run(ask)


def test_what_was_spent_before_counts():
    async def ask():
        async with Budget(1.0, spent=0.95).reserve(0.1):
            pass

    with pytest.raises(RunStopped, match=r"The budget of \$1\.00 .* \$0\.9500 are spent"):
        anyio.run(ask)
