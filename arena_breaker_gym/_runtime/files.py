"""Files that are whole or not there: `written_whole`, `scratch_folder`, `claimed`, `LineFile`.

What a killed writer leaves is told from what a living one is at work on by a lock of the system's,
which ends with its process. Where a system or a disk knows no such locks (Windows; some network
disks), leftovers are kept rather than risked.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    _HAS_LOCKS = False
else:
    _HAS_LOCKS = True

PART_SUFFIX = ".part"
_SCRATCH = "arena-breaker-"
_STEP = 65_536  # bytes of a file of lines that are looked at at once

_left: dict[Path, list[str]] = {}  # names of parts that were there when a folder was first used


class BusyError(ValueError):
    """Another run works in the same folder just now; the sentence names it."""


class GoneError(ValueError):
    """The folder of a run is no longer there; the sentence names it."""


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives a temporary file to write, and renames it to `path` when the block ends well.

    Data reach the disk before the name does, and the name before this returns, so a crash, even
    of the machine, leaves the old file or the new one, perhaps a leftover that ends in `.part`,
    never half a file. A leftover of the same name is removed by the next writer.

    Args:
        path: The file to be; missing folders above it are made.

    Yields:
        A path in the same folder; its name ends in `.part`.

    Raises:
        OSError: If it cannot be written, such as on a full disk; it names `path`, and an older
            file is as it was.
    """
    with naming(path):
        make_folder(path.parent)
        _sweep_once(path)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=PART_SUFFIX
        )
        part = Path(name)
        try:
            with _held(handle):
                yield part
                part.chmod(0o644)  # mkstemp keeps files to their owner; results are for everyone
                _flush(part)
                part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        _flush_folder(path.parent)


def make_folder(path: Path) -> None:
    """Makes a folder and those above it that are missing; their names reach the disk."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for one in missing:
        _flush_folder(one.parent)


@contextlib.contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """Gives a temporary folder to fill, which takes the place of `path` when the block ends well.

    A kill leaves the old folder, the new one, or for a moment none; never half of one.

    Yields:
        A path in the same folder; its name ends in `.part`.

    Raises:
        OSError: As `written_whole`.
    """
    with naming(path):
        make_folder(path.parent)
        sweep_leftovers(path.parent, of=path.name)
        name = tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART_SUFFIX)
        part = Path(name)
        try:
            with _held(_opened(part)):
                yield part
                part.chmod(0o755)
                shutil.rmtree(path, ignore_errors=True)
                put_in_place(part, path)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def put_in_place(part: Path, path: Path) -> None:
    """Renames a folder that is done, once all that is in it has reached the disk.

    Raises:
        OSError: If something else stands under the name.
    """
    for one in part.rglob("*"):
        _flush(one) if one.is_file() else _flush_folder(one)
    _flush_folder(part)
    part.replace(path)
    _flush_folder(path.parent)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for temporary files, gone when the block ends; those of killed processes are swept.

    Yields:
        The folder.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        if folder.is_dir() and _is_mine(folder) and not _is_held(folder):
            shutil.rmtree(folder, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(prefix=_SCRATCH, ignore_cleanup_errors=True) as name,
        _held(_opened(Path(name))),
    ):
        yield Path(name)


class Claim:
    """A folder that a run keeps to itself."""

    def __init__(self, folder: Path) -> None:
        """Notes which folder it is, whatever will stand under its name later."""
        self.folder = folder
        self._which = _which(folder)

    def check(self) -> None:
        """Looks whether the folder is there still: files would else be written into a new one.

        Raises:
            GoneError: If it has been deleted or moved.
        """
        if _which(self.folder) != self._which:
            raise GoneError(
                f"{self.folder} was deleted or moved while the run was going on: the run has ended."
            )


def _which(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[Claim]:
    """Keeps a folder to one run, and sweeps what a killed one left in it.

    Args:
        folder: Of the run; made where there is none.

    Yields:
        The claim, to be checked before something is written into the folder.

    Raises:
        BusyError: If another run has it; it is untouched then.
    """
    make_folder(folder)
    handle = _opened(folder)
    if not _lock(handle):
        _close(handle)
        raise BusyError(
            f"Another run is writing into {folder} just now: wait for it, or name another folder."
        )
    try:
        sweep_leftovers(folder)
        yield Claim(folder)
    finally:
        _close(handle)


def sweep_leftovers(folder: Path, *, of: str | None = None) -> None:
    """Removes what writers that were killed left in a folder; those at work keep theirs.

    Args:
        folder: Where they wrote.
        of: Only what was to become this file or folder; None: everything.
    """
    start = "." if of is None else f".{of}."
    for part in folder.glob(f".*{PART_SUFFIX}"):
        if part.name.startswith(start):
            _sweep(part)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Lets an `OSError` of the block name `path`, whatever file it is of, or none at all.

    A full disk, above all, says nowhere which file there was no room for.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or not _is_of(error, path):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def _is_of(error: OSError, path: Path) -> bool:
    """Whether an error is of a file that `path` is written by, as far as it says."""
    if error.filename is None:
        return True
    name = os.fspath(error.filename)
    return isinstance(name, str) and Path(name).name.startswith(f".{path.name}.")


def _sweep_once(path: Path) -> None:
    """Removes leftovers of a file; a folder is listed once a process, as it may be large."""
    folder = path.parent.absolute()
    if folder not in _left:
        _left[folder] = [part.name for part in folder.glob(f".*{PART_SUFFIX}")]
    for name in [one for one in _left[folder] if one.startswith(f".{path.name}.")]:
        _left[folder].remove(name)
        _sweep(folder / name)


def _sweep(part: Path) -> None:
    if _is_held(part):
        return
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _is_mine(folder: Path) -> bool:
    try:
        return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
    except OSError:
        return False


def _is_held(part: Path) -> bool:
    """Whether a living process is at work on it."""
    handle = _opened(part)
    try:
        return not _lock(handle)
    finally:
        _close(handle)


@contextlib.contextmanager
def _held(handle: int | None) -> Iterator[None]:
    """Marks an open file or folder as being worked on while the block runs, and closes it."""
    if not _HAS_LOCKS:
        _close(handle)  # Windows renames no file that is open
        yield
        return
    try:
        _lock(handle)
        yield
    finally:
        _close(handle)


def _opened(path: Path) -> int | None:
    """A file or folder opened to be locked; None where that cannot be done."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        return os.open(path, flags) if _HAS_LOCKS else None
    except OSError:
        return None


