"""Rollouts: equal to stepping the environment by hand, whatever the batch, failures included."""

import dataclasses
import subprocess
import sys
import time

import gymnasium as gym
import numpy as np
import pytest

from arena_breaker_agents.baselines import IdleAgent, RandomAgent
from arena_breaker_agents.registry import label_of, make_agent
from arena_breaker_gym.rollout import (
    AgentFailure,
    Episode,
    EpisodeError,
    EpisodeStore,
    ReplayError,
    resimulate,
    rollout,
    verify,
)
from arena_breaker_gym.rollout.episode import hash_of

EPISODES = 9


def same(left: Episode, right: Episode) -> bool:
    arrays = np.array_equal(left.actions, right.actions)
    arrays &= np.array_equal(left.rewards, right.rewards)
    names = ("seed", "stage", "status", "reason", "metrics", "final_hash", "agent", "max_steps")
    return arrays and all(getattr(left, name) == getattr(right, name) for name in names)


@pytest.fixture(scope="module")
def played() -> list[Episode]:
    return rollout(RandomAgent(), episodes=EPISODES, seed=11, num_envs=1)


@pytest.mark.parametrize("num_envs", [3, 8])
def test_results_do_not_depend_on_num_envs(played, num_envs):
    again = rollout(RandomAgent(), episodes=EPISODES, seed=11, num_envs=num_envs)
    assert all(same(left, right) for left, right in zip(played, again, strict=True))
    assert [episode.seed for episode in again] == list(range(11, 11 + EPISODES))


def test_an_episode_equals_the_environment_stepped_by_hand(played):
    env = gym.make("ArenaBreaker-v0", observation="state")
    for index in (0, 4):
        agent = RandomAgent()
        agent.reset([0], 11 + index)
        env.reset(seed=11 + index)
        actions, rewards, ended = [], [], False
        while not ended:
            actions.append(agent.act(None, [0])[0])
            _, reward, terminated, truncated, info = env.step(actions[-1])
            rewards.append(reward)
            ended = terminated or truncated
        episode = played[index]
        assert np.array_equal(episode.actions, np.array(actions))
        assert episode.rewards.tolist() == rewards
        assert episode.final_hash == hash_of(env.unwrapped.arenas.records[0])
        assert episode.metrics["kills"] == info["kills"]
        assert episode.metrics["episode_return"] == pytest.approx(sum(rewards))


class Watcher:
    """Keeps what it is shown and shoots at the nearest enemy."""

    name = "watcher"

    def __init__(self, *needs):
        self.needs = needs
        self.seen = []

    @classmethod
    def of_snapshots(cls):
        return cls("snapshot")

    def reset(self, arenas, seed):
        self.began = (list(arenas), seed)

    def act(self, observations, arenas):
        if "snapshot" in self.needs:
            self.seen += list(observations.snapshots)
        if "state" in self.needs:
            self.seen += [row.copy() for row in observations.state["enemies"]]
            offsets = observations.state["enemies"][:, 0, 1:3]
            return np.hstack([-offsets, offsets * 16.0, np.zeros((len(arenas), 1))])
        return np.zeros((len(arenas), 5))

    def close(self):
        raise AssertionError("a rollout closes no agent that it did not make")


def test_an_agent_sees_what_the_environment_shows():
    agent = Watcher("state")
    (episode,) = rollout(agent, episodes=1, seed=5, max_steps=60)
    env = gym.make("ArenaBreaker-v0", observation="state", max_episode_steps=60)
    observation, _ = env.reset(seed=5)
    for seen, action in zip(agent.seen, episode.actions, strict=True):
        assert np.array_equal(seen, observation["enemies"])
        observation = env.step(action)[0]


def test_an_agent_is_shown_only_what_it_names():
    class Peeker(Watcher):
        def act(self, observations, arenas):
            return observations.pixels

    with pytest.raises(ValueError, match="reads 'pixels' without naming it"):
        rollout(Peeker("state"), episodes=1)
    with pytest.raises(ValueError, match="needs 'pixel'; did you mean 'pixels'"):
        rollout(Watcher("pixel"), episodes=1)


