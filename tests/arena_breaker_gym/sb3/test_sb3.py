"""Stable-Baselines3 over the native batch, policies in files, and the agent that plays them."""

import csv
import json
import os
import sys
import warnings
import zipfile
from dataclasses import replace
from importlib import import_module

import gymnasium as gym
import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")

from safetensors.torch import load, save
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    VecExtractDictObs,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
    VecTransposeImage,
)

from arena_breaker_agents.registry import make_agent
from arena_breaker_agents.sb3 import SB3Agent
from arena_breaker_gym import PreprocessedEnv, PreprocessingConfig
from arena_breaker_gym._runtime.extras import MissingExtraError
from arena_breaker_gym.rollout import rollout
from arena_breaker_gym.sb3 import make_vec_env, save_policy, training
from arena_breaker_gym.sb3.policy_file import PolicyFileError, load_policy
from arena_breaker_gym.sb3.training import (
    TrainingStateError,
    read_note,
    restore_checkpoint,
    save_checkpoint,
    train,
)

STATE = {"observation": "state"}
PIXELS = {"observation": "pixels", "pixel_size": 64}
LEARNER = PreprocessingConfig(senses=True, headings=16, targets=4)


def sampled(space, count, steps):
    space.seed(0)
    return [np.stack([space.sample() for _ in range(count)]) for _ in range(steps)]


def assert_equal(one, other):
    if isinstance(one, dict):
        for name in one:
            assert np.array_equal(one[name], other[name]), name
    else:
        assert np.array_equal(one, other)


def row(observation, index):
    if isinstance(observation, dict):
        return {name: table[index] for name, table in observation.items()}
    return observation[index]


@pytest.mark.parametrize(
    ("preprocessing", "settings"),
    [(None, STATE), (LEARNER, STATE), (PreprocessingConfig(headings=8), PIXELS)],
)
def test_an_arena_is_the_single_environment_and_its_ending_is_told(preprocessing, settings):
    """All observations up to the last, which the infos hold, and the first after it."""
    steps, count = 40, 3
    envs = make_vec_env(
        count, seed=7, preprocessing=preprocessing, max_episode_steps=steps, **settings
    )
    alone = [gym.make("ArenaBreaker-v0", max_episode_steps=steps, **settings) for _ in range(count)]
    if preprocessing is not None:
        alone = [PreprocessedEnv(env, preprocessing) for env in alone]
    seen = envs.reset()
    for index, env in enumerate(alone):
        first, info = env.reset(seed=7 + index)
        assert_equal(row(seen, index), first)
        assert envs.reset_infos[index] == info
    for actions in sampled(envs.action_space, count, steps):
        seen, rewards, dones, infos = envs.step(actions)
        for index, env in enumerate(alone):
            last, reward, _, truncated, info = env.step(actions[index])
            assert rewards[index] == np.float32(reward)
            if not dones[index]:
                assert infos[index] == {}
                assert_equal(row(seen, index), last)
                continue
            assert_equal(infos[index]["terminal_observation"], last)
            assert infos[index]["TimeLimit.truncated"] is truncated
            assert info.items() <= infos[index].items()
            assert_equal(row(seen, index), env.reset()[0])
    assert dones.all() and truncated


def test_episodes_are_counted_as_monitor_counts_them():
    """The same batch with VecMonitor round it agrees on each return, length and keyword."""
    own = make_vec_env(4, seed=0, max_episode_steps=60, info_keywords=("kills",), **STATE)
    bare = make_vec_env(4, seed=0, max_episode_steps=60, monitor=False, **STATE)
    watched = VecMonitor(bare, info_keywords=("kills",))
    own.reset(), watched.reset()
    told = 0
    for actions in sampled(own.action_space, 4, 150):
        infos, others = own.step(actions)[3], watched.step(actions)[3]
        for info, other in zip(infos, others, strict=True):
            assert ("episode" in info) == ("episode" in other)
            if "episode" in info:
                told += 1
                episode, expected = info["episode"], other["episode"]
                assert episode["r"] == pytest.approx(expected["r"], abs=1e-4)
                assert episode["l"] == expected["l"] and episode["kills"] == expected["kills"]
                assert episode["t"] >= 0.0
    assert told >= 8


