"""The game is hard, but not unfair: what simple players come to."""

import numpy as np
import pytest

from arena_breaker_agents.baselines import IdleAgent, RandomAgent
from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_gym.rollout import rollout


def mean_kills(agent, *, episodes, **keywords):
    played = rollout(agent, episodes=episodes, env={"observation": "state"}, **keywords)
    return np.mean([episode.metrics["kills"] for episode in played])


def test_the_scripted_baseline_kills_at_least_eight():
    # The article's tutor: 7.9. Half a minute is enough to show it and keeps the test short.
    assert mean_kills(ScriptedBaseline(), episodes=10, max_steps=900) >= 8.0


def test_random_play_kills_fewer_than_two():
    assert mean_kills(RandomAgent(), episodes=100, num_envs=64) < 2.0


def test_doing_nothing_kills_nobody_and_ends_in_the_first_wave():
    played = rollout(IdleAgent(), episodes=20, env={"observation": "state"})
    assert all(episode.metrics["kills"] == 0 for episode in played)
    assert all(episode.metrics["score"] == 10 for episode in played)


class CornerCamper:
    """Backs into a corner and shoots whoever is nearest."""

    name = "corner"
    needs = ("snapshot",)

    def __init__(self, corner):
        self.corner = corner

    def reset(self, arenas, seed):
        pass

    def act(self, observations, arenas):
        return np.array([self._shoot(snapshot["enemies"]) for snapshot in observations.snapshots])

    def _shoot(self, enemies):
        if not enemies:
            return (*self.corner, 0.0, 0.0, 0.0)
        nearest = enemies[0]
        reach = max(nearest["dist"], 0.01)
        return (*self.corner, nearest["dx"] / reach, nearest["dz"] / reach, 0.0)

    def close(self):
        pass


@pytest.mark.parametrize("corner", [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)])
def test_nobody_finishes_stage_3_by_standing_in_a_corner(corner):
    agent = CornerCamper(corner)
    played = rollout(agent, episodes=8, stage=3, env={"observation": "state"})
    assert not any(episode.metrics["victory"] for episode in played)
