"""`written_whole`: a file that is either there whole or not there at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

PART_SUFFIX = ".part"


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives a temporary file to write, and renames it to `path` when the block ends well.

    Data reach the disk before the name does, so a crash, even of the machine, leaves the old
    file or the new one, perhaps a leftover that ends in `.part`, never half a file.

    Args:
        path: The file to be; missing folders above it are made.

    Yields:
        A path in the same folder; its name ends in `.part`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART_SUFFIX)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)  # mkstemp keeps files to their owner; results are for everyone
        _flush(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def sweep_leftovers(folder: Path) -> None:
    """Removes what writers that were killed left in a folder."""
    for part in folder.glob(f".*{PART_SUFFIX}"):
        part.unlink(missing_ok=True)


def _flush(file: Path) -> None:
    with file.open("rb+") as written:
        os.fsync(written.fileno())