def test_infos_of_arenas_that_play_on_are_one_empty_dict():
    envs = make_vec_env(8, seed=0, **STATE)
    envs.reset()
    infos = envs.step(np.zeros((8, 5), np.float32))[3]
    assert infos == [{}] * 8 and len({id(info) for info in infos}) == 1


def test_methods_and_attributes_of_arenas():
    envs = make_vec_env(
        3, seed=0, preprocessing=LEARNER, render_mode="rgb_array", render_size=64, **STATE
    )
    envs.reset()
    assert envs.get_attr("render_mode") == ["rgb_array"] * 3
    assert envs.get_attr("settings", 1)[0].observation == "state"
    assert envs.has_attr("preprocessing") and not envs.has_attr("processing")
    saved = envs.env_method("save_state", indices=[1])[0]
    envs.step(np.zeros((3, 2), int))
    envs.env_method("restore_state", saved, indices=1)
    assert envs.env_method("save_state", indices=1) == [saved]
    assert envs.env_method("snapshot")[2]["stage"] == 1
    assert envs.render().shape == (128, 128, 3)
    with pytest.raises(AttributeError, match="has no method 'fly'"):
        envs.env_method("fly")
    with pytest.raises(ValueError, match="All arenas share 'render_size'"):
        envs.set_attr("render_size", 32, indices=0)
    envs.set_attr("note", "ours")
    assert envs.get_attr("note", 0) == ["ours"]
    assert envs.env_is_wrapped(Monitor) == [True] * 3
    assert make_vec_env(1, monitor=False, **STATE).env_is_wrapped(Monitor) == [False]
    envs.close()


def test_options_are_each_arenas_own_and_used_once():
    envs = make_vec_env(3, seed=0, **STATE)
    envs.set_options([{}, {"stage": 3}, {"stage": 2}])
    envs.reset()
    assert [info["stage"] for info in envs.reset_infos] == [1, 3, 2]
    envs.reset()
    assert [info["stage"] for info in envs.reset_infos] == [1, 1, 1]


def test_seeds_are_used_once_and_repeat_the_game():
    envs = make_vec_env(2, **STATE)
    envs.seed(3)
    first = envs.reset()
    second = envs.reset()
    envs.seed(3)
    assert_equal(envs.reset(), first)
    assert_equal(envs.reset(), second)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="The game's info has no 'deaths'"):
        make_vec_env(2, info_keywords=("deaths",))
    with pytest.raises(ValueError, match="did you mean 'observation'"):
        make_vec_env(2, observations="state")


def test_what_is_missing_is_named_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    for ask in (lambda: make_vec_env(2), lambda: make_agent("sb3:model.zip")):
        with pytest.raises(MissingExtraError, match=r"pip install \"arena-breaker-gym\[rl\]\""):
            ask()


def test_hits_can_be_rewarded():
    envs = make_vec_env(
        2, seed=0, max_episode_steps=60, info_keywords=("hits",), reward={"hits": 0.5}, **STATE
    )
    envs.reset()
    for _ in range(60):
        infos = envs.step(np.array([[0, 0, 1, 0, 0], [0, 0, 0, 1, 0]], np.float32))[3]
    episodes = [info["episode"] for info in infos]
    assert [one["r"] for one in episodes] == [0.5 * one["hits"] for one in episodes]
    assert sum(one["hits"] for one in episodes) > 0


def test_their_checker_takes_a_kit():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(PreprocessedEnv(gym.make("ArenaBreaker-v0", **STATE), LEARNER))


