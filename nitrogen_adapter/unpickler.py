"""`Unpickler`: reads pickles of plain values on a machine of its own, which can run nothing.

A pickle is a program for a small stack machine. Python's machine is not safe for a stranger's
program even where `find_class` allows few names: a handful of bytes can make it reserve gigabytes
for its memo, hash nested tuples for years, or change attributes of what it was allowed to find.
This one knows the opcodes that protocols 2 to 5 need for containers, scalars and objects, counts
every step, and hands objects to stand-ins that only hold data.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

MAX_INTEGER = 16  # bytes of a whole number
MAX_NAME = 100  # letters of the name of a function or class

_PROTOCOLS = range(2, 6)


class UnreadableError(ValueError):
    """A pickle that is damaged, too large, or asks for what no pickle here may."""


@dataclass(frozen=True)
class StandIn:
    """What a pickle gets in place of a function or class that it names.

    Attributes:
        make: called where the pickle calls what it named; None where it must not be called.
    """

    make: Callable[..., Any] | None = None


class Unfinished:
    """An object that a pickle made and may still give its state."""

    def build(self, state: object) -> None:
        """Take the state, an arbitrary value."""
        raise NotImplementedError

    def value(self) -> Any:
        """Return what stands for the object in the message."""
        raise NotImplementedError


class Unpickler:
    """Reads one pickle; a subclass says in `find_class` what it may name.

    Attributes:
        max_steps: opcodes that it may have.
        key_types: what the keys of its dicts may be. Hashing containers may not end.
    """

    max_steps = 10_000
    key_types: tuple[type, ...] = (str,)

    def __init__(self, data: bytes) -> None:
        """Prepare to read.

        Args:
            data: the pickle and nothing else.
        """
        self._data = data
        self._at = 0
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def find_class(self, module: str, name: str) -> StandIn:
        """Return the stand-in for something that the pickle names.

        Raises:
            UnreadableError: if it may not name it.
        """
        place = f"{module}.{name}"
        raise UnreadableError(f"A pickle names {place!a}, which none may.")

    def persistent_load(self, place: object) -> Any:
        """Return what the pickle says to lie elsewhere.

        Raises:
            UnreadableError: if nothing may.
        """
        raise UnreadableError("A pickle names something that lies elsewhere.")

    def load(self) -> Any:
        """Return what the pickle holds, with objects as `Unfinished`.

        Containers may hold themselves or one another many times over: walk them with care.

        Raises:
            UnreadableError: if it is damaged, too long, or holds what no pickle here may.
        """
        if self._take(1) != pickle.PROTO or self._take(1)[0] not in _PROTOCOLS:
            raise UnreadableError("It is no pickle of protocols 2 to 5.")
        for _ in range(self.max_steps):
            opcode = self._take(1)
            if opcode == pickle.STOP:
                return self._end()
            if opcode not in _STEPS:
                raise UnreadableError(f"A pickle has the opcode {opcode!r}, which none may.")
            _STEPS[opcode](self)
        raise UnreadableError(f"A pickle has more than {self.max_steps} opcodes.")

    def _end(self) -> Any:
        result = self._pop()
        if self._stack or self._marks or self._at != len(self._data):
            _damaged()
        return result

    # What opcodes carry with them

    def _take(self, count: int) -> bytes:
        """Take the next bytes of the pickle: never more than there are."""
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise UnreadableError("A pickle is truncated.")
        self._at += count
        return taken

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        end = self._data.index(b"\n", self._at)
        line = self._take(end - self._at).decode()
        self._at += 1
        return line

    def _counted(self, form: str) -> bytes:
        return self._take(self._number(form))

    def _integer(self) -> int:
        count = self._number("<B")
        if count > MAX_INTEGER:
            raise UnreadableError(f"A pickle has a number of more than {MAX_INTEGER} bytes.")
        return int.from_bytes(self._take(count), "little", signed=True)

    # What opcodes do to the stack

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            _damaged()  # an opcode must not reach below the last mark
        return self._stack.pop()

    def _pop_last(self, count: int) -> list[Any]:
        return [self._pop() for _ in range(count)][::-1]

    def _pop_marked(self) -> list[Any]:
        mark = self._marks.pop()
        items = self._stack[mark:]
        del self._stack[mark:]
        return items

    def _memoise(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            _damaged()
        target.extend(items)

    def _update(self, items: list[Any]) -> None:
        """Put keys and values, by turns, into a dict."""
        target, keys = self._stack[-1], items[::2]
        odd = any(type(key) not in self.key_types for key in keys)
        if not isinstance(target, dict) or len(items) % 2 or odd:
            raise UnreadableError("A pickle has a dict with keys that none here may have.")
        target.update(zip(keys, items[1::2], strict=True))

    def _find(self, module: object, name: object) -> None:
        if type(module) is not str or type(name) is not str or len(module) + len(name) > MAX_NAME:
            _damaged()
        self._push(self.find_class(module, name))

    def _call(self, named: object, arguments: object) -> None:
        if type(named) is not StandIn or named.make is None or type(arguments) is not tuple:
            raise UnreadableError("A pickle calls what must not be called.")
        self._push(named.make(*arguments))

    def _build(self) -> None:
        state, target = self._pop(), self._stack[-1]
        if not isinstance(target, Unfinished):
            raise UnreadableError("A pickle gives a state to what has none.")
        target.build(state)


def _damaged() -> NoReturn:
    raise UnreadableError("A pickle is damaged.")


_Step = Callable[[Unpickler], None]


def _pushing(read: Callable[[Unpickler], Any]) -> _Step:
    return lambda machine: machine._push(read(machine))


_VALUES: dict[bytes, Callable[[Unpickler], Any]] = {
    pickle.NONE: lambda _: None,
    pickle.NEWTRUE: lambda _: True,
    pickle.NEWFALSE: lambda _: False,
    pickle.EMPTY_TUPLE: lambda _: (),
    pickle.EMPTY_LIST: lambda _: [],
    pickle.EMPTY_DICT: lambda _: {},
    pickle.BININT: lambda machine: machine._number("<i"),
    pickle.BININT1: lambda machine: machine._number("<B"),
    pickle.BININT2: lambda machine: machine._number("<H"),
    pickle.LONG1: lambda machine: machine._integer(),
    pickle.BINFLOAT: lambda machine: machine._number(">d"),
    pickle.SHORT_BINUNICODE: lambda machine: machine._counted("<B").decode(),
    pickle.BINUNICODE: lambda machine: machine._counted("<I").decode(),
    pickle.BINUNICODE8: lambda machine: machine._counted("<Q").decode(),
    pickle.SHORT_BINBYTES: lambda machine: machine._counted("<B"),
    pickle.BINBYTES: lambda machine: machine._counted("<I"),
    pickle.BINBYTES8: lambda machine: machine._counted("<Q"),
    pickle.BYTEARRAY8: lambda machine: machine._counted("<Q"),
    pickle.BINGET: lambda machine: machine._memo[machine._number("<B")],
    pickle.LONG_BINGET: lambda machine: machine._memo[machine._number("<I")],
    pickle.TUPLE: lambda machine: tuple(machine._pop_marked()),
    pickle.TUPLE1: lambda machine: tuple(machine._pop_last(1)),
    pickle.TUPLE2: lambda machine: tuple(machine._pop_last(2)),
    pickle.TUPLE3: lambda machine: tuple(machine._pop_last(3)),
}

_STEPS = MappingProxyType(
    {opcode: _pushing(read) for opcode, read in _VALUES.items()}
    | {
        pickle.FRAME: lambda machine: machine._number("<Q"),  # a hint for reading from files
        pickle.MARK: lambda machine: machine._marks.append(len(machine._stack)),
        pickle.BINPUT: lambda machine: machine._memoise(machine._number("<B")),
        pickle.LONG_BINPUT: lambda machine: machine._memoise(machine._number("<I")),
        pickle.MEMOIZE: lambda machine: machine._memoise(len(machine._memo)),
        pickle.APPEND: lambda machine: machine._extend(machine._pop_last(1)),
        pickle.APPENDS: lambda machine: machine._extend(machine._pop_marked()),
        pickle.SETITEM: lambda machine: machine._update(machine._pop_last(2)),
        pickle.SETITEMS: lambda machine: machine._update(machine._pop_marked()),
        pickle.GLOBAL: lambda machine: machine._find(machine._line(), machine._line()),
        pickle.STACK_GLOBAL: lambda machine: machine._find(*machine._pop_last(2)),
        pickle.REDUCE: lambda machine: machine._call(*machine._pop_last(2)),
        pickle.NEWOBJ: lambda machine: machine._call(*machine._pop_last(2)),
        pickle.BUILD: lambda machine: machine._build(),
        pickle.BINPERSID: lambda machine: machine._push(machine.persistent_load(machine._pop())),
    }
)