def test_snapshots_are_kept_as_they_were_seen():
    agent = Watcher("snapshot")
    (episode,) = rollout(agent, episodes=1, seed=2, max_steps=40, keep_snapshots=True)
    assert list(episode.snapshots) == agent.seen
    moments = [arenas.snapshot(0) for _, arenas in resimulate(episode)]
    assert moments[:-1] == agent.seen
    assert len(moments) == len(episode) + 1


def test_a_batch_shows_each_arena_its_own_view():
    alone, together = Watcher("state"), Watcher("state")
    singles = rollout(alone, episodes=6, seed=0, num_envs=1, max_steps=200)
    batch = rollout(together, episodes=6, seed=0, num_envs=4, max_steps=200)
    assert all(same(left, right) for left, right in zip(singles, batch, strict=True))
    assert {episode.status for episode in batch} <= {"completed", "time limit"}


def test_stages_are_taken_in_turn_and_the_time_limit_is_told():
    episodes = rollout(IdleAgent(), episodes=5, stage=[1, 2, 3], max_steps=20)
    assert [episode.stage for episode in episodes] == [1, 2, 3, 1, 2]
    assert [episode.metrics["stage_reached"] for episode in episodes] == [1, 2, 3, 1, 2]
    assert {episode.status for episode in episodes} == {"time limit"}
    assert {len(episode) for episode in episodes} == {20}


class Fragile(RandomAgent):
    """Fails in the episode of one seed, after some steps, and in another at once."""

    name = "fragile"

    def reset(self, arenas, seed):
        super().reset(arenas, seed)
        if seed == 3:
            raise AgentFailure("no connection")
        self.seeds = {**getattr(self, "seeds", {}), arenas[0]: seed}
        self.steps = {**getattr(self, "steps", {}), arenas[0]: 0}

    def act(self, observations, arenas):
        actions = super().act(observations, arenas)
        for arena in arenas:
            self.steps[arena] += 1
        broken = [arena for arena in arenas if self.seeds[arena] == 1 and self.steps[arena] == 31]
        if broken:
            raise AgentFailure(dict.fromkeys(broken, "answered nonsense"), actions=actions)
        return actions


@pytest.mark.parametrize("num_envs", [1, 4])
def test_a_failing_agent_ends_its_own_episode_and_no_other(num_envs):
    episodes = rollout(Fragile(), episodes=6, num_envs=num_envs)
    plain = rollout(RandomAgent(), episodes=6)
    assert [episode.status for episode in episodes].count("agent failed") == 2
    assert (episodes[1].reason, len(episodes[1])) == ("answered nonsense", 30)
    assert (episodes[3].reason, len(episodes[3])) == ("no connection", 0)
    for index in (0, 2, 4, 5):
        assert episodes[index].final_hash == plain[index].final_hash
    verify(episodes[1])
    verify(episodes[3])


def test_other_errors_of_an_agent_are_not_hidden():
    class Broken(RandomAgent):
        def act(self, observations, arenas):
            raise RuntimeError("a bug")

    class Short(RandomAgent):
        def act(self, observations, arenas):
            return super().act(observations, arenas)[:1]

    with pytest.raises(RuntimeError, match="a bug"):
        rollout(Broken(), episodes=1)
    with pytest.raises(ValueError, match=r"actions of shape \(3, 5\) and gave \(1, 5\)"):
        rollout(Short(), episodes=3)


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"episodes": 0}, "episodes must be a whole number of at least 1, got 0"),
        ({"episodes": 1, "seed": -1}, "seed must be a whole number of at least 0"),
        ({"episodes": 1, "num_envs": 0}, "num_envs must be"),
        ({"episodes": 1, "max_steps": 0}, "max_steps must be"),
        ({"episodes": 1, "stage": 4}, "stage must be a whole number from 1 to 3, got 4"),
        ({"episodes": 1, "stage": []}, "at least one stage"),
        ({"episodes": 1, "env": {"frameskip": 2}}, "did you mean 'frame_skip'"),
    ],
)
def test_bad_arguments_are_refused_before_play(keywords, sentence):
    with pytest.raises(ValueError, match=sentence):
        rollout(IdleAgent(), **keywords)


def test_progress_rises_to_the_whole():
    seen = []
    rollout(RandomAgent(), episodes=4, num_envs=2, progress=seen.append)
    shares = [progress.share for progress in seen]
    assert shares == sorted(shares)
    assert (seen[-1].done, seen[-1].total, seen[-1].share) == (4, 4, 1.0)


