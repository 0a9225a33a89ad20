"""The native batch: Gymnasium's conventions, and the same game as a single environment."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector as wrappers

from tests.trajectories import actions_of


def make(count, **keywords):
    return gym.make_vec("ArenaBreaker-v0", num_envs=count, observation="state", **keywords)


def test_make_vec_gives_the_native_batch():
    envs = make(3)
    assert type(envs.unwrapped).__name__ == "ArenaBreakerVectorEnv"
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    observations, info = envs.reset(seed=0)
    assert envs.observation_space.contains(observations)
    assert observations["enemies"].shape == (3, 16, 12)
    assert info["hp"].tolist() == [5, 5, 5] and info["_hp"].all()
    assert envs.unwrapped.snapshot(2)["player"]["hp"] == 5


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_it_gives_what_gymnasiums_own_sync_vector_env_gives(mode):
    """Rewards, ends, observations, infos and their masks, key by key, through autoresets."""
    native = make(4, max_episode_steps=80, autoreset_mode=mode)
    reference = gym.make_vec(
        "ArenaBreaker-v0",
        num_envs=4,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode(mode)},
        observation="state",
        max_episode_steps=80,
    )
    actions = np.stack([actions_of(seed, 200) for seed in range(4)], axis=1)
    given = [envs.reset(seed=5) for envs in (native, reference)]
    finals = 0
    for step in range(200):
        assert_same(*given, f"step {step}")
        given = [envs.step(actions[step]) for envs in (native, reference)]
        finals += "final_obs" in given[1][-1]
    assert finals >= 2 or mode == "NextStep"


def assert_same(mine, theirs, where):
    if isinstance(theirs, dict):
        assert mine.keys() == theirs.keys(), where
        for name, value in theirs.items():
            assert_same(mine[name], value, f"{where}, {name}")
    elif isinstance(theirs, tuple) or getattr(theirs, "dtype", 0) == np.dtype(object):
        for place, (one, other) in enumerate(zip(mine, theirs, strict=True)):
            assert_same(one, other, f"{where}, {place}")
    elif theirs is None:
        assert mine is None, where
    else:
        assert mine.dtype == theirs.dtype and np.array_equal(mine, theirs), where


def test_same_step_hands_out_the_last_observation_and_info():
    envs = make(2, autoreset_mode="SameStep", max_episode_steps=10)
    envs.reset(seed=0)
    for _ in range(10):
        observations, _, _, truncated, info = envs.step(np.zeros((2, 5), np.float32))
    assert truncated.all()
    assert info["_final_obs"].all() and info["_final_info"].all()
    assert info["final_obs"][0]["progress"][3] == pytest.approx(1 - 10 / 3600)
    assert observations["progress"][:, 3].tolist() == [1.0, 1.0]
    assert info["final_info"]["wave"].tolist() == [0, 0]


def test_disabled_wants_a_reset_of_ended_arenas():
    envs = make(2, autoreset_mode="Disabled", max_episode_steps=5)
    envs.reset(seed=[3, 4])
    for _ in range(5):
        envs.step(np.zeros((2, 5), np.float32))
    with pytest.raises(ValueError, match="Arena 0 has ended"):
        envs.step(np.zeros((2, 5), np.float32))
    envs.reset(seed=[9, None], options={"reset_mask": np.array([True, False])})
    with pytest.raises(ValueError, match="Arena 1 has ended"):
        envs.step(np.zeros((2, 5), np.float32))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda envs: envs.step(np.zeros((3, 5), np.float32)), r"shape \(2, 5\)"),
        (lambda envs: envs.step(np.full((2, 5), np.nan)), "arena 0"),
        (lambda envs: envs.reset(seed=[1]), "2 seeds"),
        (lambda envs: envs.reset(options={"reset_mask": [True, False]}), "reset_mask"),
        (lambda envs: envs.reset(options={"level": 2}), "no option 'level'"),
        (lambda envs: make(2, num_threads=0), "num_threads must be a whole number"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, sentence):
    envs = make(2)
    envs.reset(seed=0)
    before = envs.unwrapped.arenas.records.tobytes()
    with pytest.raises(ValueError, match=sentence):
        call(envs)
    assert envs.unwrapped.arenas.records.tobytes() == before


def test_a_masked_reset_tells_of_those_that_were_reset():
    envs = make(3)
    envs.reset(seed=0)
    envs.step(np.ones((3, 5), np.float32))
    before = envs.unwrapped.arenas.records.copy()
    mask = np.array([False, True, False])
    observations, info = envs.reset(seed=8, options={"stage": 2, "reset_mask": mask})
    assert info["_stage"].tolist() == mask.tolist() and info["stage"].tolist() == [0, 2, 0]
    assert np.array_equal(envs.unwrapped.arenas.records[~mask], before[~mask])
    with gym.make("ArenaBreaker-v0", observation="state") as alone:
        expected = alone.reset(seed=9, options={"stage": 2})[0]
    assert all(np.array_equal(observations[name][1], expected[name]) for name in expected)


def arrays_in(given):
    if isinstance(given, np.ndarray):
        return [given]
    parts = given.values() if isinstance(given, dict) else given
    return [array for part in parts for array in arrays_in(part)]


def test_what_is_copied_stays_as_it_was():
    envs = make(4, max_episode_steps=6, pixel_size=64, autoreset_mode="SameStep")
    given = [*arrays_in(envs.reset(seed=0)), *arrays_in(envs.step(np.ones((4, 5))))]
    before = [array.copy() for array in given]
    for _ in range(10):
        envs.step(-np.ones((4, 5)))
    assert all(np.array_equal(*pair) for pair in zip(given, before, strict=True))


def test_without_copying_the_same_arrays_are_written_again():
    envs = gym.make_vec(
        "ArenaBreaker-v0", num_envs=4, pixel_size=64, copy=False, autoreset_mode="SameStep"
    )
    first = envs.reset(seed=0)[0]
    frames, player = first["pixels"].copy(), first["player"].copy()
    second, rewards, *_ = envs.step(np.ones((4, 5), np.float32))
    for name, table in first.items():
        assert np.shares_memory(table, second[name]), name
    assert not np.array_equal(player, first["player"])
    assert not np.array_equal(frames, first["pixels"])
    assert rewards is envs.step(np.ones((4, 5), np.float32))[1]
    with pytest.raises(ValueError, match="read-only"):
        second["pixels"][:] = 0


def test_last_observations_are_the_callers_to_keep():
    envs = gym.make_vec(
        "ArenaBreaker-v0",
        num_envs=2,
        pixel_size=64,
        copy=False,
        autoreset_mode="SameStep",
        max_episode_steps=5,
    )
    envs.reset(seed=0)
    for _ in range(5):
        info = envs.step(np.ones((2, 5), np.float32))[-1]
    last = info["final_obs"][1]
    before = {name: table.copy() for name, table in last.items()}
    for _ in range(7):
        envs.step(-np.ones((2, 5), np.float32))
    assert all(np.array_equal(last[name], table) for name, table in before.items())
    last["pixels"][:] = 0  # not even frames are read-only


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_gymnasiums_statistics_are_those_of_its_own_sync_vector_env(mode):
    """Whose lengths in mode SAME_STEP some versions of Gymnasium count from 1, some from 0."""
    keywords = {"observation": "state", "max_episode_steps": 20}
    reference = gym.make_vec(
        "ArenaBreaker-v0",
        num_envs=3,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode(mode)},
        **keywords,
    )
    native, expected = (
        _statistics(envs)
        for envs in (make(3, autoreset_mode=mode, max_episode_steps=20), reference)
    )
    assert native == expected and len(native) == 9


def _statistics(envs):
    """Return and length of every episode in 65 steps."""
    envs = wrappers.RecordEpisodeStatistics(envs)
    envs.reset(seed=0)
    counted = []
    for _ in range(65):
        info = envs.step(np.zeros((3, 5), np.float32))[-1]
        if "episode" in info:
            ended = info["_episode"]
            counted += zip(info["episode"]["r"][ended], info["episode"]["l"][ended], strict=True)
    return counted


def test_gymnasiums_wrappers_take_it_as_it_is():
    pixels = gym.make_vec(
        "ArenaBreaker-v0", num_envs=3, observation="pixels", pixel_size=64, copy=False
    )
    normal = wrappers.NormalizeObservation(wrappers.NormalizeReward(pixels))
    listed = wrappers.DictInfoToList(wrappers.ClipReward(normal, -1.0, 1.0))
    listed.reset(seed=0)
    for _ in range(30):
        observations, rewards, _, _, infos = listed.step(listed.action_space.sample())
    assert np.issubdtype(observations.dtype, np.floating) and np.isfinite(observations).all()
    assert abs(rewards).max() <= 1.0
    assert all({"reward_score", "reward_damage", "reward_hits"} <= set(info) for info in infos)


def test_gymnasiums_observation_wrappers_take_the_tables():
    """They refuse SAME_STEP, whatever the environment, so NEXT_STEP it is."""
    envs = wrappers.FlattenObservation(make(2, copy=False))
    assert envs.reset(seed=0)[0].shape == (2, 397)
    observations = envs.step(np.zeros((2, 5), np.float32))[0]
    assert envs.observation_space.contains(observations)


def test_rendered_frames_are_one_an_arena():
    envs = make(2, render_mode="rgb_array", render_size=96)
    envs.reset(seed=0)
    assert [frame.shape for frame in envs.render()] == [(96, 96, 3)] * 2
    envs.close()
