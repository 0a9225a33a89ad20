"""Thinking that costs time: answers come late by what is charged, and nothing else changes."""

import itertools
import json
import time

import numpy as np
import pytest

from arena_breaker_agents.baselines import IdleAgent, RandomAgent
from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_gym.rollout import (
    AgentFailure,
    EpisodeError,
    EpisodeStore,
    replay,
    resimulate,
    rollout,
    verify,
)
from arena_breaker_gym.rollout.benchmark import BenchmarkConfig, benchmark
from arena_breaker_gym.rollout.metrics import METRICS, row_of, rows_of
from arena_breaker_gym.rollout.results import results_table

STEP = 2  # ticks in a step, as the settings have it


class Counter:
    """Answers its n-th question of an episode with n / 1000 on the first stick."""

    name = "counter"
    needs = ()

    def __init__(self):
        self.asked = {}
        self.calls = []

    def reset(self, arenas, seed):
        self.asked |= dict.fromkeys(arenas, 0)

    def act(self, observations, arenas):
        self.calls.append(list(arenas))
        return np.array([self._answer(arena) for arena in arenas])

    def _answer(self, arena):
        self.asked[arena] += 1
        return [self.asked[arena] / 1000, 0.0, 0.0, 0.0, 0.0]

    def close(self):
        pass


class Chunks(RandomAgent):
    """Looks when its chunk of three is played out; goes on with what it had, then with rest.

    A chunk holds six actions: three to play, three to go on with until the next chunk is there.
    Episodes of odd seeds play two of them, so that arenas fall out of step with each other.
    """

    name = "chunks"

    def __init__(self):
        super().__init__()
        self.chunk, self.tail, self.n_action_steps, self.anew = {}, {}, {}, {}

    def reset(self, arenas, seed):
        super().reset(arenas, seed)
        for arena in arenas:
            self.chunk[arena], self.tail[arena] = [], []
            self.n_action_steps[arena] = 3 - seed % 2

    def act(self, observations, arenas):
        return np.array([self._next(arena) for arena in arenas])

    def _next(self, arena):
        left = self.chunk[arena]
        self.anew[arena] = len(left) <= 6 - self.n_action_steps[arena]
        if self.anew[arena]:
            self.tail[arena] = left
            left = self.chunk[arena] = [super(Chunks, self).act(None, [arena])[0] for _ in range(6)]
        return left.pop(0)

    def was_queried(self, arenas):
        return [self.anew[arena] for arena in arenas]

    def action_while_waiting(self, arenas):
        rest = np.zeros(5)
        return np.array([self.tail[one].pop(0) if self.tail[one] else rest for one in arenas])


def steps_of(episode):
    """What a `Counter` played, as the numbers of its answers."""
    return np.rint(episode.actions[:, 0] * 1000).astype(int).tolist()


def same(left, right):
    return left.final_hash == right.final_hash and np.array_equal(left.actions, right.actions)


@pytest.mark.parametrize(("ticks", "steps"), [(1, 1), (2, 1), (3, 2), (6, 3), (13, 7)])
def test_answers_take_effect_after_whole_steps_and_the_last_goes_on(ticks, steps):
    (episode,) = rollout(Counter(), episodes=1, max_steps=60, latency=ticks)
    # The answer to question n is played once when it comes and repeated while the next is awaited.
    answers = itertools.chain([0] * steps, *([n] * (steps + 1) for n in range(1, 61)))
    assert steps_of(episode) == list(itertools.islice(answers, 60))
    assert episode.metrics["latency_ticks"] == steps * STEP
    assert episode.metrics["looks"] == -(-60 // (steps + 1))
    verify(episode)


def test_ticks_are_rounded_up_to_steps_of_any_length():
    (episode,) = rollout(Counter(), episodes=1, max_steps=10, latency=6, env={"frame_skip": 4})
    assert steps_of(episode) == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3]
    assert episode.metrics["latency_ticks"] == 8


class Viewer(Chunks):
    """Keeps what it is shown of arena 2."""

    needs = ("pixels", "state", "snapshot")

    def __init__(self):
        super().__init__()
        self.seen, self.calls = [], []

    def act(self, observations, arenas):
        self.calls.append(list(arenas))
        if 2 in arenas:
            row = arenas.index(2)
            player = observations.state["player"][row].copy()
            frame = observations.pixels[row].copy()
            self.seen.append((player, frame, observations.snapshots[row]))
        return super().act(observations, arenas)


