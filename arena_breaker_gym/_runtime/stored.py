"""What is read from files that may be damaged, foreign or hostile: bounded before it is taken in.

The caller says how large a valid file of its kind can be. Nothing larger is opened, only plain
files are read, and messages quote at most one line of what was found.
"""

from __future__ import annotations

import io
import json
import math
import os
import stat
import zipfile
from pathlib import Path
from tokenize import TokenError
from typing import Any, Literal, TypeGuard

import numpy as np
from numpy.typing import NDArray

LARGEST = 2**30  # bytes of any file that is read in one piece
_QUOTED = 80  # letters
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_HEADER = 4096  # bytes before an array's numbers; ours have 128


class StoredError(ValueError):
    """What a file holds is not what was expected; the sentence does not name the file."""


def read_stored(path: Path, *, most: int = LARGEST) -> bytes:
    """All bytes of a plain file.

    Args:
        path: The file.
        most: Bytes that a file of its kind may have.

    Raises:
        OSError: If it cannot be read.
        StoredError: If it is larger, or no plain file but a device or a pipe.
    """
    with open_stored(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise StoredError(f"it is larger than {most} bytes, which no such file is")
    return data


def open_stored(path: Path) -> io.BufferedReader:
    """Opens a plain file for reading.

    Raises:
        OSError: If it cannot be opened.
        StoredError: If it is no plain file: a pipe would be waited for, a device has no end.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):  # first: no file object is made of a folder
        os.close(handle)
        raise StoredError("it is no plain file")
    return os.fdopen(handle, "rb")


def json_in(data: bytes | str) -> Any:
    """The value that a JSON text stands for.

    Raises:
        StoredError: If it is no JSON, or nested deeper than anything that is written here.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise StoredError("it holds no whole JSON text") from None


def shortened(value: object) -> str:
    """A value as a sentence quotes it: on one line, and no longer than a line."""
    if isinstance(value, list | tuple | dict) and len(value) > _QUOTED:
        return f"{len(value)} entries"
    if isinstance(value, str | bytes):
        value = value[: _QUOTED + 1]
    elif isinstance(value, int) and value.bit_length() > _QUOTED:
        return "a number of more digits than fit here"
    text = repr(value)
    return text if len(text) <= _QUOTED else text[: _QUOTED - 3] + "..."


def is_whole(value: object, *, least: int = 0, most: int = 2**63 - 1) -> bool:
    """Whether a JSON value is a whole number within bounds."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_number(value: object) -> TypeGuard[float]:
    """Whether a JSON value is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -1e300 < value < 1e300 and math.isfinite(value)


def is_text(value: object, *, longest: int = 1000) -> bool:
    """Whether a JSON value is a text of at most so many letters."""
    return isinstance(value, str) and len(value) <= longest


class Arrays:
    """The arrays of an `.npz` file, each looked at before memory is given to it."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """Takes an open archive.

        Raises:
            StoredError: If a member is encrypted, or packed in a way in which none is written.
        """
        self._archive = archive
        self._members = {one.filename: one for one in archive.infolist()}
        for member in self._members.values():
            if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
                raise StoredError("a member is encrypted or packed in an unknown way")

    def packed(self, name: str) -> int:
        """Bytes that an array takes in the file."""
        return self._member(name).compress_size

    def read(self, name: str, *, dtype: type, columns: int | None, most: int) -> NDArray[Any]:
        """An array.

        Args:
            name: Its name.
            dtype: The type that it must have.
            columns: It must be (n, columns); None: (n,).
            most: Rows that it may have.

        Raises:
            StoredError: If it is missing or another.
        """
        member = self._member(name)
        with self._archive.open(member) as file:
            shape, fortran, found, head = _header_of(file)
            wanted = () if columns is None else (columns,)
            if fortran or not shape or found != np.dtype(dtype) or shape[1:] != wanted:
                raise StoredError(f"{name} has another type or shape")
            size = math.prod(shape) * found.itemsize
            if shape[0] > most or head + size != member.file_size:
                raise StoredError(f"{name} says that it has {shortened(shape[0])} rows")
            data = file.read(size)
            if len(data) != size or file.read(1):
                raise StoredError(f"{name} is cut short")
        return np.frombuffer(bytearray(data), found).reshape(shape)

    def read_any(self, name: str) -> NDArray[Any]:
        """An array of any type and shape that its member holds wholly.

        Raises:
            StoredError: If it is missing, cut short, or of Python's objects.
        """
        member = self._member(name)
        with self._archive.open(member) as file:
            shape, fortran, found, head = _header_of(file)
            size = math.prod(shape) * found.itemsize
            if head + size != member.file_size:
                raise StoredError(f"{name} says that it has the shape {shortened(shape)}")
            data = file.read(size)
        if len(data) != size:
            raise StoredError(f"{name} is cut short")
        order: Literal["F", "C"] = "F" if fortran else "C"
        return np.frombuffer(bytearray(data), found).reshape(shape, order=order)

    def _member(self, name: str) -> zipfile.ZipInfo:
        member = self._members.get(f"{name}.npy")
        if member is None:
            raise StoredError(f"it has no {name}")
        return member


def _header_of(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """An array's shape, whether columns come first, its type, and how many bytes say so."""
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise StoredError("an array of another version")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=_HEADER)
    except (ValueError, TypeError, SyntaxError, RecursionError, TokenError) as error:
        raise StoredError("an array whose header is damaged") from error
    if dtype.hasobject:
        raise StoredError("an array of another kind")
    return shape, fortran, dtype, file.tell()


def without_surrogates(value: Any) -> Any:
    r"""A copy of a JSON value in which every half of a surrogate pair is a question mark.

    JSON can spell such halves ("\ud800"), as a model does that breaks off in the middle of an
    emoji, but no file and no request can hold them.

    Args:
        value: As `json.loads` gave it.
    """
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
