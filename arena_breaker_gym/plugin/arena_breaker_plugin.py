"""Makes `gym.make("ArenaBreaker-v0")` work without importing the package.

Gymnasium 1.0 removed the entry points by which packages announced their environments, so
this module, loaded by a `.pth` file when Python starts, waits for `import gymnasium` and
registers then. It costs every start of Python an import, so it is small and
imports nothing before it must.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as in `typing`, which alone would cost more than all this does
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


class _Registering:
    """Loads gymnasium as its own loader does, then registers our environments."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The module and its spec get their own loader back: nobody need know of this one.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        if "arena_breaker_gym" not in sys.modules:  # else it is just registering by itself
            _register()


def _register() -> None:
    import importlib

    try:
        importlib.import_module("arena_breaker_gym")
    except ModuleNotFoundError as error:
        if error.name != "arena_breaker_gym":
            raise
        # The checkout of an editable install is gone: gymnasium must go on working without it.


class _Waiting:
    """Answers once, to the first import of gymnasium, and withdraws."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != "gymnasium":
            return None
        import importlib.util

        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Registering(spec.loader)  # type: ignore[assignment]  # a loader by shape
        return spec


if "gymnasium" not in sys.modules:
    sys.meta_path.insert(0, _Waiting())
