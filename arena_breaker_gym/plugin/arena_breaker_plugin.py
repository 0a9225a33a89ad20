"""Makes `gym.make("ArenaBreaker-v0")` work without importing the package.

Gymnasium 1.0 removed the entry points by which packages announced their environments, so
this module, loaded by a `.pth` file when Python starts, waits for `import gymnasium` and
registers then. It costs a start of Python one small import and imports nothing itself.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType


class _Registering(importlib.abc.Loader):
    """Loads gymnasium as its own loader does, then registers our environments."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # The module and its spec get their own loader back: nobody need know of this one.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        if "arena_breaker_gym" not in sys.modules:  # else it is just registering by itself
            importlib.import_module("arena_breaker_gym")


class _Waiting(importlib.abc.MetaPathFinder):
    """Answers once, to the first import of gymnasium, and withdraws."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "gymnasium":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Registering(spec.loader)
        return spec


if "gymnasium" not in sys.modules:
    sys.meta_path.insert(0, _Waiting())
