"""`Pieces`: finished episodes of a data set that is not whole yet: a killed export goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from arena_breaker_gym._runtime.files import claimed, folder_written_whole, written_whole
from arena_breaker_gym._runtime.stored import json_in, read_stored

_KEY = "data_set.json"


class Pieces:
    """A folder with one folder an episode, each of them whole or not there."""

    def __init__(self, folder: Path) -> None:
        """Names the folder; `pieces_of` makes it."""
        self.folder = folder

    def get(self, number: int, write: Callable[[Path], None]) -> Path:
        """Gives an episode's folder, which is written unless an earlier run did.

        Args:
            number: Of the episode.
            write: Fills a folder with it.
        """
        place = self.folder / f"episode_{number}"
        if not place.exists():
            with folder_written_whole(place) as part:
                write(part)
        return place


def placed(file: Path, target: Path) -> None:
    """Puts a piece's file into the data set; the piece keeps it, in case this run is killed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(file)
    except OSError:  # a disk without links
        shutil.copyfile(file, target)


@contextmanager
def pieces_of(data_set: Path, about: dict[str, Any]) -> Iterator[Pieces]:
    """Gives the pieces of a data set, which go when the block ends well.

    Args:
        data_set: The folder that it will be.
        about: What it is; pieces of any other are thrown away.

    Raises:
        BusyError: If another process is writing the same data set just now.
        OSError: If the folder cannot be written.
    """
    folder = data_set.parent / f".{data_set.name}.pieces"
    with claimed(folder):
        _keep_only(folder, about)
        yield Pieces(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _keep_only(folder: Path, about: dict[str, Any]) -> None:
    """Empties a folder whose pieces are of another data set, and notes which one it is for."""
    plain = json.loads(json.dumps(about, default=sorted))
    note = folder / _KEY
    try:
        same = json_in(read_stored(note)) == plain
    except (OSError, ValueError):
        same = False
    if same:
        return
    for old in folder.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    with written_whole(note) as part:
        part.write_text(json.dumps(plain), encoding="utf-8")
