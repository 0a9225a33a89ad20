"""`compiled` and `entry_point`, and their kin: how the rules and the composer become machine code.

Numba's own disk cache notices a change only in the file of the function it stores, not in
the files of the functions that one calls. Here every stored entry point is stamped with a
digest of its own room and of all rooms below it, so an edited saw can never hide behind an
old tick.
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numba
from numba.core import caching

from arena_breaker_gym.announcing import compiling

_PACKAGE = Path(__file__).parent
# Bottom up: a room's compiled code may call into those before it.
_ROOMS = (
    "compiled.py",
    "stages",
    "engine",
    "observation.py",
    "rendering",
    "keys.py",
    "stepping.py",
    "wrappers",
)

# Without numba's runtime, compiled code can make no array (what it needs, its caller hands in)
# and counts no references. Counting took a third of the time of a small frame, and made threads
# wait for each other wherever they read the same stage.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "_nrt": False}

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiles a helper into whatever entry point calls it (never `fastmath`)."""
    return numba.njit(**_OPTIONS)(function)  # type: ignore[no-any-return]


def inlined(function: Function) -> Function:
    """Compiles a helper into the very place of its call, for the innermost loops."""
    return numba.njit(**_OPTIONS, forceinline=True)(function)  # type: ignore[no-any-return]


def entry_point(function: Function) -> Function:
    """Compiles a function that Python calls, and keeps its machine code on disk."""
    dispatcher = numba.njit(**_OPTIONS)(function)
    if not numba.config.DISABLE_JIT:
        dispatcher._cache = _Cache(function)
    return dispatcher  # type: ignore[no-any-return]


def settled(function: Function) -> Function:
    """Compiles an entry point whose arguments are of the same types at every call.

    What the first call's types were is not looked up again: for the arguments of an
    environment's step that takes longer than the game's ticks. So nothing but the caller
    keeps arrays of another kind away: each must have the dtype, the number of axes and lie in
    one piece as the first call's did.
    """
    dispatcher = entry_point(function)
    return dispatcher if numba.config.DISABLE_JIT else _Settled(dispatcher)  # type: ignore[return-value]


class _Settled:
    """A compiled function that is called straight from its second call on."""

    def __init__(self, dispatcher: Any) -> None:
        functools.update_wrapper(self, dispatcher.py_func)
        self._dispatcher = dispatcher
        self._code: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        if self._code is not None:
            return self._code(*arguments)
        answer = self._dispatcher(*arguments)
        self._code = next(iter(self._dispatcher.overloads.values())).entry_point
        return answer


@functools.cache
def sources_digest(room: str) -> str:
    """Digest of the source files of a room and of all rooms below it."""
    digest = hashlib.sha256()
    for name in _ROOMS[: _ROOMS.index(room) + 1]:
        path = _PACKAGE / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(_PACKAGE).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


class _Stamped:
    """Makes a numba cache locator answer with the digest of the function's room."""

    _py_file: str

    def get_source_stamp(self) -> str:
        return sources_digest(Path(self._py_file).relative_to(_PACKAGE).parts[0])


class _UserProvided(_Stamped, caching.UserProvidedCacheLocator):  # type: ignore[misc]
    pass


class _InTree(_Stamped, caching.InTreeCacheLocator):  # type: ignore[misc]
    pass


class _UserWide(_Stamped, caching.UserWideCacheLocator):  # type: ignore[misc]
    pass


class _CacheImpl(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes: ClassVar[list[type]] = [_UserProvided, _InTree, _UserWide]


class _Cache(caching.FunctionCache):  # type: ignore[misc]
    _impl_class = _CacheImpl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            stored = super().load_overload(sig, target_context)
        except (AttributeError, ImportError):
            # Code kept for older sources may name types that are gone: numba unpickles it
            # before it compares the stamp.
            self.flush()
            stored = None
        if stored is None:
            compiling.begin()
        return stored

    def save_overload(self, sig: Any, data: Any) -> None:
        super().save_overload(sig, data)
        compiling.end()