def test_an_agent_is_shown_the_moments_at_which_it_is_asked():
    agent = Viewer()
    episode = rollout(agent, episodes=3, num_envs=3, max_steps=24, latency=6, keep_snapshots=True)[
        2
    ]
    assert [0, 2] in agent.calls and [1] in agent.calls  # the arenas are out of step
    asked = [step for step in range(24) if step % 6 in (0, 4, 5)]  # three wait, three play
    frames = list(replay(episode))
    states = [arenas.observe()[0][0].copy() for _, arenas in resimulate(episode)]
    moments = [arenas.snapshot(0) for _, arenas in resimulate(episode)]
    for (player, frame, snapshot), at in zip(agent.seen, asked, strict=True):
        assert np.array_equal(player, states[at])
        assert np.array_equal(frame, frames[at])
        assert snapshot == moments[at]
    assert list(episode.snapshots) == moments[:-1]


def test_a_chunk_costs_one_wait_and_its_tail_goes_on_while_waiting():
    (episode,) = rollout(Chunks(), episodes=1, seed=0, max_steps=40, latency=4)
    drawn = RandomAgent()
    drawn.reset([0], 0)
    chunks = [[drawn.act(None, [0])[0] for _ in range(6)] for _ in range(8)]
    rest = np.zeros(5, np.float32)
    expected = [rest, rest, *chunks[0][:3]]
    for before, chunk in itertools.pairwise(chunks):
        expected += [*before[3:5], *chunk[:3]]
    assert np.array_equal(episode.actions, expected)
    assert (episode.metrics["looks"], episode.metrics["latency_ticks"]) == (8, 4)
    verify(episode)


def test_a_wait_longer_than_the_plans_goes_on_as_the_agent_says():
    (episode,) = rollout(Chunks(), episodes=1, seed=0, max_steps=30, latency=10)
    assert not episode.actions[:5].any()  # nothing is planned yet
    assert episode.actions[5:11].any(axis=1).all()  # three of the chunk, three of its tail
    assert not episode.actions[11:13].any()


@pytest.mark.parametrize("agent", [Chunks, RandomAgent, ScriptedBaseline])
@pytest.mark.parametrize("latency", [5, 40])
def test_results_do_not_depend_on_num_envs(agent, latency):
    alone = rollout(agent(), episodes=7, seed=4, num_envs=1, max_steps=300, latency=latency)
    for num_envs in (3, 7):
        batch = rollout(
            agent(), episodes=7, seed=4, num_envs=num_envs, max_steps=300, latency=latency
        )
        assert all(same(left, right) for left, right in zip(alone, batch, strict=True))
        assert [one.metrics for one in alone] == [one.metrics for one in batch]
    for episode in alone:
        verify(episode)


def test_only_arenas_that_await_nothing_are_asked():
    agent = Counter()
    episodes = rollout(agent, episodes=2, num_envs=2, max_steps=20, latency=8)
    assert agent.calls == [[0, 1]] * 4
    assert all(steps_of(one) == steps_of(episodes[0]) for one in episodes)


def test_an_episode_that_ends_while_waiting_leaves_nothing_to_the_next():
    episodes = rollout(Counter(), episodes=3, num_envs=1, max_steps=9, latency=20)
    for episode in episodes:
        assert steps_of(episode) == [0] * 9  # the answer would have come a step later
        assert (episode.metrics["looks"], episode.metrics["latency_ticks"]) == (1, 20)
    played = rollout(Counter(), episodes=3, num_envs=1, max_steps=7, latency=10)
    for episode in played:
        assert steps_of(episode) == [0, 0, 0, 0, 0, 1, 1]


class Fragile(Chunks):
    """Fails in the episode of seed 2 at its fourth look, while others may be waiting."""

    name = "fragile"

    def reset(self, arenas, seed):
        super().reset(arenas, seed)
        for arena in arenas:
            self.looks = {**getattr(self, "looks", {}), arena: 0 if seed == 2 else -1000}

    def act(self, observations, arenas):
        actions = super().act(observations, arenas)
        for arena in arenas:
            self.looks[arena] += self.anew[arena]
        broken = [arena for arena in arenas if self.looks[arena] == 4]
        if broken:
            raise AgentFailure(dict.fromkeys(broken, "lost its way"), actions=actions)
        return actions