def test_a_finished_rollout_is_not_played_again(tmp_path, played):
    store = EpisodeStore(tmp_path)
    for index in (0, 1, 2, 5):
        store.save(index, played[index])
    steps = []
    again = rollout(
        RandomAgent(),
        episodes=EPISODES,
        seed=11,
        recorder=store,
        progress=lambda progress: steps.append(progress.steps),
    )
    assert all(same(left, right) for left, right in zip(played, again, strict=True))
    assert steps[-1] == sum(len(played[index]) for index in (3, 4, 6, 7, 8))


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"seed": 12}, "seed=11, not 12"),
        ({"env": {"point_blank_fix": False}}, "point_blank_fix=True, not False"),
        ({"stage": 2}, "stage=1, not 2"),
        ({"max_steps": 99}, "max_steps=3600, not 99"),
        ({"agent": IdleAgent()}, "agent='random', not 'idle'"),
    ],
)
def test_a_folder_of_another_rollout_is_refused(tmp_path, played, change, difference):
    store = EpisodeStore(tmp_path)
    store.save(0, played[0])
    keywords = {"agent": RandomAgent(), "episodes": 2, "seed": 11, "recorder": store, **change}
    with pytest.raises(EpisodeError, match=f"episode_000000.npz belongs to.*{difference}"):
        rollout(keywords.pop("agent"), **keywords)
    assert store.indices() == [0]


LONG_RUN = """
import sys, time
from arena_breaker_agents.baselines import RandomAgent
from arena_breaker_gym.rollout import EpisodeStore, rollout

class Slow(RandomAgent):
    def act(self, observations, arenas):
        time.sleep(0.002)
        return super().act(observations, arenas)

rollout(Slow(), episodes=9, seed=11, num_envs=3, recorder=EpisodeStore(sys.argv[1]))
"""


def test_a_killed_run_continues_where_it_stopped(tmp_path, played):
    store = EpisodeStore(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", LONG_RUN, str(tmp_path)])
    try:
        deadline = time.monotonic() + 300
        while len(store) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    kept = {index: store.path_of(index).stat().st_mtime_ns for index in store.indices()}
    assert 3 <= len(kept) < EPISODES
    again = rollout(RandomAgent(), episodes=EPISODES, seed=11, recorder=store)
    assert all(same(left, right) for left, right in zip(played, again, strict=True))
    for index, written in kept.items():
        assert store.path_of(index).stat().st_mtime_ns == written
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        store.path_of(index).name for index in range(EPISODES)
    ]


def test_replay_catches_a_changed_action(played):
    verify(played[0])
    actions = played[0].actions.copy()
    actions[20:30, :2] *= -1
    with pytest.raises(ReplayError, match="'random' with seed 11 does not end as recorded"):
        verify(dataclasses.replace(played[0], actions=actions))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"engine_version": 0}, "under version 0 of the engine"),
        ({"stages_digest": "0" * 64}, "stages that have been changed"),
    ],
)
def test_replay_refuses_another_world_before_it_plays(played, change, sentence):
    moments = resimulate(dataclasses.replace(played[0], **change))
    with pytest.raises(ReplayError, match=sentence):
        next(moments)


def test_frames_are_what_the_environment_shows_and_other_sizes_are_drawn_anew():
    from arena_breaker_gym.rollout import replay

    (episode,) = rollout(RandomAgent(), episodes=1, seed=4, max_steps=12)
    frames = list(replay(episode))
    env = gym.make("ArenaBreaker-v0", observation="pixels", max_episode_steps=12)
    shown = [env.reset(seed=4)[0], *(env.step(action)[0] for action in episode.actions)]
    assert len(frames) == len(episode) + 1
    assert all(np.array_equal(*pair) for pair in zip(frames, shown, strict=True))
    assert next(replay(episode, size=128)).shape == (128, 128, 3)