def test_their_wrappers_work_round_the_batch():
    envs = VecNormalize(VecFrameStack(make_vec_env(2, seed=0, preprocessing=LEARNER, **STATE), 3))
    assert envs.reset().shape == (
        2,
        3 * make_vec_env(1, preprocessing=LEARNER, **STATE).reset().shape[1],
    )
    pictures = VecTransposeImage(VecFrameStack(make_vec_env(2, seed=0, **PIXELS), 2))
    assert pictures.reset().shape == (2, 6, 64, 64)
    tables = VecNormalize(make_vec_env(2, seed=0, max_episode_steps=5, **STATE))
    tables.reset()
    for _ in range(5):
        infos = tables.step(np.zeros((2, 5), np.float32))[3]
    assert set(infos[0]["terminal_observation"]) == set(tables.observation_space.spaces)


def small(policy, envs, **options):
    return PPO(policy, envs, n_steps=8, batch_size=8, n_epochs=1, device="cpu", seed=0, **options)


def test_the_tables_are_learnt_from_as_they_are():
    model = small("MultiInputPolicy", make_vec_env(4, seed=0, max_episode_steps=6, **STATE))
    model.learn(64)
    assert len(model.ep_info_buffer) == 8
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it would warn of a batch without Monitor
        evaluate_policy(model, make_vec_env(2, seed=0, max_episode_steps=6, **STATE), 2)


LEARNT = {
    "senses": ("MlpPolicy", {"preprocessing": LEARNER, **STATE}, lambda envs: envs, {}),
    "flat": (
        "MlpPolicy",
        {"observation": "flat"},
        VecNormalize,
        {"net_arch": {"pi": [np.int64(16)], "vf": [np.int32(8)]}},  # as NumPy's tools give them
    ),
    "tables": ("MultiInputPolicy", STATE, VecNormalize, {"net_arch": {"pi": [32], "vf": [8, 8]}}),
    "pixels": (
        "CnnPolicy",
        {"preprocessing": PreprocessingConfig(headings=8), **PIXELS},
        lambda e: VecFrameStack(e, 2),
        {},
    ),
    "stacked": (
        "MlpPolicy",
        {"preprocessing": PreprocessingConfig(senses=True), **STATE},
        lambda envs: VecNormalize(VecFrameStack(envs, 3)),
        {"share_features_extractor": False, "activation_fn": torch.nn.ELU},
    ),
}


def learned(kind, folder):
    """A model, hardly trained, and the file of its policy."""
    policy, game, wrapped, network = LEARNT[kind]
    envs = wrapped(make_vec_env(2, seed=0, frame_skip=4, max_episode_steps=50, **game))
    model = small(policy, envs, policy_kwargs=network)
    model.learn(16)
    save_policy(model, folder / f"{kind}.zip")
    return model, folder / f"{kind}.zip"


@pytest.mark.parametrize("kind", LEARNT)
def test_the_agent_plays_what_the_model_would(kind, tmp_path):
    """Its episode is the one that SB3's own predict plays, with preprocessing, stack and so on."""
    model, file = learned(kind, tmp_path)
    envs = model.get_env()
    if isinstance(envs, VecNormalize):
        envs.training = False
    envs.seed(5)
    seen, done = envs.reset(), False
    while not done:
        actions, _ = model.predict(seen, deterministic=True)
        seen, _, dones, infos = envs.step(actions)
        done = dones[0]
    agent = make_agent(f"sb3:{file}")
    game = model.get_env().unwrapped.settings.to_dict() if kind == "pixels" else STATE
    (episode,) = rollout(agent, episodes=1, seed=5, env={**game, "frame_skip": 2}, max_steps=100)
    assert agent.name == kind
    assert len(episode.actions) == pytest.approx(2 * infos[0]["episode"]["l"], abs=1)
    assert episode.metrics["kills"] == infos[0]["kills"]
    assert episode.rewards.sum() == pytest.approx(infos[0]["episode"]["r"], abs=1e-4)