@pytest.mark.parametrize("num_envs", [1, 4])
def test_a_failing_agent_ends_its_own_episode_and_no_other(num_envs):
    keywords = {"episodes": 6, "num_envs": num_envs, "max_steps": 90, "latency": 7}
    episodes = rollout(Fragile(), **keywords)
    plain = rollout(Chunks(), **keywords)
    assert [one.failed for one in episodes] == [index == 2 for index in range(6)]
    # Three looks of four steps' wait and three steps' play each; the fourth brought no answer.
    assert (episodes[2].reason, len(episodes[2])) == ("lost its way", 21)
    assert (episodes[2].metrics["looks"], episodes[2].metrics["latency_ticks"]) == (3, 8)
    for index in (0, 1, 3, 4, 5):
        assert same(episodes[index], plain[index])
    verify(episodes[2])


def test_an_agent_that_gives_up_takes_only_the_arenas_that_it_was_asked_for():
    class Quitter(Chunks):
        name = "quitter"

        def act(self, observations, arenas):
            if arenas == [1]:
                raise AgentFailure("no more")
            return super().act(observations, arenas)

    first, second = rollout(Quitter(), episodes=2, num_envs=2, max_steps=30, latency=5)
    assert not first.failed and len(first) == 30
    assert second.failed and len(second) < 30


class Sleeper(Counter):
    """Takes a known time for each answer."""

    name = "sleeper"

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def act(self, observations, arenas):
        time.sleep(self.seconds)
        return super().act(observations, arenas)


def test_measured_thinking_costs_about_the_time_that_it_takes():
    (episode,) = rollout(Sleeper(0.105), episodes=1, max_steps=60, latency="measured")
    # 0.105 s are six ticks, three steps; a busy machine can only make it more.
    assert 6 <= episode.metrics["latency_ticks"] <= 60
    before, *runs, _ = [len(list(run)) for _, run in itertools.groupby(steps_of(episode))]
    assert before >= 3
    assert runs and min(runs) >= 4
    assert episode.metrics["looks"] in (len(runs) + 1, len(runs) + 2, len(runs) + 3)
    assert episode.latency == "measured"
    verify(episode)


def test_playing_on_from_a_chunk_is_no_thinking_however_long_it_takes():
    class Slow(Chunks):
        looks = 0

        def act(self, observations, arenas):
            actions = super().act(observations, arenas)
            anew = any(self.was_queried(arenas))
            self.looks += anew
            time.sleep(0.0 if anew else 0.05)
            return actions

    agent = Slow()
    (episode,) = rollout(agent, episodes=1, seed=4, max_steps=12, latency="measured")
    assert episode.metrics["looks"] == agent.looks
    if episode.metrics["latency_ticks"] == 0:  # a busy machine may stall for more than a tick
        assert agent.looks == 4
        assert np.array_equal(
            episode.actions, rollout(Slow(), episodes=1, seed=4, max_steps=12)[0].actions
        )


def test_measured_thinking_plays_one_arena_at_a_time():
    agent = Counter()
    episodes = rollout(agent, episodes=3, max_steps=5, latency="measured")
    assert len(episodes) == 3
    assert set(map(tuple, agent.calls)) == {(0,)}
    with pytest.raises(ValueError, match="one arena at a time: leave num_envs out or make it 1"):
        rollout(Counter(), episodes=3, num_envs=2, latency="measured")


@pytest.mark.parametrize("latency", [-1, 1.5, True, "soon", "6", float("nan")])
def test_a_bad_latency_is_refused_in_one_sentence(latency):
    with pytest.raises(ValueError, match="latency must be a whole number of ticks") as refusal:
        rollout(IdleAgent(), episodes=1, latency=latency)
    assert "\n" not in str(refusal.value)


def test_an_agent_whose_meanwhile_has_another_shape_is_refused():
    class Short(Chunks):
        def action_while_waiting(self, arenas):
            return np.zeros(5)

    with pytest.raises(ValueError, match=r"to go on with of shape \(1, 5\) and gave \(5,\)"):
        rollout(Short(), episodes=1, latency=4)


# What stood in the files of all episodes before there was a latency.
ABOUT = """
    format version agent settings seed stage max_steps status reason metrics final_hash
    engine_version stages_digest
"""


