"""Makes `gym.make("ArenaBreaker-v0")` work without importing the package.

Gymnasium 1.0 removed the entry points by which packages announced their environments, so
this module, loaded by a `.pth` file when Python starts, waits until gymnasium's registry has
been loaded and registers then. It costs every start of Python an import, so it is small and
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

PACKAGE = "arena_breaker_gym"
REGISTRY = "gymnasium.envs.registration"  # only gymnasium itself asks for it


class _Registering:
    """Loads the registry as its own loader does, then registers our environments."""

    def __init__(self, loader: Any, waiting: _Waiting) -> None:
        self._loader = loader
        self._waiting = waiting

    def __getattr__(self, name: str) -> object:
        if name == "_loader":  # a copy that is being made has none yet
            raise AttributeError(name)
        return getattr(self._loader, name)  # a spec shows its own loader's attributes

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The module and its spec get their own loader back: no code has to know this one.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._waiting.end()
        if PACKAGE not in sys.modules:  # else it is just registering by itself
            _register()


def _register() -> None:
    import importlib

    try:
        importlib.import_module(PACKAGE)
    except ModuleNotFoundError as error:
        if error.name != PACKAGE:
            _say_why_not(error)
        # The checkout of an editable install is gone: gymnasium must go on working without it.
    except Exception as error:
        _say_why_not(error)


def _say_why_not(error: Exception) -> None:
    """A damaged install of ours must not break gymnasium for other packages."""
    sys.stderr.write(
        f"Arena Breaker is installed but cannot be imported ({type(error).__name__}: {error}), "
        "so its environments are not registered.\n"
    )


class _Waiting:
    """Looks on at imports until gymnasium's registry has been loaded, and withdraws."""

    def __init__(self) -> None:
        self._asking = False

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname == REGISTRY and not self._asking:
            return self._wrapped(fullname, path, target)
        if _loaded(REGISTRY):
            # Another package's import hook loaded the registry without asking, or with a loader
            # of its own: later than it should be, but registered with the next import.
            self.end()
            if fullname.partition(".")[0] != PACKAGE and PACKAGE not in sys.modules:
                _register()
        return None

    def end(self) -> None:
        """Withdraws."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def _wrapped(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        """What the other finders say, with a loader that registers afterwards."""
        self._asking = True  # other packages' finders may ask all finders in their turn
        try:
            for finder in list(sys.meta_path):
                find = None if finder is self else getattr(finder, "find_spec", None)
                spec: ModuleSpec | None = None if find is None else find(fullname, path, target)
                if spec is not None:
                    if hasattr(spec.loader, "exec_module"):
                        spec.loader = _Registering(spec.loader, self)  # type: ignore[assignment]  # a loader by shape
                    return spec
            return None
        finally:
            self._asking = False


def _loaded(name: str) -> bool:
    """Whether a module is there whole."""
    module = sys.modules.get(name)
    return module is not None and not getattr(module.__spec__, "_initializing", False)


if _loaded(REGISTRY):  # another `.pth` file was faster
    _register()
else:
    sys.meta_path.insert(0, _Waiting())