def _lock(handle: int | None) -> bool:
    """Locks what is open; False if another holds it. Where there are no locks, none does."""
    if handle is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _close(handle: int | None) -> None:
    if handle is not None:
        os.close(handle)


def _flush(file: Path) -> None:
    with file.open("rb+") as written:
        os.fsync(written.fileno())


def _flush_folder(folder: Path) -> None:
    """Brings a new name to the disk, where the system can do that."""
    if not _HAS_LOCKS:
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class LineFile:
    """A file to which lines are added; each has left this process when `add` returns.

    They are text, without a zero byte: that is what a power cut leaves of what was not on the disk.
    """

    def __init__(self, path: Path) -> None:
        """Opens a file, makes it if there is none, and drops a half last line.

        Raises:
            OSError: If it cannot be opened for writing.
        """
        self.path = path
        with naming(path):
            make_folder(path.parent)
            heal(path)
            self._file: IO[bytes] = path.open("ab", buffering=0)
            self.size = self._file.seek(0, os.SEEK_END)
            _flush_folder(path.parent)

    def add(self, line: bytes, *, durable: bool = False) -> int:
        """Adds a line, whole or not at all.

        Args:
            line: With a line feed as its last byte, and no other.
            durable: Whether it is on the disk before this returns.

        Returns:
            Where in the file it begins.

        Raises:
            OSError: If there is no room, or it cannot be written for another reason; the file is
                as it was then.
        """
        begin = self.size
        try:
            with naming(self.path):
                self._write(line)
                if durable:
                    os.fsync(self._file.fileno())
        except BaseException:
            # Half a line would spoil the file for the process that adds the next.
            with contextlib.suppress(OSError):
                self._file.truncate(begin)
            raise
        self.size = begin + len(line)
        return begin

    def flush(self) -> None:
        """Brings all lines to the disk."""
        with naming(self.path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, line: bytes) -> None:
        """Writes all of it: a disk that is nearly full takes a part and says nothing."""
        left = memoryview(line)
        while left:
            left = left[self._file.write(left) or 0 :]


def heal(path: Path) -> None:
    """Cuts off last lines that a killed writer left half, or a power cut with zeros in them.

    Raises:
        OSError: If the file cannot be cut.
    """
    if not path.is_file():
        return
    with naming(path), path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        whole = _end_of_lines(file, size)
        while whole:
            begin = _end_of_lines(file, whole - 1)
            if not _has_zero(file, begin, whole):
                break
            whole = begin
        if whole < size:
            file.truncate(whole)


def _end_of_lines(file: IO[bytes], size: int) -> int:
    """Where the last whole line ends, looked for from the end on."""
    end = size
    while end > 0:
        begin = max(end - _STEP, 0)
        file.seek(begin)
        found = file.read(end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _has_zero(file: IO[bytes], begin: int, end: int) -> bool:
    file.seek(begin)
    starts = range(begin, end, _STEP)
    return any(b"\0" in file.read(min(_STEP, end - start)) for start in starts)
