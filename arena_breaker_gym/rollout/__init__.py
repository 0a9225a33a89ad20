"""Agents play here: the protocol, episodes on disk, rollout and replay, metrics, benchmark, video.

Knows no agent of its own; the names below are what agents and tools need most.
"""

from arena_breaker_gym.deprecated import old_names
from arena_breaker_gym.rollout.agent import (
    Agent,
    AgentFailure,
    AsyncAgent,
    ChunkedAgent,
    FixedPixels,
    HoldsAction,
    Observations,
    RunAware,
    RunStopped,
)
from arena_breaker_gym.rollout.episode import Episode, Latency
from arena_breaker_gym.rollout.replay import Layers, ReplayError, replay, resimulate, verify
from arena_breaker_gym.rollout.rollout import Progress, rollout
from arena_breaker_gym.rollout.store import EpisodeError, EpisodeStore

__all__ = [
    "Agent",
    "AgentFailure",
    "AsyncAgent",
    "ChunkedAgent",
    "Episode",
    "EpisodeError",
    "EpisodeStore",
    "FixedPixels",
    "HoldsAction",
    "Latency",
    "Layers",
    "Observations",
    "Progress",
    "ReplayError",
    "RunAware",
    "RunStopped",
    "replay",
    "resimulate",
    "rollout",
    "verify",
]

_AGENT = "arena_breaker_gym.rollout.agent"

__getattr__ = old_names(
    __name__,
    {
        "CarriesOn": f"{_AGENT}.HoldsAction",
        "Deliberates": f"{_AGENT}.ChunkedAgent",
        "Ponders": f"{_AGENT}.AsyncAgent",
        "Prepares": f"{_AGENT}.RunAware",
    },
)
