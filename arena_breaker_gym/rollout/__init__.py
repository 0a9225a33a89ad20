"""Agents play here: the protocol, episodes on disk, rollout and replay, metrics, benchmark, video.

Knows no agent of its own; the names below are what agents and tools need most.
"""

from arena_breaker_gym.rollout.agent import (
    Agent,
    AgentFailure,
    CarriesOn,
    Deliberates,
    Observations,
    Ponders,
    Prepares,
    RunStopped,
)
from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.latency import Latency
from arena_breaker_gym.rollout.layers import Layers
from arena_breaker_gym.rollout.replay import ReplayError, replay, resimulate, verify
from arena_breaker_gym.rollout.rollout import Progress, rollout
from arena_breaker_gym.rollout.store import EpisodeError, EpisodeStore

__all__ = [
    "Agent",
    "AgentFailure",
    "CarriesOn",
    "Deliberates",
    "Episode",
    "EpisodeError",
    "EpisodeStore",
    "Latency",
    "Layers",
    "Observations",
    "Ponders",
    "Prepares",
    "Progress",
    "ReplayError",
    "RunStopped",
    "replay",
    "resimulate",
    "rollout",
    "verify",
]