def test_a_latency_of_zero_is_a_game_that_waits_and_files_are_as_they_were(tmp_path):
    class Careless(Chunks):
        def was_queried(self, arenas):
            raise AssertionError("a game that waits does not ask")

        action_while_waiting = was_queried

    waits, zero = EpisodeStore(tmp_path / "waits"), EpisodeStore(tmp_path / "zero")
    rollout(Careless(), episodes=2, num_envs=2, max_steps=50, recorder=waits)
    episodes = rollout(Careless(), episodes=2, num_envs=2, max_steps=50, recorder=zero, latency=0)
    for index, episode in enumerate(episodes):
        assert episode.latency is None
        assert (episode.metrics["looks"], episode.metrics["latency_ticks"]) == (0, 0)
        assert waits.path_of(index).read_bytes() == zero.path_of(index).read_bytes()
        with np.load(zero.path_of(index)) as file:
            about = json.loads(file["about"].tobytes())
        assert list(about) == ABOUT.split()
        assert set(METRICS) - set(about["metrics"]) == {"looks", "latency_ticks"}
        assert tuple(zero.load(index).metrics) == tuple(METRICS)
    again = rollout(Careless(), episodes=2, max_steps=50, recorder=waits, latency=0)
    assert all(same(left, right) for left, right in zip(again, episodes, strict=True))


def test_a_rollout_continues_only_under_its_own_latency(tmp_path):
    store = EpisodeStore(tmp_path)
    keywords = {"max_steps": 30, "recorder": store}
    played = rollout(Chunks(), episodes=2, latency=7, **keywords)
    again = rollout(Chunks(), episodes=3, latency=7, **keywords)
    assert all(same(left, right) for left, right in zip(played, again, strict=False))
    assert store.load(0).latency == 7
    assert store.load(0).metrics == played[0].metrics
    others = [(None, "latency=7, not None"), (0, "not None"), (8, "7, not 8"), ("measured", "not")]
    for latency, difference in others:
        with pytest.raises(EpisodeError, match=f"episode_000000.npz belongs to.*{difference}"):
            rollout(Chunks(), episodes=2, latency=latency, **keywords)
    waiting = EpisodeStore(tmp_path / "waiting")
    rollout(Chunks(), episodes=1, max_steps=30, recorder=waiting)
    with pytest.raises(EpisodeError, match="latency=None, not 7"):
        rollout(Chunks(), episodes=1, max_steps=30, recorder=waiting, latency=7)


def test_rows_tell_latencies_apart(tmp_path):
    games = {
        latency: rollout(Counter(), episodes=2, max_steps=20, latency=latency)
        for latency in ("measured", 12, None, 7)
    }
    rows = rows_of("any", list(itertools.chain(*games.values())))
    assert [row["latency"] for row in rows] == [None, 7, 12, "measured"]
    assert rows[1]["latency_ticks"] == {"mean": 8, "low": 8, "high": 8}
    assert rows[0]["looks"]["mean"] == 0
    with pytest.raises(ValueError, match="one stage and one point_blank_fix setting and latency"):
        row_of("any", [*games[7], *games[12]])
    headings = [str(column.header) for column in results_table(rows).columns]
    assert headings[1:] == [
        "any\nstage 1\nwith the fix",
        "any\nstage 1\nwith the fix\nlatency 7 ticks",
        "any\nstage 1\nwith the fix\nlatency 12 ticks",
        "any\nstage 1\nwith the fix\nreal time, 0 ms",
    ]
    rows[-1]["latency_ticks"]["mean"] = 7.5
    assert str(results_table(rows[-1:]).columns[1].header).endswith("\nreal time, 125 ms")
    labels = [list(results_table(part).columns[0].cells) for part in (rows[:1], rows)]
    assert [("looks" in label) for label in labels] == [False, True]


def test_a_benchmark_charges_all_agents_alike(tmp_path):
    terms = BenchmarkConfig(episodes=2, max_steps=20, latency=6)
    results = benchmark({"counter": Counter, "chance": RandomAgent}, terms, out=tmp_path)
    assert [row["latency"] for row in results.rows] == [6, 6]
    assert results.settings["latency"] == 6
    with pytest.raises(EpisodeError, match="latency=6, not None"):
        benchmark({"counter": Counter}, BenchmarkConfig(episodes=2, max_steps=20), out=tmp_path)
