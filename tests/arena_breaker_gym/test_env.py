"""The environment as Gymnasium's and Stable-Baselines3's users meet it."""

import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import arena_breaker_gym
from arena_breaker_gym import ArenaBreakerEnv, FlattenTables
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.engine.arena import ARENA
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings

SHAPES = {
    "pixels": ((256, 256, 3), np.uint8),
    "player": ((9,), np.float32),
    "enemies": ((16, 12), np.float32),
    "enemy_projectiles": ((24, 5), np.float32),
    "hazards": ((12, 6), np.float32),
    "progress": ((4,), np.float32),
}
TERMS = ("reward_score", "reward_damage", "reward_hits")
INFO = {
    "score", "kills", "stage", "wave", "hp", "victory", "shots_fired", "hits", "dashes",
    "damage_taken", *TERMS,
}  # fmt: skip


@pytest.fixture
def env():
    with gym.make("ArenaBreaker-v0", observation="state") as made:
        made.reset(seed=0)
        yield made


def random_actions(count, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, 5)).astype(np.float32)


def test_it_plays_without_importing_the_package():
    code = (
        "import gymnasium as gym; env = gym.make('ArenaBreaker-v0'); env.reset(seed=0); "
        "print(env.step(env.action_space.sample())[0]['pixels'].shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(256, 256, 3)"


def test_gymnasium_works_on_when_the_checkout_of_an_editable_install_is_gone(tmp_path):
    if Path(gym.__file__).parents[1] == Path(arena_breaker_gym.__file__).parents[1]:
        pytest.skip("this is an install from a wheel, beside Gymnasium")
    code = (
        "import os, sys; "
        "sys.path = [one for one in sys.path if not os.path.isdir(one + '/nitrogen_adapter')]; "
        "import gymnasium; print('ArenaBreaker-v0' in gymnasium.registry)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_importing_the_package_loads_no_extra_and_no_engine():
    code = (
        "import sys, arena_breaker_gym; "
        "print([name for name in ('torch', 'transformers', 'anthropic', 'moviepy', 'ray', 'zmq', "
        "'stable_baselines3', 'numba', 'pygame', 'pymunk') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("observation", ["both", "pixels", "state"])
def test_gymnasiums_checker_has_nothing_to_say(observation):
    made = gym.make("ArenaBreaker-v0", observation=observation, render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made.unwrapped)


@pytest.fixture
def check_env_for_sb3():
    return pytest.importorskip("stable_baselines3.common.env_checker").check_env


@pytest.mark.parametrize("observation", ["both", "pixels", "state"])
def test_stable_baselines3s_checker_has_nothing_to_say(observation, check_env_for_sb3):
    made = gym.make("ArenaBreaker-v0", observation=observation)
    if observation != "pixels":
        made = FlattenTables(made)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env_for_sb3(made)


def test_stable_baselines3_only_recommends_vectors_for_the_bare_tables(check_env_for_sb3):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env_for_sb3(gym.make("ArenaBreaker-v0"))
    said = {str(one.message) for one in caught}
    assert len(said) == 3 and all("unconventional shape" in sentence for sentence in said)


def test_observations_have_the_documented_keys_shapes_and_bounds():
    with gym.make("ArenaBreaker-v0") as made:
        observation, _ = made.reset(seed=3)
        for action in random_actions(300):
            assert set(observation) == set(SHAPES)
            for name, (shape, dtype) in SHAPES.items():
                assert observation[name].shape == shape and observation[name].dtype == dtype
            assert made.observation_space.contains(observation)
            observation, _, terminated, truncated, _ = made.step(action)
            if terminated or truncated:
                observation, _ = made.reset()


def test_observations_are_the_callers_to_keep(env):
    first, *_ = env.step(random_actions(1)[0])
    kept = {name: table.copy() for name, table in first.items()}
    for action in random_actions(50):
        env.step(action)
    assert all(np.array_equal(first[name], kept[name]) for name in kept)


def test_the_state_agrees_with_the_snapshot(env):
    for action in random_actions(120):
        observation, *_ = env.step(action)
    snapshot = env.unwrapped.snapshot()
    rows = observation["enemies"][observation["enemies"][:, 0] == 1]
    assert len(rows) == len(snapshot["enemies"]) > 0
    for row, enemy in zip(rows, snapshot["enemies"], strict=True):
        assert row[1:3] * 16 == pytest.approx([enemy["dx"], enemy["dz"]], abs=0.006)
    reaches = [enemy["dist"] for enemy in snapshot["enemies"]]
    assert reaches == sorted(reaches)


def test_the_snapshot_is_the_articles_json_key_for_key(env):
    for action in random_actions(60):
        env.step(action)
    snapshot = env.unwrapped.snapshot()
    assert list(snapshot) == [
        "player", "enemies", "enemy_projectiles", "hazards", "stage", "wave", "score",
    ]  # fmt: skip
    assert list(snapshot["player"]) == ["pos", "hp", "dash_ready", "aim"]
    assert list(snapshot["enemies"][0]) == ["type", "dx", "dz", "dist", "hp"]
    assert {hazard["type"] for hazard in snapshot["hazards"]} == {"saw", "spikes"}
    assert all(
        ("active" in hazard) == (hazard["type"] == "spikes") for hazard in snapshot["hazards"]
    )


def test_info_has_the_same_keys_always_and_rewards_sum_to_the_reward(env):
    _, info = env.reset(seed=1)
    assert set(info) == INFO
    for action in random_actions(400):
        _, reward, terminated, truncated, info = env.step(action)
        assert set(info) == INFO
        assert sum(info[term] for term in TERMS) == reward
        if terminated or truncated:
            env.reset()


def test_reward_is_score_over_ten_less_hp_lost(env):
    total, info = 0.0, {}
    terminated = False
    for action in random_actions(2000):
        _, reward, terminated, _, info = env.step(action)
        total += reward
        if terminated:
            break
    assert terminated
    assert total == pytest.approx(info["score"] / 10 - info["damage_taken"])
    assert info["hp"] == 0 and info["damage_taken"] == 5


def test_reward_weights_are_the_users():
    with gym.make("ArenaBreaker-v0", observation="state", reward={"score": 1.0}) as made:
        made.reset(seed=0)
        assert sum(made.step(np.zeros(5, np.float32))[1] for _ in range(60)) == 10.0


def test_sticks_longer_than_one_are_scaled_to_one(env):
    long, short = np.array([1, 1, 0, 0, 0]), np.array([0.5**0.5, 0.5**0.5, 0, 0, 0])
    state = env.unwrapped.save_state()
    after_long = env.step(long.astype(np.float32))[0]["player"]
    env.unwrapped.restore_state(state)
    after_short = env.step(short.astype(np.float32))[0]["player"]
    assert np.allclose(after_long, after_short, atol=1e-6)


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (np.array([0, 0, np.nan, 0, 0], np.float32), "finite"),
        (np.array([np.inf, 0, 0, 0, 0], np.float32), "finite"),
        (np.zeros(4, np.float32), r"shape \(5,\)"),
        (np.zeros((1, 5), np.float32), r"shape \(5,\)"),
        (np.array(["a"] * 5), "numbers"),
        (np.zeros(5, np.complex64), "numbers"),
    ],
)
def test_a_bad_action_is_refused_and_the_arena_untouched(env, action, sentence):
    state = env.unwrapped.save_state()
    with pytest.raises(ValueError, match=sentence) as refusal:
        env.unwrapped.step(action)
    assert "\n" not in str(refusal.value)
    assert env.unwrapped.save_state() == state


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"frame_skp": 2}, "did you mean 'frame_skip'"),
        ({"frame_skip": 0}, "frame_skip must be"),
        ({"observation": "sound"}, "observation must be one of"),
        ({"pixel_size": 100}, "pixel_size must be one of"),
        ({"start_stage": 4}, "start_stage must be a whole number from 1 to 3"),
        ({"point_blank_fix": 1}, "point_blank_fix must be a bool"),
        ({"reward": {"scores": 1.0}}, "did you mean 'score'"),
        ({"reward": {"score": float("nan")}}, "finite"),
        ({"stages": []}, "at least one file"),
        ({"stages": "mine.json"}, "a list of files"),
        ({"stages": ["nowhere.json"]}, "nowhere.json"),
        ({"skin": "defualt"}, "did you mean 'default'"),
    ],
)
def test_a_bad_argument_is_refused_in_one_sentence(keywords, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        gym.make("ArenaBreaker-v0", **keywords).unwrapped.reset()
    assert "\n" not in str(refusal.value).removeprefix("ArenaBreaker")


def test_a_bad_render_mode_or_size_is_refused():
    with pytest.raises(ValueError, match="render_mode must be"):
        ArenaBreakerEnv(render_mode="ansi")
    with pytest.raises(ValueError, match="render_size must be"):
        gym.make("ArenaBreaker-v0", render_mode="rgb_array", render_size=5000)


def test_reset_options(env):
    _, info = env.reset(seed=0, options={"stage": 3})
    assert info["stage"] == 3
    with pytest.raises(ValueError, match="stage must be a whole number from 1 to 3"):
        env.reset(options={"stage": 9})
    with pytest.raises(ValueError, match="no option 'stge'"):
        env.reset(options={"stge": 1})


def test_saved_states_are_checked(env):
    state = env.unwrapped.save_state()
    for bad in (state[:-1], b"", b"x" + state[1:]):
        with pytest.raises(ValueError, match=r"saved state"):
            env.unwrapped.restore_state(bad)
    assert env.unwrapped.save_state() == state


def test_near_ties_stand_in_one_order_in_snapshot_and_tables():
    arenas = Arenas(Settings(), count=1)
    arenas.reset(0, [1, 2])
    record = arenas.records[0]
    record.player.x = record.player.z = 0.0
    # Two whose squared distances differ in the last bit, and whose distances do not.
    far = np.nextafter(3.0, 4.0)
    while np.sqrt(far * far) != np.sqrt(9.0) and far * far == 9.0:
        far = np.nextafter(far, 4.0)
    for slot, (kind, x) in enumerate(((1, far), (2, 3.0))):
        enemy = record.enemies[slot]
        enemy.kind, enemy.x, enemy.z, enemy.hp = kind, x, 0.0, 1
    kinds = [enemy["type"] for enemy in arenas.snapshot(0)["enemies"]]
    flags = arenas.observe().enemies[0, :2, 6:].argmax(axis=1)
    assert kinds == [("swarmer", "shooter")[flag] for flag in flags]


def _played(env, *, steps):
    """A state under way, with enemies, shots and hazards in it."""
    env.reset(seed=0)
    for _ in range(steps):
        env.step(np.array([1, 0, 1, 0, 0], np.float32))
    return env.unwrapped.save_state()


def _without_sums(state):
    """The same state as it was saved before there were sums over the record."""
    return b"ABS1" + state[4:40] + state[-ARENA.itemsize :]


def test_a_flipped_bit_anywhere_in_a_saved_state_is_refused(env):
    state, random = _played(env, steps=60), np.random.default_rng(0)
    for at in random.integers(len(state), size=300):
        bad = bytearray(state)
        bad[at] ^= 1 << int(random.integers(8))
        with pytest.raises(ValueError, match=r"saved state"):
            env.unwrapped.restore_state(bytes(bad))
    assert env.unwrapped.save_state() == state


def test_a_state_saved_before_there_were_sums_is_still_read(env):
    state = _played(env, steps=60)
    env.reset(seed=1)
    env.unwrapped.restore_state(_without_sums(state))
    assert env.unwrapped.save_state() == state


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stage", 3),
        ("stage", -(10**12)),
        ("outcome", 7),
        ("effect_count", -5),
        ("player.x", np.nan),
        ("player.hp", 10**6),
        ("player.vx", np.inf),
        ("enemies.kind", 99),
        ("enemies.phase", -1),
        ("enemies.x", 1e300),
        ("shots.passing", -1),
        ("enemy_shots.kind", -7),
        ("hazards.leg", 10**12),
        ("hazards.kind", 2**40),
        ("effects.kind", 12),
        ("effects.tick", 10**9),
        ("director.wave", 10**10),
        ("director.pause", -1),
        ("random.counter", 2**62),
        ("statistics.cause_of_death", 99),
        ("statistics.score", -1),
    ],
)
def test_no_record_sends_the_rules_outside_an_array(env, field, value):
    state = _played(env, steps=60)
    record = np.frombuffer(state[-ARENA.itemsize :], ARENA).copy()
    place = record
    for name in field.split("."):
        place = place[name]
    place.flat[0] = value
    with pytest.raises(ValueError, match=r"saved state is damaged"):
        env.unwrapped.restore_state(_without_sums(state)[: -ARENA.itemsize] + record.tobytes())
    assert env.unwrapped.save_state() == state


