"""Arena Breaker: a twin-stick survival arena as a Gymnasium environment.

Importing this package registers `ArenaBreaker-v0`. The names below are imported when first
used, so that neither Numba nor pygame is loaded before it is needed.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gymnasium.envs.registration import register, registry

from arena_breaker_gym.deprecated import find_old_modules
from arena_breaker_gym.settings import MAX_EPISODE_STEPS

if TYPE_CHECKING:
    from arena_breaker_gym.env import ArenaBreakerEnv
    from arena_breaker_gym.rollout import Agent, Episode, EpisodeStore, replay, rollout
    from arena_breaker_gym.vector_env import ArenaBreakerVectorEnv
    from arena_breaker_gym.wrappers import (
        FlattenTables,
        PreprocessedEnv,
        PreprocessedVectorEnv,
        PreprocessingConfig,
    )

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


__version__ = "0.1.0"

__all__ = [
    "ENV_ID",
    "Agent",
    "ArenaBreakerEnv",
    "ArenaBreakerVectorEnv",
    "Episode",
    "EpisodeStore",
    "FlattenTables",
    "PreprocessedEnv",
    "PreprocessedVectorEnv",
    "PreprocessingConfig",
    "register_environments",
    "replay",
    "rollout",
]

_HOMES = {
    "ArenaBreakerEnv": "arena_breaker_gym.env",
    "ArenaBreakerVectorEnv": "arena_breaker_gym.vector_env",
    "FlattenTables": "arena_breaker_gym.wrappers",
    "PreprocessingConfig": "arena_breaker_gym.wrappers",
    "PreprocessedEnv": "arena_breaker_gym.wrappers",
    "PreprocessedVectorEnv": "arena_breaker_gym.wrappers",
    "Agent": "arena_breaker_gym.rollout",
    "Episode": "arena_breaker_gym.rollout",
    "EpisodeStore": "arena_breaker_gym.rollout",
    "replay": "arena_breaker_gym.rollout",
    "rollout": "arena_breaker_gym.rollout",
}

_OLD_NAMES = ("Kit", "KitEnv", "KitVectorEnv")  # for one release


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _OLD_NAMES:
        return getattr(import_module("arena_breaker_gym.wrappers"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


find_old_modules()
register_environments()
