"""Kits: the same senses and choices for one environment and for a batch, and what they mean."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from arena_breaker_gym import PreprocessedEnv, PreprocessedVectorEnv, PreprocessingConfig
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.wrappers.feature_extractor import COMPASS, LENGTH

LEARNER = PreprocessingConfig(senses=True, headings=16, targets=4)


def single(preprocessing=LEARNER, **settings):
    return PreprocessedEnv(
        gym.make("ArenaBreaker-v0", **{"observation": "state", **settings}), preprocessing
    )


def batch(count, preprocessing=LEARNER, **settings):
    settings = {"observation": "state", **settings}
    return PreprocessedVectorEnv(
        gym.make_vec("ArenaBreaker-v0", num_envs=count, **settings), preprocessing
    )


def choices_of(env, seed, steps):
    space = env.action_space
    space.seed(seed)
    return [space.sample() for _ in range(steps)]


@pytest.mark.parametrize(
    "preprocessing",
    [LEARNER, PreprocessingConfig(headings=8, targets=1), PreprocessingConfig(headings=8, aims=12)],
)
def test_gymnasiums_own_checker_has_nothing_to_remark(preprocessing):
    with warnings.catch_warnings():  # it remarks that there is a wrapper, which is the point
        warnings.filterwarnings("ignore", ".*different from the unwrapped version.*")
        check_env(single(preprocessing), skip_render_check=True)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_an_arena_of_the_batch_is_the_single_environment(mode):
    """Senses, rewards and ends, through the first autoreset of each arena."""
    envs = batch(3, autoreset_mode=mode, max_episode_steps=70)
    played = [single(max_episode_steps=70) for _ in range(3)]
    chosen = np.stack([choices_of(played[0], seed, 70) for seed in range(3)], axis=1)
    seen, _ = envs.reset(seed=4)
    alone = [env.reset(seed=4 + index)[0] for index, env in enumerate(played)]
    over = [False] * 3
    for choices in chosen:
        for index in range(3):
            assert over[index] or np.array_equal(seen[index], alone[index])
        seen, rewards, terminated, truncated, info = envs.step(choices)
        for index, env in enumerate(played):
            if over[index]:
                continue
            alone[index], reward, *ends, _ = env.step(choices[index])
            assert [rewards[index], terminated[index], truncated[index]] == [reward, *ends]
            over[index] = any(ends)
            last = info["final_obs"][index] if over[index] and mode == "SameStep" else seen[index]
            assert np.array_equal(last, alone[index])
    assert all(over)


def test_senses_stay_in_their_space_and_change_nothing_of_the_game():
    env, bare = single(max_episode_steps=300), gym.make("ArenaBreaker-v0", observation="state")
    assert env.observation_space.shape == (LENGTH,)
    seen, _ = env.reset(seed=0)
    bare.reset(seed=0)
    for choice in choices_of(env, 0, 40):
        assert env.observation_space.contains(seen)
        seen, *_ = env.step(choice)
        sticks = env.unwrapped.arenas.records[0].player
        bare.step(np.array([0, 0, sticks.aim_x, sticks.aim_z, 0], np.float32))
    assert np.isfinite(seen).all()


def test_a_choice_walks_dashes_rests_and_shoots_along_its_headings():
    env = single(PreprocessingConfig(headings=4, aims=8))
    env.reset(seed=0)
    player = env.unwrapped.arenas.records[0].player
    for choice, speed in ((1, 6.0), (8, 0.0), (5, 20.0)):  # walk, rest, dash
        env.step(np.array([choice, 2]))
        assert player.vz == pytest.approx(speed) and player.vx == pytest.approx(0.0, abs=1e-6)
        assert (player.aim_x, player.aim_z) == pytest.approx((0.0, 1.0), abs=1e-6)


def place(arenas, *enemies):
    """Puts the player in the middle of stage 1 and some swarmers at rest round it."""
    record = arenas.records[0]
    record.player.x = record.player.z = 0.0
    for slot, (x, z, vx, vz) in enumerate(enemies):
        enemy = record.enemies[slot]
        enemy.kind, enemy.hp = 1, 3
        enemy.x, enemy.z, enemy.vx, enemy.vz = x, z, vx, vz


def arena_with(*enemies):
    arenas = Arenas(Settings(observation="state"), count=1)
    arenas.reset(0, [1, 2])
    place(arenas, *enemies)
    return arenas


def shown(arenas):
    return arenas.observe()._asdict()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [(0, (0.0, 1.0)), (1, (-1.0, 0.0)), (2, (0.6904, -0.7234)), (3, (0.6904, -0.7234))],
)
def test_the_aim_assist_takes_the_nearest_in_sight_first_and_the_hidden_last(choice, expected):
    # The third stands behind the box at (4.4, -4.6), nearer than nobody else that is in sight.
    arenas = arena_with((-5.0, 0.0, 0.0, 0.0), (0.0, 3.0, 0.0, 0.0), (6.3, -6.6, 0.0, 0.0))
    preprocessor = PreprocessingConfig(headings=4, targets=4).made_for(
        Settings(observation="state")
    )
    action = preprocessor.act(np.array([[8, choice]]), shown(arenas))[0]
    assert action[:2].tolist() == [0.0, 0.0] and action[4] == 0.0
    assert action[2:4] == pytest.approx(expected, abs=1e-3)


def test_the_aim_assist_leads_and_rests_without_a_target():
    preprocessor = PreprocessingConfig(headings=4, targets=1).made_for(
        Settings(observation="state")
    )
    arenas = arena_with((6.0, 0.0, 0.0, 5.6))
    _, _, x, z, _ = preprocessor.act(np.array([[8, 0]]), shown(arenas))[0].tolist()
    seconds = 6.0 / (18.0 * x)  # until the shot is where the enemy walks
    assert 18.0 * z * seconds == pytest.approx(5.6 * seconds, rel=0.05)
    assert preprocessor.act(np.array([[8, 0]]), shown(arena_with()))[0].tolist() == [0.0] * 5


def test_senses_know_free_ways_and_where_danger_comes_from():
    senses = PreprocessingConfig(senses=True).made_for(Settings(observation="state"))
    calm = senses.observe(shown(arena_with()))[0]
    arenas = arena_with((3.0, 0.0, -2.0, 0.0))
    vector = senses.observe(shown(arenas))[0]
    free, walks = vector[9:25], vector[25:76].reshape(17, 3)
    assert COMPASS[4].tolist() == [0.0, 1.0]
    assert free[0] == 1.0  # nothing but floor for 6 m along +x
    assert 0.0 < free[2] < 1.0  # the pillar at (4.2, 4.4)
    assert walks[0, 0] == walks[:, 0].max() > walks[16, 0] > walks[8, 0]  # into it, rest, away
    assert not calm[25:76].reshape(17, 3)[:, 0].any()


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        (np.array([33, 0]), "Choices must be from 0 to below"),
        (np.array([0, -1]), "Choices must be from 0 to below"),
        (np.array([0.0, 1.0]), "Choices must be whole numbers of shape"),
        (np.array([0, 1, 2]), "Choices must be whole numbers of shape"),
    ],
)
def test_bad_choices_are_refused_and_the_arena_stays(choices, sentence):
    env = single()
    env.reset(seed=0)
    before = env.unwrapped.save_state()
    with pytest.raises(ValueError, match=sentence):
        env.step(choices)
    assert env.unwrapped.save_state() == before


def test_pixels_want_no_help_from_the_state():
    for preprocessing, word in (
        (PreprocessingConfig(senses=True), "Senses"),
        (PreprocessingConfig(headings=8, targets=1), "aim assist"),
    ):
        with pytest.raises(ValueError, match=word):
            single(preprocessing, observation="pixels")
    seen, _ = single(PreprocessingConfig(headings=8), observation="pixels", pixel_size=84).reset(
        seed=0
    )
    assert seen.shape == (84, 84, 3)


def test_shrunk_pictures_are_means_of_blocks():
    bare = gym.make("ArenaBreaker-v0", observation="pixels", pixel_size=84)
    preprocessing = single(PreprocessingConfig(shrink=3), observation="pixels", pixel_size=84)
    picture, _ = bare.reset(seed=0)
    seen, _ = preprocessing.reset(seed=0)
    assert preprocessing.observation_space.contains(seen) and seen.shape == (28, 28, 3)
    means = picture.reshape(28, 3, 28, 3, 3).mean(axis=(1, 3))
    assert np.abs(seen - means).max() <= 0.5
    with pytest.raises(ValueError, match="84 pixels a side cannot be shrunk 5 times"):
        single(PreprocessingConfig(shrink=5), observation="pixels", pixel_size=84)
    with pytest.raises(ValueError, match="Only pictures can be shrunk"):
        single(PreprocessingConfig(shrink=2))


def test_a_kit_is_plain_values_and_says_what_is_wrong_with_them():
    assert PreprocessingConfig.from_dict(LEARNER.to_dict()) == LEARNER
    with pytest.raises(ValueError, match="did you mean 'targets'"):
        PreprocessingConfig.from_dict({"target": 3})
    numpys = PreprocessingConfig(
        senses=np.bool_(True), headings=np.int64(8), aims=np.array(3), shrink=np.uint8(2)
    )
    assert numpys == PreprocessingConfig(senses=True, headings=8, aims=3, shrink=2)
    assert {type(value) for value in numpys.to_dict().values()} == {bool, int}
    with pytest.raises(ValueError, match="headings must be a whole number from 0 to 64"):
        PreprocessingConfig(headings=65)
    with pytest.raises(ValueError, match="senses must be a bool"):
        PreprocessingConfig(senses=1)
