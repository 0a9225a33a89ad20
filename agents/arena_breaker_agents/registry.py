"""The agents by name; a module is imported when its agent is asked for."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from arena_breaker_agents.own import make_own
from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym.rollout.agent import Agent
from arena_breaker_gym.settings import closest

AGENTS: Mapping[str, str] = MappingProxyType(
    {
        "idle": "arena_breaker_agents.idle:IdleAgent",
        "random": "arena_breaker_agents.random:RandomAgent",
        "scripted": "arena_breaker_agents.scripted:ScriptedBaseline",
        "planner": "arena_breaker_agents.planner:PlannerAgent.from_source",
        "expert": "arena_breaker_agents.expert:ExpertAgent.from_source",
        "sb3": "arena_breaker_agents.sb3:SB3Agent.from_source",
        "nitrogen": "arena_breaker_agents.nitrogen:NitroGenPolicy.from_source",
        "claude": "arena_breaker_agents.claude_tutor:ClaudeTutor.from_source",
        "openai": "arena_breaker_agents.openai_tutor:OpenAITutor.from_source",
        "replay": "arena_breaker_agents.replay:ReplayAgent.from_source",
    }
)

# What an agent needs beyond the core: a library, and the extra that brings it.
EXTRAS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "sb3": ("stable_baselines3", "rl"),
        "nitrogen": ("torch", "nitrogen"),
        "claude": ("anthropic", "agents"),
        "openai": ("openai", "openai"),
    }
)


# Who costs money, so that what is paid for must be kept.
PAID = frozenset({"claude", "openai"})


def costs_money(spec: str) -> bool:
    """Whether an agent that a command line names costs money."""
    return spec.partition(":")[0].partition("?")[0] in PAID


def label_of(spec: str, agent: Agent) -> str:
    """What tables call an agent: one of your own by its name, all others as they were named."""
    return agent.name if _is_own(spec) else spec


def make_agent(spec: str) -> Agent:
    """Makes an agent from what a command line says.

    Args:
        spec: A name of `AGENTS`; such a name, a colon and the agent's argument, as in
            "nitrogen:student.pt" or "claude:claude-haiku-4-5?decision_steps=12"; or
            "module:Class" or "module:Class?option=value" for an agent of your own, whose module
            is looked for in the working folder, too.

    Raises:
        ValueError: If there is no such agent (the sentence suggests the nearest), or it takes
            no argument, or needs one, or one of your own lacks something.
    """
    name, _, argument = spec.partition(":")
    if "?" in name:  # options without an argument, as in "claude?budget=5"
        name, argument = spec[: spec.index("?")], spec[spec.index("?") :]
    if name in EXTRAS:
        require(*EXTRAS[name])
    if name in AGENTS:
        return _made(_find(AGENTS[name]), [argument] if argument else [], spec)
    if argument and _is_own(spec):
        return make_own(spec, AGENTS)
    raise ValueError(
        f"There is no agent {name!r}; {closest(name, AGENTS)}, or name your own as module:Class."
    )


def _is_own(spec: str) -> bool:
    name, colon, _ = spec.partition("?")[0].partition(":")
    return bool(colon) and name not in AGENTS


def _find(place: str) -> Any:
    module_name, _, maker = place.partition(":")
    return attrgetter(maker)(import_module(module_name))  # dotted for a maker that is a method


def _made(maker: Callable[..., Agent], arguments: list[str], spec: str) -> Agent:
    try:
        inspect.signature(maker).bind(*arguments)
    except TypeError as error:
        raise ValueError(f"Agent {spec!r} cannot be made: {error}.") from None
    return maker(*arguments)
