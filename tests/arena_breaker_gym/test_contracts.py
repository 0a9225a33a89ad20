"""What Gymnasium's contracts say and other libraries rely on."""

import gc
import inspect
import json
import re
import runpy
from itertools import pairwise
from pathlib import Path

import gymnasium as gym
import numpy as np
import pygame
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.play import play
from gymnasium.vector import AutoresetMode

from arena_breaker_agents.baselines import IdleAgent
from arena_breaker_gym import IDS, ArenaBreakerEnv, EpisodeStore, FlattenTables
from arena_breaker_gym.batch.observation import TABLES
from arena_breaker_gym.rollout import rollout
from arena_breaker_gym.rollout.benchmark import BenchmarkConfig, benchmark
from arena_breaker_gym.settings import Settings
from tests import ROOT

STILL = np.zeros(5, np.float32)


def make(**keywords):
    return gym.make("ArenaBreaker-v0", **{"observation": "state", **keywords})


def make_batch(count=2, **keywords):
    return gym.make_vec("ArenaBreaker-v0", num_envs=count, **{"observation": "state", **keywords})


# Keywords


@pytest.mark.parametrize(
    "call",
    [
        lambda **word: gym.make("ArenaBreaker-v0", **word),
        lambda **word: gym.make_vec("ArenaBreaker-v0", num_envs=1, **word),
        lambda **word: rollout(IdleAgent(), episodes=1, env=word),
    ],
)
def test_an_unknown_keyword_is_pythons_own_kind_of_error_and_suggests_the_right_one(call):
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'frameskip'") as error:
        call(frameskip=2)
    assert isinstance(error.value, ValueError) and "did you mean 'frame_skip'" in str(error.value)


# Numbers


NUMPYS = {
    "start_stage": np.int64(2),
    "frame_skip": np.uint8(3),
    "pixel_size": np.int32(84),
    "point_blank_fix": np.bool_(False),
    "reward": {"score": np.float32(0.5), "damage": np.int64(-2), "hits": np.array(0.25)},
}
PLAINS = {
    "start_stage": 2,
    "frame_skip": 3,
    "pixel_size": 84,
    "point_blank_fix": False,
    "reward": {"score": 0.5, "damage": -2.0, "hits": 0.25},
}


def test_settings_take_numpys_numbers_and_hold_plain_ones():
    assert Settings(**NUMPYS) == Settings(**PLAINS)
    assert json.dumps(Settings(**NUMPYS).to_dict()) == json.dumps(Settings(**PLAINS).to_dict())


@pytest.mark.parametrize("build", [make, make_batch])
def test_environments_take_numpys_numbers(build):
    first = build(**NUMPYS, render_mode="rgb_array", render_size=np.int16(64))
    second = build(**PLAINS)
    seen = [envs.reset(seed=seed)[0] for envs, seed in ((first, np.int64(3)), (second, 3))]
    assert all(np.array_equal(seen[0][name], seen[1][name]) for name in TABLES)


def test_batches_take_numpys_numbers():
    envs = gym.make_vec(
        "ArenaBreaker-v0",
        num_envs=np.int64(2),
        observation="state",
        num_threads=np.int64(1),
        max_episode_steps=np.int32(3),
    )
    envs.reset(seed=np.array([4, 5]))
    for _ in range(3):
        truncated = envs.step(np.zeros((2, 5), np.float32))[3]
    assert truncated.all()


