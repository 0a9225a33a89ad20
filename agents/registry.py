"""The agents by name; a module is imported when its agent is asked for."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from arena_breaker_gym.rollout.agent import Agent
from arena_breaker_gym.settings import closest

AGENTS: Mapping[str, str] = MappingProxyType(
    {
        "idle": "agents.idle:IdleAgent",
        "random": "agents.random:RandomAgent",
        "scripted": "agents.scripted:ScriptedBaseline",
    }
)


def make_agent(name: str, **keywords: object) -> Agent:
    """Makes an agent.

    Args:
        name: A key of `AGENTS`.
        **keywords: For the agent's own constructor.

    Raises:
        ValueError: If there is no agent of this name; the sentence suggests the nearest.
    """
    if name not in AGENTS:
        raise ValueError(f"There is no agent {name!r}; {closest(name, AGENTS)}.")
    module, _, maker = AGENTS[name].partition(":")
    agent: Agent = getattr(import_module(module), maker)(**keywords)
    return agent