@pytest.mark.parametrize("said", ["", "?sampled=true"])
def test_episodes_do_not_depend_on_what_is_played_beside_them(said, tmp_path):
    _, file = learned("senses", tmp_path)
    alone, together = (
        rollout(make_agent(f"sb3:{file}{said}"), episodes=3, seed=1, num_envs=n, max_steps=60)
        for n in (1, 3)
    )
    assert [one.final_hash for one in alone] == [one.final_hash for one in together]


def test_the_agent_holds_an_action_until_its_next_decision(tmp_path):
    _, file = learned("senses", tmp_path)
    agent = make_agent(f"sb3:{file}")
    (episode,) = rollout(agent, episodes=1, seed=0, env=STATE, max_steps=40)
    pairs = episode.actions.reshape(-1, 2, 5)
    assert np.array_equal(pairs[:, 0], pairs[:, 1])  # 4 ticks a decision, 2 a step
    assert len(np.unique(pairs[:, 0], axis=0)) > 3


def test_games_that_do_not_fit_are_refused(tmp_path):
    _, file = learned("senses", tmp_path)
    with pytest.raises(ValueError, match="decides every 4 ticks, which 3 ticks a step"):
        rollout(make_agent(f"sb3:{file}"), episodes=1, env={"frame_skip": 3})
    _, file = learned("pixels", tmp_path)
    with pytest.raises(ValueError, match="play it with pixel_size=64, not 256"):
        rollout(make_agent(f"sb3:{file}"), episodes=1, env={"pixel_size": 256})
    (unasked,) = rollout(make_agent(f"sb3:{file}"), episodes=1, max_steps=8)
    assert unasked.settings.pixel_size == 64
    with pytest.raises(ValueError, match="did you mean 'sampled'"):
        make_agent(f"sb3:{file}?sample=true")


def rewritten(file, change):
    """The file with another description."""
    with zipfile.ZipFile(file) as archive:
        description = json.loads(archive.read("policy.json"))
        weights = archive.read("policy.safetensors")
    change(description)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("policy.json", json.dumps(description))
        archive.writestr("policy.safetensors", weights)
    return file


def part(name, value):
    return lambda said: said["architecture"].update({name: value})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda said: said.update(format="other"), "holds no policy of Arena Breaker"),
        (lambda said: said.update(version=9), "has version 9"),
        (lambda said: said.pop("kit"), "has no 'kit'"),
        (lambda said: said["kit"].update(headings=8), "do not fit its own description"),
        (lambda said: said["settings"].update(skins="x"), "no setting 'skins'"),
        (lambda said: said["layers"].append({"layer": "pickle"}), "no layer 'pickle'"),
        (lambda said: said["layers"].append({"layer": "stack", "frames": 10**9}), "from 2 to 16"),
        (lambda said: said["layers"].append({"layer": "normalise"}), "badly formed"),
        (part("policy", "os.system"), "no 'os.system'"),
        (part("activation", "Softmax"), "no 'Softmax'"),
        (part("net_arch", {"pi": [10**9], "vf": [8]}), "from 1 to 4096"),
        (part("net_arch", {"pi": [8] * 100, "vf": [8]}), "at most 32 layers"),
        (part("net_arch", [8, 8]), "describes no policy"),
        (part("net_arch", {"pi": [4096] * 8, "vf": [8]}), "do not fit its own description"),
        (part("policy", "x" * 10**6), "there is no 'xxx"),
        (part("policy", ["MlpPolicy"]), "describes no policy"),
        (part("features_extractor_kwargs", {"features_dim": 8}), "describes no policy"),
        (lambda said: said["layers"].extend([{"layer": "stack", "frames": 16}] * 9), "from 1 to"),
        (lambda said: said["layers"].append({"layer": "stack", "frames": 2}), "do not fit"),
        (lambda said: said.update(layers=5), "describes no policy"),
        (lambda said: said.update(settings={"x" * 10**6: 1}), "describes no policy"),
        (lambda said: said.update(architecture=None), "describes no policy"),
    ],
)
def test_files_that_describe_something_else_are_refused_in_one_sentence(change, sentence, tmp_path):
    _, file = learned("senses", tmp_path)
    with pytest.raises(PolicyFileError, match=sentence) as refusal:
        load_policy(rewritten(file, change))
    assert "\n" not in str(refusal.value) and file.name in str(refusal.value)
    assert len(str(refusal.value)) < 1000 + len(str(file))


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: {**weights, "policy.action_net.bias": torch.full([41], np.nan)},
        lambda weights: {**weights, "policy.action_net.bias": torch.zeros(41, dtype=torch.int64)},
        lambda weights: {**weights, "policy.action_net.bias": torch.zeros(41, 10**5)},
        lambda weights: {**weights, "policy.more": torch.zeros(1)},
        lambda weights: dict(list(weights.items())[1:]),
        lambda weights: {},
    ],
)
def test_weights_that_are_others_are_refused(change, tmp_path):
    _, file = learned("senses", tmp_path)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    weights = load(members["policy.safetensors"])
    assert "policy.action_net.bias" in weights
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("policy.json", members["policy.json"])
        archive.writestr("policy.safetensors", save(change(weights)))
    with pytest.raises(PolicyFileError, match="weights do not fit its own description"):
        load_policy(file)


