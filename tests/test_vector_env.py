"""The native batch: Gymnasium's conventions, and the same game as a single environment."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

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


def test_next_step_equals_gymnasiums_own_sync_vector_env():
    """Rewards, ends, observations and infos of Gymnasium's reference, through autoresets."""
    native = make(4, max_episode_steps=80)
    reference = gym.make_vec(
        "ArenaBreaker-v0",
        num_envs=4,
        vectorization_mode="sync",
        observation="state",
        max_episode_steps=80,
    )
    actions = np.stack([actions_of(seed, 250) for seed in range(4)], axis=1)
    given = [envs.reset(seed=5) for envs in (native, reference)]
    for step in range(250):
        for name in given[1][0]:
            assert np.array_equal(given[0][0][name], given[1][0][name]), (step, name)
        for mine, theirs in zip(given[0][1:-1], given[1][1:-1], strict=True):
            assert np.array_equal(mine, theirs)
        assert given[0][-1].keys() == given[1][-1].keys()
        assert np.array_equal(given[0][-1]["score"], given[1][-1]["score"])
        given = [envs.step(actions[step]) for envs in (native, reference)]


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
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, sentence):
    envs = make(2)
    envs.reset(seed=0)
    before = envs.unwrapped.arenas.records.tobytes()
    with pytest.raises(ValueError, match=sentence):
        call(envs)
    assert envs.unwrapped.arenas.records.tobytes() == before


def test_rendered_frames_are_one_an_arena():
    envs = make(2, render_mode="rgb_array", render_size=96)
    envs.reset(seed=0)
    assert [frame.shape for frame in envs.render()] == [(96, 96, 3)] * 2
    envs.close()
