"""Registers our ids with Gymnasium; imports neither the engine nor the environment."""

from collections.abc import Mapping
from typing import Any

from gymnasium.envs.registration import register, registry

from arena_breaker_gym.settings import MAX_EPISODE_STEPS

ENV_ID = "ArenaBreaker-v0"
# The same game by other names, for scripts that take an id and no keywords.
IDS: Mapping[str, Mapping[str, Any]] = {
    ENV_ID: {},
    "ArenaBreaker-State-v0": {"observation": "state"},
    "ArenaBreaker-Flat-v0": {"observation": "flat"},
    "ArenaBreaker-Pixels84-v0": {"observation": "pixels", "pixel_size": 84},
}


def register_environments() -> None:
    """Registers every id once; further calls change nothing."""
    for name, keywords in IDS.items():
        if name not in registry:
            register(
                id=name,
                entry_point="arena_breaker_gym.env:ArenaBreakerEnv",
                vector_entry_point="arena_breaker_gym.vector_env:ArenaBreakerVectorEnv",
                max_episode_steps=MAX_EPISODE_STEPS,
                kwargs=dict(keywords),
            )