def test_what_is_let_in_is_played_without_harm(env):
    state, random = _played(env, steps=60), np.random.default_rng(0)
    let_in = 0
    for _ in range(200):
        bad = bytearray(_without_sums(state))
        bad[int(random.integers(40, len(bad)))] ^= 1 << int(random.integers(8))
        try:
            env.unwrapped.restore_state(bytes(bad))
        except ValueError:
            continue
        let_in += 1
        for _ in range(5):
            observation, *_ = env.step(env.action_space.sample())
            assert env.observation_space.contains(observation)
        env.unwrapped.snapshot()
    assert let_in > 50


def test_every_state_of_a_game_to_its_end_is_sound():
    arenas = Arenas(Settings(), count=1)
    other = Arenas(arenas.settings, count=1)
    arenas.reset(0, [1, 2])
    action, record = np.zeros((1, 5)), arenas.records[0]
    while record.outcome == 0:
        record.player.hp, record.enemies["hp"] = 5, np.minimum(record.enemies["hp"], 1)
        alive = record.enemies[record.enemies["kind"] > 0]
        if len(alive):
            action[0, 2:4] = alive["x"][0] - record.player.x, alive["z"][0] - record.player.z
        arenas.step(action.copy())
        other.restore(0, arenas.save(0))
    assert record.stage == 2 and other.records[0] == record