def test_rollouts_and_benchmarks_take_numpys_numbers_and_keep_plain_ones(tmp_path):
    store = EpisodeStore(tmp_path / "store")
    numbers = {"seed": np.int64(7), "max_steps": np.int16(5), "latency": np.int64(2)}
    rollout(
        IdleAgent(),
        episodes=np.int64(2),
        num_envs=np.int8(1),
        stage=np.array([1, 2]),
        env=NUMPYS,
        recorder=store,
        **numbers,
    )
    assert [(one.seed, one.stage, len(one)) for one in store] == [(7, 1, 5), (8, 2, 5)]
    terms = BenchmarkConfig(
        episodes=np.int64(1), stages=(np.int64(1),), settings=Settings(**NUMPYS), **numbers
    )
    benchmark({"idle": IdleAgent}, terms, out=tmp_path / "results")
    assert json.loads((tmp_path / "results/results.json").read_text())["settings"]["seed"] == 7


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"frame_skip": np.float64(2.0)}, "frame_skip must be a whole number from 1 to 60"),
        ({"frame_skip": np.bool_(True)}, "frame_skip must be a whole number"),
        ({"pixel_size": 84.0}, "pixel_size must be"),
        ({"point_blank_fix": np.int64(1)}, "point_blank_fix must be a bool"),
        ({"reward": {"score": np.float32("nan")}}, "finite"),
        ({"reward": {"score": np.bool_(True)}}, "must be a number"),
        ({"render_size": 5000}, "render_size must be"),
        ({"max_episode_steps": 2.5}, "max_episode_steps must be a whole number"),
    ],
)
def test_what_is_no_number_of_the_right_kind_is_refused_where_it_is_given(keywords, sentence):
    with pytest.raises(ValueError, match=sentence):
        make_batch(**keywords)


# Skins


