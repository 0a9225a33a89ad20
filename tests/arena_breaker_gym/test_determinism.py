"""Same seed, settings and actions give the same bytes, whatever else goes on."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import gymnasium as gym
import numpy as np
import pytest

from tests import ROOT
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
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
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


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("copy", [True, False], ids=["copied", "own"])
def test_batch_position_changes_nothing_through_resets(mode, copy):
    """Arena i seeded s + i gives the bytes of one environment seeded s + i, pixels included."""
    with make(pixel_size=64) as env:
        alone = [trajectory(env, seed, STEPS, states=False) for seed in range(5)]
    batch = make_batch(5, autoreset_mode=mode, copy=copy, pixel_size=64)
    assert batch_trajectories(batch, 0, STEPS) == alone


def test_a_large_picture_is_the_same_in_a_batch():
    with make() as env:
        alone = [trajectory(env, seed, 320, states=False) for seed in range(3)]
    assert batch_trajectories(make_batch(3, autoreset_mode="SameStep"), 0, 320) == alone


def make_batch(count, **keywords):
    keywords = {"max_episode_steps": 300, **keywords}
    return gym.make_vec("ArenaBreaker-v0", num_envs=count, **keywords)


def played(envs, steps):
    """A digest of everything that a batch of arenas gives in some steps of random play."""
    digest = hashlib.blake2b(digest_size=16)
    observation, info = envs.reset(seed=3)
    actions = np.random.default_rng(0).uniform(-1, 1, (steps, envs.num_envs, 5))
    for action in actions.astype(np.float32):
        observation, rewards, terminated, truncated, info = envs.step(action)
        final = [one for one in info.get("final_obs", []) if one is not None]
        for given in (observation, rewards, terminated, truncated, info, final):
            add_all(digest, given)
    add_all(digest, envs.unwrapped.arenas.records)
    return digest.hexdigest()


def add_all(digest, given):
    if isinstance(given, dict):
        given = [given[name] for name in sorted(given) if name not in ("final_obs", "_final_obs")]
    if isinstance(given, list):
        for one in given:
            add_all(digest, one)
    else:
        digest.update(np.ascontiguousarray(given).tobytes())


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_threads_change_nothing(mode):
    digests = {
        played(
            make_batch(
                150,
                autoreset_mode=mode,
                num_threads=threads,
                copy=threads != 2,
                pixel_size=64,
                max_episode_steps=25,
            ),
            40,
        )
        for threads in (1, 2, 7)
    }
    assert len(digests) == 1


def test_batches_in_threads_of_their_own_do_not_disturb_each_other():
    def play(_):
        envs = make_batch(130, observation="state", num_threads=3, max_episode_steps=25)
        return played(envs, 40)

    with ThreadPoolExecutor(3) as pool:
        digests = set(pool.map(play, range(3)))
    assert digests == {play(None)}


FORKED = """
import multiprocessing, warnings
from tests.arena_breaker_gym.test_determinism import make_batch, played
warnings.simplefilter("ignore")  # newer Pythons warn of any fork beside threads
envs = make_batch(150, observation="state", num_threads=3, max_episode_steps=25)
def play(sent=None):
    print(played(envs, 30), flush=True)
play()
child = multiprocessing.get_context("fork").Process(target=play)
child.start()
child.join()
play()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_goes_on_with_a_batch_that_used_threads():
    digests = run_elsewhere(FORKED)
    assert len(digests) == 3 and len(set(digests)) == 1


BATCH_ELSEWHERE = """
from tests.arena_breaker_gym.test_determinism import make_batch, played
envs = make_batch(2, observation="both", pixel_size=64, max_episode_steps=8, copy=False,
                  autoreset_mode="SameStep", num_threads=2)
print(played(envs, 20))
"""


def test_a_batch_plays_the_same_in_plain_python():
    plain = run_elsewhere(BATCH_ELSEWHERE, NUMBA_DISABLE_JIT="1")
    assert plain == run_elsewhere(BATCH_ELSEWHERE)