@pytest.mark.parametrize("seed", range(2))
def test_no_damage_to_a_policy_ends_otherwise_than_in_a_sentence(seed, tmp_path):
    _, file = learned("senses", tmp_path)
    whole, random = file.read_bytes(), np.random.default_rng(seed)
    for _ in range(40):
        damaged = bytearray(whole)
        for at in random.integers(1500 if random.random() < 0.7 else len(whole), size=2):
            damaged[at] ^= 1 << int(random.integers(8))
        file.write_bytes(damaged)
        try:
            SB3Agent.from_file(file)
        except PolicyFileError as error:
            assert len(str(error)) < 1000 + len(str(file))


def test_files_that_are_no_policy_are_refused(tmp_path):
    model, file = learned("senses", tmp_path)
    model.save(tmp_path / "theirs.zip")
    with pytest.raises(PolicyFileError, match="pickled parts are not read here"):
        load_policy(tmp_path / "theirs.zip")
    with pytest.raises(PolicyFileError, match="There is no policy at"):
        load_policy(tmp_path / "none.zip")
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(tmp_path / "small.zip", "w", 8) as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name))
    for damaged in (file.read_bytes()[:-100], b"", b"nonsense"):
        (tmp_path / "damaged.zip").write_bytes(damaged)
        with pytest.raises(PolicyFileError, match="damaged, or no policy"):
            load_policy(tmp_path / "damaged.zip")
    with pytest.raises(PolicyFileError, match="damaged, or no policy"):
        load_policy(tmp_path / "small.zip")  # compressed, so it could fill the memory
    with zipfile.ZipFile(tmp_path / "deep.zip", "w") as deep:
        deep.writestr("policy.json", "[" * 100_000)
        deep.writestr("policy.safetensors", b"")
    os.mkfifo(tmp_path / "pipe.zip")  # what is no file is not waited for
    for name in ("deep.zip", "pipe.zip"):
        with pytest.raises(PolicyFileError, match="damaged, or no policy"):
            load_policy(tmp_path / name)


