"""The shipped expert: a tutor that sees what one frame shows, played by NumPy alone."""

import json

import numpy as np
import pytest

from arena_breaker_agents.expert import ExpertAgent, ExpertFileError, StatePolicy, export_policy
from arena_breaker_agents.registry import make_agent
from arena_breaker_agents.sb3 import SB3Agent
from arena_breaker_gym.batch.observation import TABLES
from arena_breaker_gym.rollout import rollout
from arena_breaker_gym.rollout.agent import Observations
from arena_breaker_gym.sb3.training import PPOConfig, train
from arena_breaker_gym.vector_env import ArenaBreakerVectorEnv
from arena_breaker_gym.wrappers import ActionNoise, PreprocessingConfig


def states(count=6, steps=90, seed=3):
    """Tables of a few arenas in the middle of a fight."""
    envs = ArenaBreakerVectorEnv(num_envs=count, observation="state")
    shown, _ = envs.reset(seed=seed)
    envs.action_space.seed(0)
    for _ in range(steps):
        shown, *_ = envs.step(envs.action_space.sample())
    return {name: shown[name] for name in TABLES}


def test_it_plays_far_better_than_the_scripted_player():
    # Not fewer: the scripted player kills 37 to 109 on them.
    games = {"episodes": 8, "seed": 500, "num_envs": 8}
    kills = {
        name: np.mean([one.metrics["kills"] for one in rollout(make_agent(name), **games)])
        for name in ("expert", "scripted")
    }
    assert kills["expert"] > 1.5 * kills["scripted"]


def test_it_plays_the_same_episode_whatever_is_played_beside_it():
    alone, beside = (
        rollout(ExpertAgent(), episodes=3, seed=7, num_envs=count, max_steps=300)
        for count in (1, 3)
    )
    assert [one.final_hash for one in alone] == [one.final_hash for one in beside]


def test_it_does_not_see_what_one_frame_does_not_show():
    seen = states()
    hidden = {name: table.copy() for name, table in seen.items()}
    hidden["player"][:, 2:5] = 0.123
    hidden["enemies"][:, :, 3:6] *= -0.5
    assert seen["enemies"][:, 0, 0].all(), "there is somebody to see"
    first, second = ExpertAgent(), ExpertAgent()
    arenas = range(len(seen["player"]))
    actions = first.act(Observations(state=seen), arenas)
    np.testing.assert_array_equal(actions, second.act(Observations(state=hidden), arenas))
    moved = {**seen, "enemies": np.roll(seen["enemies"], 1, axis=0)}
    assert not np.array_equal(actions, ExpertAgent().act(Observations(state=moved), arenas))


def test_its_verdict_is_what_it_acts_by():
    seen, agent = states(), ExpertAgent()
    verdict = agent.verdict(seen)
    actions = agent.act(Observations(state=seen), range(len(seen["player"])))
    np.testing.assert_array_equal(verdict.aim, actions[:, 2:4])
    headings = 16
    best = verdict.move.argmax(axis=1)
    angle = 2.0 * np.pi * (best % headings) / headings
    walks = best < 2 * headings
    np.testing.assert_allclose(actions[walks, 0], np.cos(angle[walks]), atol=1e-6)
    np.testing.assert_array_equal(actions[:, 4] > 0.5, (best >= headings) & walks)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config = PPOConfig(
        preprocessing=PreprocessingConfig(senses=True, headings=8, targets=2, single_frame=True),
        action_noise=ActionNoise(move=0.1, dash=0.1, aim=0.2),
        settings={"observation": "state", "frame_skip": 6},
        max_episode_steps=50,
        net_arch=(16, 8),
        num_envs=4,
        n_steps=16,
        batch_size=32,
        n_epochs=1,
        steps=64,
    )
    return train(config, tmp_path_factory.mktemp("ppo"), num_threads=1)


def test_a_trained_policy_plays_without_torch_as_with_it(trained, tmp_path):
    export_policy(trained, tmp_path / "own.npz")
    games = {"episodes": 2, "seed": 9, "max_steps": 200}
    own = rollout(ExpertAgent.from_source(str(tmp_path / "own.npz")), **games)
    torch = rollout(SB3Agent.from_file(trained), **games)
    assert [one.final_hash for one in own] == [one.final_hash for one in torch]


def test_a_file_that_is_no_expert_is_refused_in_one_sentence(trained, tmp_path):
    whole = tmp_path / "own.npz"
    export_policy(trained, whole)
    data = whole.read_bytes()
    broken = tmp_path / "broken.npz"
    for bad in (b"", data[: len(data) // 2], b"PK" + data[2:40]):
        broken.write_bytes(bad)
        with pytest.raises(ExpertFileError, match="damaged, or holds no expert"):
            StatePolicy.load(broken)
    np.savez(broken, about=np.array("{}"))
    with pytest.raises(ExpertFileError, match="holds no expert"):
        StatePolicy.load(broken)
    with np.load(whole) as file:
        arrays = dict(file)
    about = json.loads(str(arrays["about"]))
    wrong = {
        "senses": {"weight.0": arrays["weight.0"][1:]},
        "choices": {name: arrays[name][..., 1:] for name in ("weight.2", "bias.2")},
        "no numbers": {"bias.0": np.full_like(arrays["bias.0"], np.inf)},
        "deep": {"about": np.array("[" * 100_000)},
        **{
            str(change): {"about": np.array(json.dumps({**about, **change}))}
            for change in (
                {"kit": []},
                {"kit": {**about["kit"], "headings": 0}},
                {"kit": {**about["kit"], "targets": 0}},
                {"kit": {**about["kit"], "senses": False}},
                {"frame_skip": 0},
                {"frame_skip": 10**30},
                {"frame_skip": None},
            )
        },
    }
    for change in wrong.values():
        np.savez(broken, **{**arrays, **change})
        with pytest.raises(ExpertFileError, match="damaged, or holds no expert"):
            StatePolicy.load(broken)
    with pytest.raises(ExpertFileError, match="no expert at"):
        make_agent(f"expert:{tmp_path / 'gone.npz'}")


def test_noise_keeps_sticks_as_long_and_comes_from_the_generator_alone():
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, (2, 4000))
    actions = np.zeros((4000, 5), np.float32)
    actions[:, 0], actions[:, 1] = np.cos(angles[0]), np.sin(angles[0])
    actions[:, 2], actions[:, 3] = 0.7 * np.cos(angles[1]), 0.7 * np.sin(angles[1])
    kept = actions.copy()
    noise = ActionNoise(move=0.2, dash=0.1, aim=0.3)
    slipped, again = (noise.applied(actions, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(slipped, again)
    np.testing.assert_array_equal(actions, kept)
    np.testing.assert_allclose(np.hypot(slipped[:, 2], slipped[:, 3]), 0.7, rtol=1e-5)
    assert abs((slipped[:, :2] != actions[:, :2]).any(axis=1).mean() - 0.2) < 0.03
    assert abs(slipped[:, 4].mean() - 0.1) < 0.03
    np.testing.assert_array_equal(ActionNoise().applied(actions, rng), actions)
    with pytest.raises(ValueError, match=r"move must be from 0 to 1, got 1\.5"):
        ActionNoise(move=1.5)
