"""The bug that the article's student found, and its cure: one switch apart."""

import gymnasium as gym
import numpy as np
import pytest

SEEDS = range(20)
TOUCHING = 0.85  # m between centres: a swarmer (0.35) or shooter (0.45) at the player's rim (0.4)


def stand_and_shoot_who_touches(env, seed):
    """Stands still and fires only at an enemy that touches; returns (kills, enemies met)."""
    env.reset(seed=seed)
    met = 0
    while True:
        enemies = env.unwrapped.snapshot()["enemies"]
        met = max(met, len(enemies))
        action = np.zeros(5, dtype=np.float32)
        if enemies and enemies[0]["dist"] <= TOUCHING:
            nearest = enemies[0]
            action[2:4] = np.array([nearest["dx"], nearest["dz"]]) / nearest["dist"]
        _, _, terminated, truncated, info = env.step(action)
        if terminated or truncated or info["wave"] > 1:
            return info["kills"], met


@pytest.fixture(scope="module")
def outcome():
    results = {}
    for fix in (False, True):
        with gym.make("ArenaBreaker-v0", observation="state", point_blank_fix=fix) as env:
            results[fix] = np.array([stand_and_shoot_who_touches(env, seed) for seed in SEEDS])
    return results


def test_with_the_bug_shots_at_touching_enemies_kill_next_to_nothing(outcome):
    kills, met = outcome[False].T
    assert kills.sum() <= 0.1 * met.sum()


def test_with_the_fix_most_of_those_that_touch_are_killed(outcome):
    kills, met = outcome[True].T
    assert kills.sum() >= 0.7 * met.sum()
