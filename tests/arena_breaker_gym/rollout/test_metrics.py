"""The metrics table: what is counted, how it is summed up, and the results file."""

import dataclasses
import json

import numpy as np
import pytest

from arena_breaker_agents.baselines import IdleAgent, RandomAgent
from arena_breaker_gym.rollout import AgentFailure, rollout
from arena_breaker_gym.rollout.benchmark import BenchmarkConfig, benchmark
from arena_breaker_gym.rollout.metrics import (
    METRICS,
    bootstrap_interval,
    paired_gain,
    row_of,
    rows_of,
)
from arena_breaker_gym.rollout.results import Results


class Steady(IdleAgent):
    """Aims to the right with a stick of length 0.5 from step 31 on."""

    name = "steady"

    def reset(self, arenas, seed):
        self.step = 0

    def act(self, observations, arenas):
        self.step += 1
        return np.tile([0.0, 0.0, 0.5 if self.step > 30 else 0.0, 0.0, 0.0], (len(arenas), 1))


@pytest.fixture(scope="module")
def random_episodes():
    return rollout(RandomAgent(), episodes=30, seed=0)


def test_metrics_of_a_known_episode():
    (episode,) = rollout(Steady(), episodes=1, max_steps=60)
    metrics = episode.metrics
    assert tuple(metrics) == tuple(METRICS)
    assert (metrics["steps"], metrics["survival_seconds"]) == (60, 2.0)
    assert metrics["aim_magnitude"] == pytest.approx(0.25)
    assert metrics["firing_share"] == pytest.approx(0.5)
    assert (metrics["score"], metrics["wave_reached"], metrics["stage_reached"]) == (10, 1, 1)
    assert metrics["victory"] == metrics["first_wave_cleared"] == 0
    expected = metrics["score"] / 10 - metrics["damage_taken"]
    assert metrics["episode_return"] == pytest.approx(expected)


def test_metrics_agree_with_each_other(random_episodes):
    for episode in random_episodes:
        metrics = episode.metrics
        assert metrics["survival_seconds"] == pytest.approx(len(episode) / 30, abs=1 / 30)
        minutes = metrics["survival_seconds"] / 60
        assert metrics["kills_per_minute"] == pytest.approx(metrics["kills"] / minutes)
        assert metrics["first_wave_cleared"] == (metrics["waves_cleared"] >= 1)
        assert metrics["damage_taken"] >= 5
        assert 0 < metrics["accuracy"] <= 1


def test_a_row_has_the_published_shape(random_episodes):
    row = row_of("zero-shot", random_episodes)
    head = {"agent": "zero-shot", "stage": 1, "point_blank_fix": True, "latency": None}
    assert {name: row[name] for name in head} == head
    assert (row["episodes"], row["status"]) == (30, {"completed": 30})
    assert tuple(row)[6:] == tuple(METRICS)
    for name in METRICS:
        assert tuple(row[name]) == ("mean", "low", "high")
        assert row[name]["low"] <= row[name]["mean"] <= row[name]["high"]
    kills = [episode.metrics["kills"] for episode in random_episodes]
    assert row["kills"]["mean"] == pytest.approx(np.mean(kills), abs=1e-6)
    assert json.loads(json.dumps(row)) == row


def test_failed_episodes_are_counted_and_stand_in_no_mean(random_episodes):
    failed = dataclasses.replace(
        random_episodes[0],
        status="agent failed",
        reason="timed out",
        metrics=dict.fromkeys(METRICS, 1e9),
    )
    row = row_of("random", [*random_episodes[1:], failed, failed])
    assert (row["episodes"], row["status"]) == (31, {"completed": 29, "agent failed": 2})
    assert row["kills"] == row_of("random", random_episodes[1:])["kills"]
    nothing = row_of("random", [failed])
    assert nothing["kills"] == {"mean": None, "low": None, "high": None}


def test_rows_are_kept_apart_by_stage_and_point_blank_setting(random_episodes):
    other = rollout(IdleAgent(), episodes=2, stage=[2, 1], env={"point_blank_fix": False})
    rows = rows_of("any", [*other, *random_episodes])
    kinds = [(row["stage"], row["point_blank_fix"], row["episodes"]) for row in rows]
    assert kinds == [(1, False, 1), (1, True, 30), (2, False, 1)]
    with pytest.raises(ValueError, match="one stage and one point_blank_fix"):
        row_of("any", [*other, *random_episodes])


def test_intervals_cover_the_true_mean_about_as_often_as_they_say():
    generator = np.random.default_rng(0)
    low, high = bootstrap_interval(generator.exponential(2.0, (60, 400)))
    covered = np.mean((low <= 2.0) & (high >= 2.0))
    assert 0.90 <= covered <= 0.98


def test_intervals_are_the_same_every_time_and_flat_for_equal_episodes():
    values = np.random.default_rng(1).normal(size=(20, 3))
    assert np.array_equal(bootstrap_interval(values), bootstrap_interval(values))
    low, high = bootstrap_interval(np.full((5, 1), 3.0))
    assert low[0] == high[0] == pytest.approx(3.0)


class Flaky(RandomAgent):
    name = "flaky"

    def reset(self, arenas, seed):
        super().reset(arenas, seed)
        if seed == 1:
            raise AgentFailure("out of credit")


def test_a_benchmark_plays_equal_seeds_and_writes_its_results(tmp_path):
    terms = BenchmarkConfig(episodes=4, stages=(1, 2))
    results = benchmark({"chance": RandomAgent, "flaky": Flaky}, terms, out=tmp_path)
    named = [(row["agent"], row["stage"], row["episodes"]) for row in results.rows]
    assert named == [("chance", 1, 4), ("chance", 2, 4), ("flaky", 1, 4), ("flaky", 2, 4)]
    assert results.rows[2]["status"] == {"completed": 3, "agent failed": 1}
    assert results.rows[2]["failures"] == {"out of credit": 1}
    written = json.loads((tmp_path / "results.json").read_text())
    assert written == results.to_dict()
    assert written["settings"]["point_blank_fix"] is True
    assert written["timings_s"]["evaluation"] > 0


def test_a_benchmark_run_again_plays_nothing_and_says_the_same(tmp_path):
    terms = BenchmarkConfig(episodes=3)
    first = benchmark({"chance": RandomAgent}, terms, out=tmp_path)
    steps = []
    again = benchmark(
        {"chance": RandomAgent}, terms, out=tmp_path, watch=lambda *seen: steps.append(seen)
    )
    assert (again.to_dict(), steps) == (first.to_dict(), [])


def test_results_that_are_missing_or_something_else_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"results.json: there are no results yet"):
        Results.load(tmp_path)
    (tmp_path / "results.json").write_text("[1, 2")
    with pytest.raises(ValueError, match=r"results.json: this is no file of results"):
        Results.load(tmp_path)


def test_a_gain_is_measured_between_episodes_of_equal_seeds(random_episodes):
    def with_kills(episodes, kills):
        return [
            dataclasses.replace(one, metrics={**one.metrics, "kills": count})
            for one, count in zip(episodes, kills, strict=True)
        ]

    kills = np.arange(0.0, 10.0 * len(random_episodes), 10.0)
    before, after = (with_kills(random_episodes, kills + more) for more in (0.0, 2.0))
    # However far the seeds lie apart, each gains two.
    assert paired_gain(before, after[::-1]) == {"mean": 2.0, "low": 2.0, "high": 2.0}
    assert paired_gain(before[:1], after) == {"mean": 2.0, "low": 2.0, "high": 2.0}
    assert paired_gain([], after) == {"mean": None, "low": None, "high": None}