def test_time_left_is_a_share_of_the_standard_limit():
    with gym.make("ArenaBreaker-v0", observation="state", max_episode_steps=100) as made:
        made.reset(seed=0)
        for step in range(1, 101):
            observation, _, terminated, truncated, _ = made.step(np.zeros(5, np.float32))
            assert observation["progress"][3] == pytest.approx(1 - step / 3600, abs=1e-6)
        assert truncated and not terminated


def test_the_default_limit_is_two_minutes():
    assert gym.spec("ArenaBreaker-v0").max_episode_steps == MAX_EPISODE_STEPS == 3600


def test_frame_skip_is_ticks_in_a_step():
    with gym.make("ArenaBreaker-v0", observation="state", frame_skip=4) as made:
        made.reset(seed=0)
        assert made.metadata["render_fps"] == 15
        for _ in range(30):
            made.step(np.zeros(5, np.float32))
        assert made.unwrapped.arenas.summary(0)["survival_seconds"] == 2.0


@pytest.mark.parametrize("size", [64, 84, 96, 128, 256])
def test_pixels_come_in_every_size(size):
    with gym.make("ArenaBreaker-v0", observation="pixels", pixel_size=size) as made:
        observation, _ = made.reset(seed=0)
        assert observation.shape == (size, size, 3) and observation.std() > 10


def test_render_gives_the_picture_with_hud_at_its_own_size():
    with gym.make("ArenaBreaker-v0", render_mode="rgb_array", render_size=320) as made:
        made.reset(seed=0)
        picture = made.render()
        assert picture.shape == (320, 320, 3) and picture.dtype == np.uint8


def test_a_window_opens_and_closes():
    with gym.make("ArenaBreaker-v0", observation="state", render_mode="human") as made:
        made.reset(seed=0)
        for action in random_actions(3):
            made.step(action)


def test_settings_survive_a_round_trip():
    settings = Settings(frame_skip=3, stages=("a.json",), reward={"score": 2.0})
    assert Settings.from_keywords(settings.to_dict()) == settings
