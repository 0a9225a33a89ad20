"""`compiled`, `jit_cached` and the like: how the rules and the composer become machine code.

Numba's own disk cache notices a change only in the file of the function it stores, not in
the files of the functions that one calls. Here every stored entry point is stamped with a
digest of its own package and of all those below it, so an edited saw can never hide behind an
old tick. And what lies on disk is a convenience, nothing more: where it cannot be read or kept,
the function is compiled again and one line says so.
"""

import atexit
import contextlib
import functools
import hashlib
import inspect
import math
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, TypeVar, cast

import numba
from numba.core import caching

_PACKAGE = Path(__file__).parents[1]
# Bottom up: a package's compiled code may call into those before it.
_PACKAGES = (
    "_runtime",
    "stages",
    "engine",
    "rendering",
    "batch",
    "wrappers",
)

# Without numba's runtime, compiled code can make no array (what it needs, its caller hands in)
# and counts no references. Counting took a third of the time of a small frame, and made threads
# wait for each other wherever they read the same stage.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "_nrt": False}

# Set it to anything to have every `jit_unchecked` call's arguments looked at: slow, for debugging.
CHECK_CALLS = "ARENA_BREAKER_CHECK_CALLS"

Function = TypeVar("Function", bound=Callable[..., Any])


class Announcer:
    """Says on standard error that functions are being compiled, and that it is done.

    It cannot know which function is the last: it is done when none was compiled for a while.
    """

    QUIET_S = 2.0

    def __init__(self) -> None:
        """Says nothing yet."""
        self._began: float | None = None
        self._done: float | None = None
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """A function is about to be compiled."""
        self._wait_no_more()
        if self._began is None:
            self._began = time.perf_counter()
            atexit.register(self._finish)
            often = "" if _complaints else ", once on this machine"
            _say(f"compiling{often} (under a minute) ...")

    def end(self) -> None:
        """It has been."""
        self._wait_no_more()
        self._done = time.perf_counter()
        self._timer = threading.Timer(self.QUIET_S, self._finish)
        self._timer.daemon = True
        self._timer.start()

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _finish(self) -> None:
        """Says that it is done, if anything has been compiled since the last time."""
        began, done = self._began, self._done
        self._began = self._done = None
        if began is not None and done is not None:
            _say(f"compiled, {done - began:.0f} s.")


def _say(words: str) -> None:
    sys.stderr.write(f"Arena Breaker: {words}\n")
    sys.stderr.flush()


compiling = Announcer()


def compiled(function: Function) -> Function:
    """Compiles a helper into whatever entry point calls it (never `fastmath`)."""
    dispatcher: Function = numba.njit(**_OPTIONS)(function)
    return dispatcher


def jit_inline(function: Function) -> Function:
    """Compiles a helper into the very place of its call, for the innermost loops."""
    dispatcher: Function = numba.njit(**_OPTIONS, forceinline=True)(function)
    return dispatcher


def jit_cached(function: Function) -> Function:
    """Compiles a function that Python calls, and keeps its machine code on disk."""
    dispatcher: Any = numba.njit(**_OPTIONS)(function)
    if not numba.config.DISABLE_JIT:
        try:
            dispatcher._cache = _Cache(function)
        except (
            RuntimeError,
            OSError,
        ):  # numba's word for a machine on which nothing can be written
            _complain("no folder for it can be written to")
            dispatcher._cache = _NoCache()
    return cast(Function, dispatcher)


def jit_unchecked(**shapes: str) -> Callable[[Function], Function]:
    """Compiles an entry point whose arguments are of the same types at every call.

    What the first call's types were is not looked up again: for the arguments of an
    environment's step that takes longer than the game's ticks. So nothing but the caller
    keeps arrays of another kind away: each must have the dtype, the number of axes and lie in
    one piece as the first call's did. With `CHECK_CALLS` set in the environment every call is
    looked at, its shapes too.

    Args:
        **shapes: Of each array the lengths of its axes, such as `actions="n 5"`: numbers, names of
            whole numbers among the arguments, names that mean one number throughout a call, or
            such joined by `*`.
    """

    def compile_it(function: Function) -> Function:
        dispatcher: Any = jit_cached(function)
        if os.environ.get(CHECK_CALLS):
            dispatcher = _Checked(dispatcher, function, shapes)
        elif not numba.config.DISABLE_JIT:
            dispatcher = _Unchecked(dispatcher)
        return cast(Function, dispatcher)

    return compile_it


class _Unchecked:
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


class _Checked:
    """A compiled function that refuses what `_Unchecked` would read as something else."""

    def __init__(
        self, call: Callable[..., Any], function: Callable[..., Any], shapes: dict[str, str]
    ) -> None:
        functools.update_wrapper(self, function)
        self._call = call
        self._names = tuple(inspect.signature(function).parameters)
        self._shapes = {name: shape.split() for name, shape in shapes.items()}
        self._types: tuple[object, ...] = ()

    def __call__(self, *arguments: Any) -> Any:
        given = dict(zip(self._names, arguments, strict=True))
        self._check_types(given)
        lengths = {name: value for name, value in given.items() if isinstance(value, int)}
        for name, shape in self._shapes.items():
            self._check_shape(name, given[name].shape, shape, lengths)
        return self._call(*arguments)

    def _check_types(self, given: dict[str, Any]) -> None:
        types = tuple(map(numba.typeof, given.values()))
        self._types = self._types or types
        for name, first, now in zip(given, self._types, types, strict=True):
            if now != first:
                raise TypeError(f"{self._of(name)} was {first} at the first call, but is {now}.")

    def _check_shape(
        self, name: str, found: tuple[int, ...], shape: list[str], lengths: dict[str, int]
    ) -> None:
        """Compares one array's shape and remembers what its names turned out to mean."""
        if len(found) == len(shape):
            for words, length in zip(shape, found, strict=True):
                lengths.setdefault(words, length)
            if found == tuple(_product(words, lengths) for words in shape):
                return
        raise TypeError(f"{self._of(name)} must have the shape ({', '.join(shape)}), got {found}.")

    def _of(self, name: str) -> str:
        return f"{getattr(self, '__name__', '')}: {name}"


