"""Agents that answer when ready: arenas with an answer move on, and nothing else changes."""

import numpy as np
import pytest

from arena_breaker_agents.baselines import RandomAgent
from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_gym.rollout import AgentFailure, EpisodeStore, RunStopped, rollout
from tests.arena_breaker_gym.rollout.test_rollout import same

STEPS = {"episodes": 7, "seed": 3, "max_steps": 90}


class Waiting:
    """Lets a generator choose which arenas have their answer, and plays as another agent does."""

    def __init__(self, agent, seed=0):
        self.agent = agent
        self.name, self.needs = agent.name, agent.needs
        self.draw = np.random.default_rng(seed)
        self.shown = []

    def reset(self, arenas, seed):
        self.agent.reset(arenas, seed)

    def wait_ready(self, observations, arenas):
        ready = [arena for arena in arenas if self.draw.random() < 0.4]
        return ready[::-1] or arenas[-1:]

    def act(self, observations, arenas):
        self.shown.append(list(arenas))
        return self.agent.act(observations, arenas)

    def close(self):
        self.agent.close()


@pytest.mark.parametrize("agent", [RandomAgent, ScriptedBaseline])
@pytest.mark.parametrize("num_envs", [1, 3, 7])
def test_waiting_changes_no_episode(agent, num_envs):
    plain = rollout(agent(), **STEPS)
    waited = rollout(Waiting(agent()), num_envs=num_envs, **STEPS)
    assert all(same(left, right) for left, right in zip(plain, waited, strict=True))


def test_only_arenas_with_an_answer_are_asked_and_move():
    agent = Waiting(RandomAgent())
    rollout(agent, num_envs=7, **STEPS)
    assert all(asked == sorted(asked) for asked in agent.shown)
    assert {len(asked) for asked in agent.shown} >= {1, 2, 3}


def test_snapshots_are_kept_once_a_step_however_long_an_arena_waits():
    plain = rollout(ScriptedBaseline(), keep_snapshots=True, **STEPS)
    waited = rollout(Waiting(ScriptedBaseline()), keep_snapshots=True, num_envs=7, **STEPS)
    assert [one.snapshots for one in plain] == [one.snapshots for one in waited]


class Failing(Waiting):
    """Fails in its episode of seed 5 after ten answers."""

    def reset(self, arenas, seed):
        super().reset(arenas, seed)
        self.left = getattr(self, "left", {}) | {arenas[0]: 10 if seed == 5 else 10**6}

    def act(self, observations, arenas):
        rows = super().act(observations, arenas)
        for arena in arenas:
            self.left[arena] -= 1
        lost = {arena: "no answer" for arena in arenas if self.left[arena] < 0}
        if lost:
            raise AgentFailure(lost, actions=rows)
        return rows


def test_a_failed_episode_can_be_played_again(tmp_path):
    store = EpisodeStore(tmp_path)
    first = rollout(Failing(RandomAgent()), recorder=store, **STEPS)
    assert [one.failed for one in first] == [False, False, True, False, False, False, False]
    assert len(first[2]) == 10
    asked = Waiting(RandomAgent())
    again = rollout(asked, recorder=store, **STEPS)
    assert not asked.shown
    assert again[2].failed
    mended = rollout(asked, recorder=store, retry_failed=True, **STEPS)
    assert {len(arenas) for arenas in asked.shown} == {1}  # one episode was played
    assert same(mended[2], rollout(RandomAgent(), **STEPS)[2])
    assert not store.load(2).failed


class Stopping(Waiting):
    """Ends the run after some answers."""

    def wait_ready(self, observations, arenas):
        if len(self.shown) > 250:
            raise RunStopped("The money is spent.", wanted=True)
        return super().wait_ready(observations, arenas)


def test_a_stopped_run_keeps_what_is_finished_and_goes_on_from_there(tmp_path):
    store = EpisodeStore(tmp_path)
    with pytest.raises(RunStopped, match="The money is spent") as stop:
        rollout(Stopping(RandomAgent()), recorder=store, num_envs=2, **STEPS)
    assert stop.value.wanted
    finished = stop.value.episodes
    assert 0 < len(finished) < STEPS["episodes"]
    assert len(store) == len(finished)
    assert not any(one.failed for one in finished)
    whole = rollout(RandomAgent(), recorder=store, **STEPS)
    assert all(same(a, b) for a, b in zip(whole, rollout(RandomAgent(), **STEPS), strict=True))
