"""Old names, which work for one release: each says in a warning what it is called now."""

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


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