def test_models_whose_parts_have_no_name_are_refused(tmp_path):
    envs = make_vec_env(2, **STATE)
    strange = small("MultiInputPolicy", envs, policy_kwargs={"activation_fn": torch.nn.Softplus})
    with pytest.raises(PolicyFileError, match="Softplus cannot be written"):
        save_policy(strange, tmp_path / "x.zip")
    inside = small("MlpPolicy", VecExtractDictObs(envs, "player"))
    with pytest.raises(PolicyFileError, match="VecExtractDictObs does to observations"):
        save_policy(inside, tmp_path / "x.zip")
    foreign = small("MlpPolicy", gym.make("CartPole-v1"))
    with pytest.raises(PolicyFileError, match="train it in make_vec_env"):
        save_policy(foreign, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_only_actor_critics_can_be_written(tmp_path):
    model = DQN("MlpPolicy", gym.make("CartPole-v1"), buffer_size=10, device="cpu")
    with pytest.raises(PolicyFileError):
        save_policy(model, tmp_path / "x.zip")


def short(config, **changes):
    return replace(config, num_envs=4, n_steps=8, batch_size=16, n_epochs=1, **changes)


class KilledError(Exception):
    """Stands for the end of a process."""


def test_training_goes_on_where_it_was_killed(tmp_path, monkeypatch):
    from examples.train_ppo import CONFIG

    monkeypatch.setattr(training, "PERIOD", 0.0)  # a checkpoint after every update
    monkeypatch.setenv("ARENA_BREAKER_LOG", "csv")
    config = short(CONFIG, steps=96, max_episode_steps=6)
    shares = []

    def watch(words, share):
        shares.append(round(share, 3))
        if len(shares) == 2:
            raise KilledError

    with pytest.raises(KilledError):
        train(config, tmp_path, watch=watch)
    model = train(config, tmp_path, watch=watch)
    assert shares == [0.333, 0.667, 1.0]
    kept = json.loads((tmp_path / "curve.json").read_text())
    assert kept["steps"] == 96 and kept["recipe"]["net_arch"] == [256, 128]
    assert [row["steps"] for row in kept["curve"]] == [32, 64, 96]
    assert kept["curve"][-1].keys() >= {"seconds", "kills", "survival_seconds", "reward"}
    assert isinstance(make_agent(f"sb3:{model}"), SB3Agent)
    train(config, tmp_path, watch=watch)
    assert len(shares) == 3  # there was nothing left to do
    with (tmp_path / "metrics.csv").open() as file:
        logged = {(row["step"], row["figure"]): row["value"] for row in csv.DictReader(file)}
    told = {(str(row["steps"]), "kills"): str(row["kills"]) for row in kept["curve"]}
    assert {key: value for key, value in logged.items() if key[1] == "kills"} == told


def test_a_checkpoint_brings_all_of_a_training_back(tmp_path):
    """Weights, Adam's memory and torch's generator: two copies learn the same from then on."""
    models = [small("MlpPolicy", make_vec_env(2, preprocessing=LEARNER, **STATE)) for _ in range(2)]
    models[0].learn(16)
    save_checkpoint(models[0], tmp_path / "c", {"steps": 16})
    assert read_note(tmp_path / "c") == {"steps": 16} and read_note(tmp_path / "d") is None
    draws = []
    for model in models:
        restore_checkpoint(model, tmp_path / "c")
        draws.append(torch.rand(1))
        loss = sum(one.square().sum() for one in model.policy.parameters())
        model.policy.optimizer.zero_grad()
        loss.backward()
        model.policy.optimizer.step()
    assert draws[0] == draws[1]
    states = [model.policy.state_dict() for model in models]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_another_training_in_the_folder_is_refused(tmp_path):
    from examples.train_ppo import CONFIG

    config = short(CONFIG, steps=32)
    train(config, tmp_path)
    with pytest.raises(TrainingStateError, match="another seed"):
        train(config, tmp_path, seed=1)
    with pytest.raises(TrainingStateError, match="another config"):
        train(replace(config, gamma=0.5), tmp_path)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"x")
    with pytest.raises(TrainingStateError, match="damaged"):
        train(config, tmp_path)


@pytest.mark.parametrize("example", ["train_ppo", "train_ppo_pixels"])
def test_both_examples_train_until_their_minutes_are_over(example, tmp_path):
    config = import_module(f"examples.{example}").CONFIG
    file = train(short(config, steps=10**9), tmp_path, minutes=1 / 60)
    kept = json.loads((tmp_path / "curve.json").read_text())
    assert 0 < kept["steps"] < 10**9
    (episode,) = rollout(
        make_agent(f"sb3:{file}?sampled=true"), episodes=1, env={"pixel_size": 84}, max_steps=30
    )
    assert len(episode.actions) == 30 and episode.agent == "model?sampled=true"
