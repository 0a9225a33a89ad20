"""Same seed, settings and actions give the same bytes, whatever else goes on."""

import os
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

from tests.trajectories import batch_trajectories, trajectory

SEEDS = range(10)
STEPS = 1000


def make(**keywords):
    return gym.make("ArenaBreaker-v0", max_episode_steps=300, **keywords)


@pytest.fixture(scope="module")
def fresh():
    """The digest of each seed, each from an environment of its own."""
    digests = {}
    for seed in SEEDS:
        with make() as env:
            digests[seed] = trajectory(env, seed, STEPS)
    assert len(set(digests.values())) == len(SEEDS)
    return digests


def test_a_used_environment_plays_like_a_fresh_one(fresh):
    with make() as env:
        assert {seed: trajectory(env, seed, STEPS) for seed in SEEDS} == fresh


def test_saving_straying_and_restoring_changes_nothing(fresh):
    with make() as env:
        # TimeLimit counts the steps of the wrapped environment only, so straying is free.
        assert {seed: trajectory(env, seed, STEPS, detour=True) for seed in SEEDS} == fresh


def test_rendering_changes_nothing():
    with make(observation="state") as plain:
        without = [trajectory(plain, seed, STEPS) for seed in SEEDS]
    with make(observation="state", render_mode="rgb_array", render_size=64) as drawn:
        assert [trajectory(drawn, seed, STEPS, render=True) for seed in SEEDS] == without


def run_elsewhere(code: str, **environment: str) -> list[str]:
    root = Path(__file__).parent.parent
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.split()


NEW_PROCESS = """
import gymnasium as gym
from tests.trajectories import trajectory
env = gym.make("ArenaBreaker-v0", max_episode_steps=300{keywords})
for seed in range({seeds}):
    print(trajectory(env, seed, {steps}))
"""


def test_a_new_process_plays_the_same(fresh):
    code = NEW_PROCESS.format(keywords="", seeds=len(SEEDS), steps=STEPS)
    assert run_elsewhere(code, PYTHONHASHSEED="7") == list(fresh.values())


def test_plain_python_plays_the_same_as_compiled_code():
    """NUMBA_DISABLE_JIT=1 is for debuggers and coverage: it must be the same game."""
    code = NEW_PROCESS.format(keywords=', observation="state", start_stage=3', seeds=2, steps=150)
    plain = run_elsewhere(code, NUMBA_DISABLE_JIT="1")
    with make(observation="state", start_stage=3) as env:
        assert plain == [trajectory(env, seed, 150) for seed in range(2)]


@pytest.mark.parametrize("count", [10, 3])
def test_batch_position_changes_nothing_through_resets(count):
    with make() as env:
        alone = [trajectory(env, seed, STEPS, states=False) for seed in range(count)]
    batch = gym.make_vec(
        "ArenaBreaker-v0", num_envs=count, max_episode_steps=300, autoreset_mode="SameStep"
    )
    assert batch_trajectories(batch, 0, STEPS) == alone
    batch.close()