def test_a_pixel_agent_sees_the_frames_that_a_replay_draws():
    class Viewer(RandomAgent):
        needs = ("pixels",)
        seen: list = []  # noqa: RUF012 - one rollout, one viewer

        def act(self, observations, arenas):
            if 0 in arenas:
                self.seen.append(observations.pixels[0].copy())
            return super().act(observations, arenas)

    from arena_breaker_gym.rollout import replay

    episode = rollout(Viewer(), episodes=3, num_envs=3, seed=7, max_steps=15)[0]
    frames = list(replay(episode))[:-1]
    assert all(np.array_equal(*pair) for pair in zip(frames, Viewer.seen, strict=True))


@pytest.mark.parametrize("name", ["idle", "random", "scripted"])
def test_agents_by_name_play(name):
    agent = make_agent(name)
    (episode,) = rollout(agent, episodes=1, max_steps=30)
    assert (episode.agent, len(episode)) == (name, 30)
    agent.close()


def test_an_agent_of_ones_own_is_found_by_its_module():
    assert make_agent("arena_breaker_agents.baselines:IdleAgent").name == "idle"
    assert make_agent(
        "tests.arena_breaker_gym.rollout.test_rollout:Watcher.of_snapshots"
    ).needs == ("snapshot",)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("scriptd", "no agent 'scriptd'; did you mean 'scripted'"),
        ("nowhere.at_all:Agent", "no agent or module 'nowhere.at_all'"),
        ("arena_breaker_agents.baselines:Agent", "has no class 'Agent'"),
        ("idle:now", "'idle:now' cannot be made"),
    ],
)
def test_an_unknown_agent_is_refused_in_one_sentence(spec, sentence):
    with pytest.raises(ValueError, match=sentence):
        make_agent(spec)


OWN = """
import numpy as np

class Mine:
    name = "my best"
    needs = ()

    def __init__(self, push=0.5, look="left"):
        self.push, self.look = push, look

    def reset(self, arenas, seed):
        pass

    def act(self, observations, arenas):
        return np.full((len(arenas), 5), self.push, np.float32)

    def close(self):
        pass

class Shut(Mine):
    close = None

class Deaf(Mine):
    def act(self, arenas):
        return np.zeros((len(arenas), 5))

class Nameless(Mine):
    name = None

class Needy(Mine):
    needs = "pixels"

class Raises(Mine):
    def __init__(self):
        raise KeyError("weights")

number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A working folder with modules of a user's own, under a name that is not imported yet."""
    name = f"own_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(OWN)
    (tmp_path / f"{name}_broken.py").write_text("import nowhere_to_be_found")
    (tmp_path / f"{name}_half.py").write_text("def act(:")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])
    yield name
    for module in [one for one in sys.modules if one.startswith(name)]:
        del sys.modules[module]


def test_the_working_folder_is_looked_in_for_an_agent_of_ones_own(own):
    agent = make_agent(f"{own}:Mine?push=0.25&look=right")
    assert (agent.push, agent.look) == (0.25, "right")
    (episode,) = rollout(agent, episodes=1, max_steps=3)
    assert episode.agent == "my best"
    assert episode.actions.tolist() == [[0.25] * 5] * 3


def test_tables_show_the_name_of_an_agent_of_ones_own(own):
    spec = f"{own}:Mine"
    assert label_of(spec, make_agent(spec)) == "my best"
    assert label_of("idle", make_agent("idle")) == "idle"


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (":Shut", r"has no close\(\)"),
        (":Deaf", r"act\(arenas\) cannot be called as act\(observations, arenas\)"),
        (":Nameless", "has no name, which is text"),
        (":Needy", "has no needs, a collection"),
        (":Raises", "KeyError in .*weights"),
        (":Mine?pull=1", "unexpected keyword argument 'pull'"),
        (":Nine", "has no class 'Nine'; did you mean 'Mine'"),
        (
            ":Xylophone",
            "has no class 'Xylophone'; choose from 'Mine'",
        ),  # its own, not imported ones
        (":number", "3 is no class"),
        ("_broken:Mine", "it needs 'nowhere_to_be_found', which is missing"),
        ("_half:Mine", "SyntaxError in .*_half.py, line 1"),
        ("_gone:Mine", "There is no agent or module"),
    ],
)
def test_what_is_wrong_with_an_agent_of_ones_own_is_one_sentence(own, place, sentence):
    with pytest.raises(ValueError, match=sentence) as refused:
        make_agent(own + place)
    assert "\n" not in str(refused.value)
