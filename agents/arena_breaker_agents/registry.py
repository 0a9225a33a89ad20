"""The agents by name; a module is imported when its agent is asked for.

What is wrong with it is said in one sentence: its author should not have to read our code.
"""

import inspect
import json
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Protocol, runtime_checkable
from urllib.parse import parse_qsl

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym.rollout.agent import NEEDS, Agent
from arena_breaker_gym.settings import closest

# What is called, and with how much.
_METHODS = {"reset": ("arenas", "seed"), "act": ("observations", "arenas"), "close": ()}
_WHOLE = "an agent has name, needs, reset(arenas, seed), act(observations, arenas) and close()"

AGENTS: Mapping[str, str] = MappingProxyType(
    {
        "idle": "arena_breaker_agents.baselines:IdleAgent",
        "random": "arena_breaker_agents.baselines:RandomAgent",
        "scripted": "arena_breaker_agents.scripted:ScriptedBaseline",
        "planner": "arena_breaker_agents.planner:PlannerAgent.from_source",
        "expert": "arena_breaker_agents.expert:ExpertAgent.from_source",
        "sb3": "arena_breaker_agents.sb3:SB3Agent.from_source",
        "nitrogen": "arena_breaker_agents.nitrogen:NitroGenPolicy.from_source",
        "claude": "arena_breaker_agents.tutors:ClaudeTutor.from_source",
        "openai": "arena_breaker_agents.tutors:OpenAITutor.from_source",
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

Readers = Mapping[str, Callable[[str], Any]]


def make_own(spec: str, known: Collection[str] = ()) -> Agent:
    """Makes an agent of the user's own.

    Args:
        spec: "module:Class", where the module is found in the working folder or as Python finds
            modules; options are handed on as keywords: numbers, true, false and null as such,
            anything else as text.
        known: Names of other agents, one of which may have been meant.

    Raises:
        ValueError: If there is none, it takes no such options, or it is no agent.
    """
    place, _, said = spec.partition("?")
    module_name, _, class_name = place.partition(":")
    module = _imported(module_name, known)
    try:
        maker = attrgetter(class_name)(module)
    except AttributeError:
        near = f"; {closest(class_name, own)}" if (own := _own_classes(module)) else ""
        raise ValueError(f"Module {module_name!r} has no class {class_name!r}{near}.") from None
    options = {name: _value(text) for name, text in parse_qsl(said, keep_blank_values=True)}
    agent: Agent = _made_own(maker, options, spec)
    _check(agent, spec)
    return agent


def _own_classes(module: ModuleType) -> list[str]:
    """Names of the classes that a module defines, those it imports aside."""
    named = vars(module).items()
    return [
        name
        for name, one in named
        if inspect.isclass(one) and one.__module__ == module.__name__ and name[0] != "_"
    ]


def _imported(name: str, known: Collection[str]) -> ModuleType:
    """A module; the working folder is looked in first, as for a script that lies there."""
    folder = ""
    with suppress(OSError):  # it has been deleted
        folder = str(Path.cwd())
    if folder:
        sys.path.insert(0, folder)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            near = f"; {closest(name, known)}" if known else ""
            raise ValueError(
                f"There is no agent or module {name!r}, neither in {folder or 'this folder'} nor "
                f"installed{near}."
            ) from None
        raise ValueError(
            f"Module {name!r} cannot be imported: it needs {error.name!r}, which is missing."
        ) from error
    except Exception as error:
        raise ValueError(f"Module {name!r} cannot be imported: {_about(error)}.") from error
    finally:
        if folder:
            sys.path.remove(folder)
            if folder not in sys.path:
                sys.path.append(folder)  # for what the module imports later


def _made_own(maker: object, options: dict[str, Any], spec: str) -> Any:
    if not callable(maker):
        raise ValueError(f"Agent {spec!r} cannot be made: {maker!r} is no class.")
    try:
        inspect.signature(maker).bind(**options)
    except TypeError as error:
        raise ValueError(f"Agent {spec!r} cannot be made: {error}.") from None
    try:
        return maker(**options)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"Agent {spec!r} cannot be made: {_about(error)}.") from error


def _check(agent: Any, spec: str) -> None:
    """Refuses what a rollout could not play with.

    Raises:
        ValueError: If something is missing or takes something else.
    """
    if not isinstance(getattr(agent, "name", None), str) or not agent.name:
        raise ValueError(f"Agent {spec!r} has no name, which is text: {_WHOLE}.")
    needs = getattr(agent, "needs", None)
    if isinstance(needs, str) or not isinstance(needs, Collection):
        raise ValueError(
            f"Agent {spec!r} has no needs, a collection of any of {', '.join(NEEDS)}: {_WHOLE}."
        )
    for name, arguments in _METHODS.items():
        method = getattr(agent, name, None)
        if not callable(method):
            raise ValueError(f"Agent {spec!r} has no {name}({', '.join(arguments)}): {_WHOLE}.")
        try:
            inspect.signature(method).bind(*arguments)
        except TypeError as error:
            raise ValueError(
                f"Agent {spec!r}: {name}{inspect.signature(method)} cannot be called as "
                f"{name}({', '.join(arguments)}) ({error})."
            ) from None


def _value(text: str) -> object:
    """A number, a truth value or null as JSON writes them; anything else is text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _about(error: Exception) -> str:
    """An error in few words, with the place in the user's code that it comes from."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__} in {Path(error.filename).name}, line {error.lineno}"
    place = f"{Path(where.filename).name}, line {where.lineno}"
    return f"{type(error).__name__} in {place}: {str(error).rstrip('.')}"


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


class CostReport(Protocol):
    """What a run has cost."""

    def to_dict(self) -> Mapping[str, object]:
        """Plain JSON values."""

    def sentence(self) -> str:
        """The same for people."""


@runtime_checkable
class Paid(Protocol):
    """An agent that costs money."""

    def limit(self, dollars: float | None) -> None:
        """Set what a run may cost in all, earlier parts of it included.

        Raises:
            ValueError: If it is below 0.
        """

    @property
    def dollars(self) -> float:
        """What the run has cost so far."""

    @property
    def bill(self) -> CostReport:
        """The same in detail."""

    @property
    def bills(self) -> Mapping[int, CostReport]:
        """The same for each episode, by its seed."""


def limited(agent: object, dollars: float | None, *, name: str) -> None:
    """Sets a limit, if one was given.

    Args:
        agent: Any agent.
        dollars: The limit; None changes nothing.
        name: What the agent was called by.

    Raises:
        ValueError: If there is a limit and the agent costs nothing.
    """
    if dollars is None:
        return
    if not isinstance(agent, Paid):
        raise ValueError(f"Agent {name!r} costs nothing, so it takes no budget.")
    agent.limit(dollars)


def split_options(text: str, readers: Readers) -> tuple[str, dict[str, Any], str]:
    """Reads "ng.pt", "tcp://host:5555" or "ng.pt?n_action_steps=12&dtype=bfloat16".

    Args:
        text: What was said.
        readers: The options that there are, and what makes each one's value of its text.

    Returns:
        The place, the options given by name, and the options as they were written.

    Raises:
        ValueError: If an option is unknown, or its value is none for it.
    """
    place, _, said = text.partition("?")
    options: dict[str, object] = {}
    for name, value in parse_qsl(said, keep_blank_values=True):
        if name not in readers:
            raise ValueError(f"{text!r} has no option {name!r}; {closest(name, readers)}.")
        try:
            options[name] = readers[name](value)
        except ValueError as error:
            raise ValueError(f"{text!r}: {name} cannot be {value!r} ({error}).") from None
    return place, options, said


def flag(text: str) -> bool:
    """Reads "true" or "false".

    Raises:
        ValueError: If it is neither.
    """
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"