@pytest.mark.parametrize(
    "call",
    [
        lambda skin: make(skin=skin),
        lambda skin: make_batch(skin=skin),
        lambda skin: rollout(IdleAgent(), episodes=1, env={"skin": skin}),
        lambda skin: benchmark(
            {"idle": IdleAgent}, BenchmarkConfig(episodes=1, settings=Settings(skin=skin))
        ),
    ],
)
@pytest.mark.parametrize(
    ("skin", "sentence"), [("gardn", "did you mean 'garden'"), ("no/such.json", "no such file")]
)
def test_an_unknown_skin_is_refused_though_nothing_is_drawn(call, skin, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(skin)


def test_a_benchmark_refuses_its_last_stage_before_it_plays_the_first(tmp_path):
    with pytest.raises(ValueError, match="stage must be a whole number from 1 to 3, got 4"):
        benchmark(
            {"idle": IdleAgent}, BenchmarkConfig(episodes=1, stages=(1, 4)), out=tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_an_episode_in_a_skin_that_is_gone_can_be_read(tmp_path):
    own = tmp_path / "own.json"
    own.write_bytes((_skins() / "garden.json").read_bytes())
    store = EpisodeStore(tmp_path / "store")
    rollout(IdleAgent(), episodes=1, max_steps=3, env={"skin": own}, recorder=store)
    own.unlink()
    assert store.load(0).settings.skin == str(own)


def _skins():
    from arena_breaker_gym.rendering import skins

    return Path(skins.__file__).parent / "skins"


# Spaces


@pytest.mark.parametrize(
    "build",
    [
        lambda: make(observation="both", pixel_size=64),
        lambda: FlattenTables(make(observation="both", pixel_size=64)),
        lambda: make_batch(observation="both", pixel_size=64),
    ],
)
def test_every_environment_has_spaces_of_its_own(build):
    envs = build()
    for space in (envs.observation_space, getattr(envs, "single_observation_space", {"pixels": 0})):
        space["pixels"] = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
    envs.action_space.low[...] = 0.0
    other = build()
    assert other.observation_space["pixels"].dtype == np.uint8
    assert (other.action_space.low == -1.0).all()
    if hasattr(other, "single_observation_space"):
        assert other.single_observation_space["pixels"].dtype == np.uint8


# Order of calls


def test_a_batch_refuses_to_step_before_it_is_reset():
    envs = make_batch()
    with pytest.raises(gym.error.ResetNeeded, match=r"before calling env.reset\(\)"):
        envs.step(np.zeros((2, 5), np.float32))
    envs.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(gym.error.ResetNeeded, match="arena 1"):
        envs.step(np.zeros((2, 5), np.float32))
    envs.reset(options={"reset_mask": np.array([False, True])})
    envs.step(np.zeros((2, 5), np.float32))


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("copy", [True, False])
def test_a_state_can_be_restored_into_a_batch_whatever_its_autoreset_mode(mode, copy):
    envs = make_batch(
        observation="both", pixel_size=64, autoreset_mode=mode, copy=copy, max_episode_steps=6
    )
    inner = envs.unwrapped
    envs.reset(seed=3)
    for _ in range(2):
        envs.step(np.full((2, 5), 0.5, np.float32))
    saved, snapshot = inner.save_state(0), inner.snapshot(0)
    expected = _copies(envs.step(np.full((2, 5), -0.5, np.float32)))
    for _ in range(3):  # to the end of the episode, and in mode SAME_STEP into the next
        envs.step(np.zeros((2, 5), np.float32))
    inner.restore_state(0, saved)
    inner.restore_state(1, saved)
    assert inner.snapshot(1) == snapshot
    given = envs.step(np.full((2, 5), -0.5, np.float32))
    for name, table in expected[0].items():
        assert np.array_equal(given[0][name][0], table[0]), name
        assert np.array_equal(given[0][name][1], table[0]), name
    assert given[1].tolist() == [expected[1][0]] * 2 and not given[3].any()


def _copies(step):
    return {name: table.copy() for name, table in step[0].items()}, step[1].copy()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_restored_end_waits_for_its_reset(mode):
    envs = make_batch(1, autoreset_mode=mode, max_episode_steps=4)
    alone = make(max_episode_steps=4)
    alone.reset(seed=1)
    for _ in range(4):
        *_, truncated, _ = alone.step(STILL)
    assert truncated
    envs.unwrapped.restore_state(0, alone.unwrapped.save_state())  # counts as a reset
    if mode is AutoresetMode.DISABLED:
        with pytest.raises(ValueError, match="Arena 0 has ended"):
            envs.step(STILL[None])
        return
    observations, rewards, *_ = envs.step(STILL[None])
    assert observations["progress"][0, 3] == 1.0 and rewards[0] == 0.0


# Infos


def test_every_value_of_info_has_a_dtype():
    env = make(max_episode_steps=50)
    infos = [env.reset(seed=0)[1], env.step(STILL)[4]]
    for info in infos:
        assert {value.dtype.kind for value in info.values()} == {"i", "b", "f"}
        assert all(value.shape == () for value in info.values())
    first, second = (list(info) for info in infos)
    assert first == second


@pytest.mark.parametrize("name", IDS)
def test_no_dict_lies_within_the_info_of_any_id(name):
    """A reader such as TorchRL's asks every value for its dtype, of one arena and of batches."""
    env, envs = gym.make(name), gym.make_vec(name, num_envs=2)
    for info in (env.reset(seed=0)[1], envs.reset(seed=0)[1]):
        assert all(value.dtype.kind in "ibf" for value in info.values())
        assert {"reward_score", "reward_damage", "reward_hits"} <= set(info)


def test_flat_infos_hold_the_terms_of_the_reward_side_by_side():
    nested, flat = make(flat_info=np.bool_(False)), make()
    batches = make_batch(flat_info=False), make_batch()
    for envs in (nested, flat, *batches):
        envs.reset(seed=0)
    actions = np.random.default_rng(0).uniform(-1, 1, (150, 2, 5)).astype(np.float32)
    for action in actions:
        _, reward, *_, info = nested.step(action[0])
        *_, flat_info = flat.step(action[0])
        terms = info.pop("rewards")
        assert sum(terms.values()) == reward
        assert flat_info == {**info, **{f"reward_{name}": term for name, term in terms.items()}}
        (*_, info), (*_, flat_info) = (envs.step(action) for envs in batches)
        terms = info.pop("rewards")
        for name in ("score", "damage", "hits"):
            assert np.array_equal(flat_info[f"reward_{name}"], terms[name])
        assert not any(isinstance(value, dict) for value in flat_info.values())


def test_large_counts_are_told_as_they_are():
    env = make()
    env.reset(seed=0)
    env.unwrapped.arenas.records["statistics"]["score"][0] = 12_345
    *_, info = env.step(STILL)
    assert info["score"] == 12_345 and info["score"].dtype == np.int64


# Specs


def test_flatten_tables_is_built_again_from_its_spec():
    env = FlattenTables(make(frame_skip=3))
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert env.observation_space == again.observation_space
    first, second = (one.reset(seed=0)[0] for one in (env, again))
    assert all(np.array_equal(first[name], second[name]) for name in first)


# Ids


IDS = {
    "ArenaBreaker-State-v0": {"observation": "state"},
    "ArenaBreaker-Flat-v0": {"observation": "flat"},
    "ArenaBreaker-Pixels84-v0": {"observation": "pixels", "pixel_size": 84},
}


@pytest.mark.parametrize("name", IDS)
def test_ids_need_no_keywords(name):
    env, plain = gym.make(name), gym.make("ArenaBreaker-v0", **IDS[name])
    assert env.observation_space == plain.observation_space
    assert _equal(env.reset(seed=2)[0], plain.reset(seed=2)[0])
    assert env.observation_space.contains(env.step(STILL)[0])
    assert gym.spec(name).max_episode_steps == 3600
    envs = gym.make_vec(name, num_envs=2)
    assert type(envs.unwrapped).__name__ == "ArenaBreakerVectorEnv"
    seen = envs.reset(seed=2)[0]
    assert envs.observation_space.contains(seen)
    first = {key: table[0] for key, table in seen.items()} if isinstance(seen, dict) else seen[0]
    assert _equal(first, plain.reset(seed=2)[0])


def _equal(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)
    return np.array_equal(one, other)


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("copy", [True, False])
def test_the_flat_vector_is_the_tables_one_after_the_other(mode, copy):
    flat, tables = (
        make_batch(3, observation=what, autoreset_mode=mode, copy=copy, max_episode_steps=7)
        for what in ("flat", "state")
    )
    given = [envs.reset(seed=1) for envs in (flat, tables)]
    for step in range(20):
        vectors, dicts = (one[0] for one in given)
        assert vectors.dtype == np.float32 and vectors.shape == (3, 397)
        assert np.array_equal(vectors, _laid_out(dicts, 3)), step
        if "final_obs" in given[0][-1]:
            last, last_tables = (one[-1]["final_obs"][2] for one in given)
            assert np.array_equal(last, _laid_out(last_tables, 1)[0])
        actions = np.full((3, 5), 0.1 * (step % 7), np.float32)
        if mode is AutoresetMode.DISABLED and step % 7 == 6:
            given = [envs.reset() for envs in (flat, tables)]
        else:
            given = [envs.step(actions) for envs in (flat, tables)]


def _laid_out(tables, count):
    return np.concatenate([tables[name].reshape(count, -1) for name in TABLES], axis=1)


def test_the_flat_vectors_bounds_are_the_tables():
    flat, tables = (make(observation=what).observation_space for what in ("flat", "state"))
    ends = np.cumsum([0, *(tables[name].low.size for name in TABLES)])
    for name, (first, last) in zip(TABLES, pairwise(ends), strict=True):
        assert np.array_equal(flat.high[first:last], tables[name].high.ravel()), name


def test_the_environments_own_keywords_are_known_to_both():
    """A keyword of one that the other lacks would fail scripts that change to a batch."""
    single = {"render_mode", "render_size", "flat_info"}
    from arena_breaker_gym import ArenaBreakerVectorEnv

    for kind in (ArenaBreakerEnv, ArenaBreakerVectorEnv):
        assert single <= set(inspect.signature(kind).parameters)


# Keys


@pytest.fixture
def played(monkeypatch):
    """What `gymnasium.utils.play` did while some keys were held, a frame each."""

    def play_with(*frames):
        env = gym.make("ArenaBreaker-v0", render_mode="rgb_array", render_size=64)
        given, waiting, given_keys = [], list(frames), [set()]

        def events():
            if not waiting:
                return [pygame.event.Event(pygame.QUIT)]
            before, now = given_keys[-1], waiting.pop(0)
            given_keys.append(now)
            return [
                pygame.event.Event(kind, key=key)
                for kind, keys in ((pygame.KEYUP, before - now), (pygame.KEYDOWN, now - before))
                for key in keys
            ]

        monkeypatch.setattr(pygame.event, "get", events)
        play(env, callback=lambda *step: given.append(step[2]), noop=STILL, seed=0)
        return given

    return play_with


def test_gymnasiums_own_play_can_be_played_with_keys(played):
    actions = played(
        {pygame.K_w, pygame.K_d}, {pygame.K_a, pygame.K_d}, {pygame.K_UP, pygame.K_SPACE}, set()
    )
    half = np.float32(0.5**0.5)
    assert [action.tolist() for action in actions] == [
        [half, -half, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, -1, 1],
        [0, 0, 0, 0, 0],
    ]


def test_every_way_to_hold_keys_is_an_action():
    env = make()
    actions = env.unwrapped.get_keys_to_action()
    assert len(actions) == 2**9 - 1
    assert all(action in env.action_space for action in actions.values())


def test_frames_a_second_are_a_whole_number_where_they_can_be():
    assert repr(make().metadata["render_fps"]) == repr(make_batch().metadata["render_fps"]) == "30"
    assert make(frame_skip=7).metadata["render_fps"] == pytest.approx(60 / 7)


# Minari


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
@pytest.mark.parametrize("wrap", [lambda env: env, FlattenTables])
def test_minari_records_it_infos_and_all_and_builds_it_again(wrap, tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    pytest.importorskip("jax")  # which Minari needs to record, and the extra "minari" brings
    minari = pytest.importorskip("minari")
    env = wrap(make(max_episode_steps=5, frame_skip=3))
    recorder = minari.DataCollector(env, record_infos=True)
    for seed in range(2):
        recorder.reset(seed=seed)
        while not recorder.step(STILL)[3]:
            pass
    dataset = recorder.create_dataset(
        dataset_id="arena/test-v0",
        eval_env=env.spec,
        algorithm_name="idle",
        author="nobody",
        author_email="nobody@example.invalid",
        code_permalink="https://example.invalid",
        description="none",
    )
    recorder.close()
    del recorder
    gc.collect()  # Minari leaves its temporary folders to the collector, with a warning
    assert dataset.total_steps == 10
    again = dataset.recover_environment()
    assert again.observation_space == env.observation_space
    assert again.unwrapped.settings.frame_skip == 3
    episode = dataset[0]
    assert episode.infos["hp"].tolist() == [5] * 6
    terms = [episode.infos[f"reward_{term}"] for term in ("score", "damage", "hits")]
    assert np.array_equal(sum(terms)[1:], episode.rewards)


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
@pytest.mark.filterwarnings("ignore:.* is set to None:UserWarning")
def test_minari_keeps_frames_bit_for_bit_as_the_page_says(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    pytest.importorskip("jax")
    minari = pytest.importorskip("minari")
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    (made,) = re.findall(r"minari\.DataCollector\(.*\)", page)
    recorder = eval(made, {"minari": minari, "gym": gym})
    frames = [recorder.reset(seed=0)[0]["pixels"].copy()]
    frames += [recorder.step(recorder.action_space.sample())[0]["pixels"].copy() for _ in range(5)]
    kept = recorder.create_dataset("arena/frames-v0")[0].observations["pixels"]
    recorder.close()
    del recorder
    gc.collect()
    assert np.array_equal(kept, frames)


# Pages


def test_the_page_of_other_libraries_is_what_its_script_writes():
    script = runpy.run_path(str(ROOT / "examples/works_with.py"))
    rows = json.loads((ROOT / "docs/data/works_with.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/works_with.md").read_text(encoding="utf-8")
    assert script["page_of"](rows) == page
    plays = runpy.run_path(str(ROOT / "examples/peers.py"))["PLAYS"]
    assert set(rows) <= set(script["PEERS"]) == set(plays)
