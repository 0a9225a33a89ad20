"""Which pygame draws: pygame or pygame-ce, and its version; either alone serves.

Pixels are equal for one build; another may differ from it in shades.
"""

import functools
import warnings
from collections.abc import Collection
from importlib import metadata

import pygame

BOTH = (
    "pygame and pygame-ce are both installed: they overwrite each other's files, so what draws is "
    "chance. Keep one: pip uninstall -y pygame pygame-ce, then pip install one of them."
)


def build() -> str:
    """The pygame that draws, such as "pygame 2.6.1" or "pygame-ce 2.5.8"."""
    name = "pygame-ce" if getattr(pygame, "IS_CE", False) else "pygame"
    return f"{name} {pygame.version.ver}"


@functools.cache
def warn_of_both() -> None:
    """Warns, once in a process, if both are installed."""
    if len(installed(("pygame", "pygame-ce"))) > 1:
        warnings.warn(BOTH, RuntimeWarning, stacklevel=3)


def installed(names: Collection[str]) -> list[str]:
    """Those of some packages that pip knows here."""
    found = []
    for name in names:
        try:
            metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found.append(name)
    return found
