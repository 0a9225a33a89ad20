"""`Disk`: what a power cut would leave of a folder, told by what the process that writes flushes.

The worst that a file system may do is assumed: contents reach the disk by `fsync` of the file alone
and names by `fsync` of their folder alone, except that a rename may get there at once, before the
contents of what was renamed.
"""

import os
import stat
from pathlib import Path


class Disk:
    """Follows flushes and renames below a folder from here on; what was there before is kept.

    Attributes:
        torn: Files that stood under their own names while some of their bytes were in memory only:
            a power cut would have left them empty, cut or with zeros.
    """

    def __init__(self, folder, patch, *, growing=()):
        """Begins.

        Args:
            folder: What is looked at, on Linux.
            patch: pytest's, which undoes it.
            growing: Ends of names of files to which is added, or of their folders: they are left
                out.
        """
        self.torn = set()
        self._folder, self._growing = folder, tuple(growing)
        self._contents = {}  # by inode
        self._names = {}  # by the inode of a folder
        for path in [folder, *folder.rglob("*")]:
            self._keep(path)
        for name in ("fsync", "replace", "rename"):
            patch.setattr(os, name, getattr(self, f"_{name}_then_note")(getattr(os, name)))

    def left(self):
        """The bytes of each file that is found if the power is cut now, by its name."""
        return dict(self._left(self._folder.stat().st_ino, Path()))

    def whole(self):
        """The bytes of each file that is there, by its name."""
        return {
            path.relative_to(self._folder).as_posix(): path.read_bytes()
            for path in self._folder.rglob("*")
            if path.is_file() and self._counts(path)
        }

    def _left(self, folder, place):
        for name, inode in self._names.get(folder, {}).items():
            if inode in self._names:
                yield from self._left(inode, place / name)
            elif self._counts(place / name):
                yield (place / name).as_posix(), self._contents.get(inode, b"")

    def _counts(self, path):
        """Whether it is a result, and one that is written once."""
        parts = path.relative_to(self._folder).parts if path.is_absolute() else path.parts
        return not any(one.endswith((".part", ".lock", *self._growing)) for one in parts)

    def _keep(self, path):
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            self._names[found.st_ino] = {one.name: one.lstat().st_ino for one in path.iterdir()}
        else:
            self._contents[found.st_ino] = path.read_bytes()

    def _fsync_then_note(self, fsync):
        def flushed(handle):
            fsync(handle)
            path = Path(f"/proc/self/fd/{handle}").readlink()
            if path.exists() and path.is_relative_to(self._folder):
                self._keep(path)

        return flushed

    def _rename_then_note(self, rename):
        def renamed(old, new, **more):
            rename(old, new, **more)
            for path in self._folder.rglob("*"):
                if path.is_file() and self._counts(path):
                    self._look(path)

        return renamed

    _replace_then_note = _rename_then_note

    def _look(self, path):
        if self._contents.get(path.stat().st_ino) != path.read_bytes():
            self.torn.add(path.relative_to(self._folder).as_posix())
