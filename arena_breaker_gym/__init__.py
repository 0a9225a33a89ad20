"""Arena Breaker: a twin-stick survival arena as a Gymnasium environment.

Importing this package registers `ArenaBreaker-v0`. The names below are imported when first
used, so that neither Numba nor pygame is loaded before it is needed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from arena_breaker_gym.deprecated import find_old_modules
from arena_breaker_gym.registration import ENV_ID, register_environments

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