def _product(words: str, lengths: dict[str, int]) -> int:
    return math.prod(int(word) if word.isdigit() else lengths[word] for word in words.split("*"))


@functools.cache
def sources_digest(package: str) -> str:
    """Digest of the source files of a package and of all those below it."""
    digest = hashlib.sha256()
    for name in _PACKAGES[: _PACKAGES.index(package) + 1]:
        path = _PACKAGE / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(_PACKAGE).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


_complaints: list[str] = []


def _complain(why: str) -> None:
    """Says once in a process why it compiles, perhaps every time, and what helps."""
    if not _complaints:
        sys.stderr.write(
            f"Arena Breaker: compiled code is not taken from disk ({why}), but made again; if this "
            "comes again, set NUMBA_CACHE_DIR to a folder that can be written to and has room.\n"
        )
        sys.stderr.flush()
    _complaints.append(why)


class _Stamped:
    """Makes a numba cache locator answer with the digest of the function's package."""

    _py_file: str

    def get_source_stamp(self) -> str:
        return sources_digest(Path(self._py_file).relative_to(_PACKAGE).parts[0])


class _UserProvided(_Stamped, caching.UserProvidedCacheLocator):
    pass


class _InTree(_Stamped, caching.InTreeCacheLocator):
    pass


class _UserWide(_Stamped, caching.UserWideCacheLocator):
    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        if not Path(cls(py_func, py_file).get_cache_path()).is_absolute():
            return None  # a user without a home: "~" would become a folder where we happen to be
        return super().from_function(py_func, py_file)


class _CacheImpl(caching.CompileResultCacheImpl):
    _locator_classes: ClassVar[list[type]] = [_UserProvided, _InTree, _UserWide]


class DamagedError(Exception):
    """A kept file is not as it was written."""


class _File(caching.IndexDataCacheFile):
    """Numba's files with a digest before each: one wrong bit of machine code may crash us."""

    def __init__(self, **places: Any) -> None:
        super().__init__(**places)
        self._version += "+digest"  # files without one are another version's

    def _dump(self, obj: Any) -> bytes:
        data: bytes = super()._dump(obj)
        return hashlib.sha256(data).digest() + data

    def _save_data(self, name: str, data: Any) -> None:
        super()._save_data(name, (self._source_stamp, data))

    def _load_data(self, name: str) -> Any:
        stamp, data = _whole(Path(self._data_path(name)).read_bytes())
        if stamp != self._source_stamp:
            # The index was written, but then not this file: it is an older one of the same name.
            raise FileNotFoundError(name)
        return data

    def _load_index(self) -> Any:
        try:
            with Path(self._index_path).open("rb") as file:
                version, data = _version_in(file), file.read()
        except FileNotFoundError:
            return {}
        if version != self._version:
            return {}
        stamp, overloads = _whole(data)
        return overloads if stamp == self._source_stamp else {}


def _version_in(file: BinaryIO) -> Any:
    # Numba itself loads pickles from this folder, which is as much the user's own as the code is.
    try:
        return pickle.load(file)  # nosec B301
    except Exception as error:
        raise DamagedError("a file is damaged") from error


def _whole(data: bytes) -> Any:
    """What was dumped, if every byte of it is there as it was."""
    digest, dumped = data[:32], data[32:]
    if hashlib.sha256(dumped).digest() != digest:
        raise DamagedError("a file is damaged")
    return pickle.loads(dumped)  # nosec B301


class _Cache(caching.FunctionCache):
    _impl_class = _CacheImpl

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)
        locator = self._impl.locator
        self._cache_file = _File(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=locator.get_source_stamp(),
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        stored = None
        try:
            stored = super().load_overload(sig, target_context)
        except (AttributeError, ImportError):
            # Code kept for older sources may name types that are gone: numba unpickles it
            # before it compares the stamp.
            self._forget()
        except Exception as error:  # whatever a damaged file makes numba raise
            _complain(f"{self._cache_path}: {_reason(error)}")
            self._forget()
        if stored is None:
            compiling.begin()
        return stored

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception as error:  # a full disk, a folder that is gone: play goes on
            _complain(f"{self._cache_path}: {_reason(error)}")
        finally:
            compiling.end()

    def _forget(self) -> None:
        with contextlib.suppress(OSError):  # where nothing can be written
            self.flush()


class _NoCache(caching.NullCache):
    """Keeps nothing; half a minute of compiling is announced all the same."""

    def load_overload(self, sig: Any, target_context: Any) -> None:
        compiling.begin()

    def save_overload(self, sig: Any, data: Any) -> None:
        compiling.end()


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
