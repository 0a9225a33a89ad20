"""`make_own`: an agent of the user's own, "module:Class?option=value", found, made and looked over.

What is wrong with it is said in one sentence, since whoever wrote it is not in our code.
"""

import inspect
import json
import sys
import traceback
from collections.abc import Collection
from contextlib import suppress
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

from arena_breaker_gym.rollout.agent import NEEDS, Agent
from arena_breaker_gym.settings import closest

# What is called, and with how much.
_METHODS = {"reset": ("arenas", "seed"), "act": ("observations", "arenas"), "close": ()}
_WHOLE = "an agent has name, needs, reset(arenas, seed), act(observations, arenas) and close()"


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
        classes = [name for name, one in vars(module).items() if inspect.isclass(one)]
        near = f"; {closest(class_name, classes)}" if classes else ""
        raise ValueError(f"Module {module_name!r} has no class {class_name!r}{near}.") from None
    options = {name: _value(text) for name, text in parse_qsl(said, keep_blank_values=True)}
    agent: Agent = _made(maker, options, spec)
    _check(agent, spec)
    return agent


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


def _made(maker: Any, options: dict[str, Any], spec: str) -> Any:
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


def _value(text: str) -> Any:
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
