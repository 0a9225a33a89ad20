"""Old names, which work for one release: each says in a warning what it is called now."""

import functools
import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import MappingProxyType, ModuleType
from typing import Any

# Modules that have moved: where what they held is now.
OLD_MODULES: Mapping[str, str] = MappingProxyType(
    {
        f"arena_breaker_gym.{old}": f"arena_breaker_gym.{new}"
        for old, new in {
            "arenas": "batch.arenas",
            "buffer_pool": "_runtime.pools",
            "compiled": "_runtime.jit",
            "engine.player_damage": "engine.damage",
            "engine.roster.stats": "engine.roster",
            "extras": "_runtime.extras",
            "files": "_runtime.files",
            "keys": "batch.seeding",
            "observation": "batch.observation",
            "rendering.skin": "rendering.skins",
            "report.markdown": "report.table",
            "rollout.game": "rollout.batch",
            "rollout.inline": "rollout.video",
            "rollout.latency": "rollout.episode",
            "rollout.layers": "rollout.replay",
            "rollout.remote_agent": "rollout.agent",
            "rollout.table": "rollout.results",
            "sb3.checkpoint": "sb3.training",
            "sb3.ppo_config": "sb3.training",
            "snapshot": "batch.snapshot",
            "stages.names": "stages.table",
            "stepping": "batch.stepping",
            "thread_pool": "_runtime.pools",
        }.items()
    }
)


def warn(old: str, new: str) -> None:
    """Warns the caller's caller that a name is old.

    Args:
        old: What was written.
        new: What to write instead.
    """
    warnings.warn(
        f"{old} is now called {new}; the old name goes with the next release.",
        DeprecationWarning,
        stacklevel=3,
    )


def old_names(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Makes a module's `__getattr__` that knows its old names.

    Args:
        module: The module's own name.
        names: New names by old ones; one with a dot lies in another module.
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        place, _, new = names[name].rpartition(".")
        warn(f"{module}.{name}", names[name])
        return getattr(import_module(place or module), new)

    return find


class _OldModules(MetaPathFinder, Loader):
    """Finds a module by its old name; Python asks it where no file has that name."""

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in OLD_MODULES else None

    def exec_module(self, module: ModuleType) -> None:
        new = OLD_MODULES[module.__name__]
        warn(module.__name__, new)
        module.__dict__["__getattr__"] = functools.partial(getattr, import_module(new))


def find_old_modules() -> None:
    """Lets modules be imported by the names that they had before they moved."""
    if not any(isinstance(finder, _OldModules) for finder in sys.meta_path):
        sys.meta_path.append(_OldModules())


def old_keyword(options: dict[str, Any], old: str, new: str, value: Any) -> Any:
    """Takes a keyword's value under its old name, if it came so.

    Args:
        options: Keywords that have no place of their own; the old one is taken out.
        old: The keyword's old name.
        new: Its name.
        value: What was given under the new name.
    """
    if old not in options:
        return value
    warn(old, new)
    return options.pop(old)
