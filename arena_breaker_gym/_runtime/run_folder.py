"""A run's folder: `claim_folder` keeps it for one run alone, `Clock` counts what it took."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from arena_breaker_gym._runtime.files import Claim, written_whole
from arena_breaker_gym._runtime.stored import (
    StoredError,
    is_number,
    json_in,
    read_stored,
    shortened,
)

_LARGEST = 2**24  # bytes
_LONGEST = 200  # letters that a sentence quotes


def claim_folder(
    file: Path,
    about: Mapping[str, object],
    *,
    what: str,
    renamed: Mapping[str, str] = MappingProxyType({}),
    usual: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Notes in a folder which run it is of, or refuses one that is of another.

    Args:
        file: The note, JSON, in the folder.
        about: What makes the run this one, in plain values by name.
        what: What kind of run, for the sentence: "a bootcamp".
        renamed: New names by old ones that an older note may have, of entries and of values.
        usual: What entries were before there was a choice, for those that an older note lacks.

    Raises:
        ValueError: If the folder is another run's, naming the first difference.
    """
    if not file.exists():
        write_json(file, about)
    check_claim(file, about, what=what, renamed=renamed, usual=usual)


def check_claim(
    file: Path,
    about: Mapping[str, object],
    *,
    what: str,
    renamed: Mapping[str, str] = MappingProxyType({}),
    usual: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Refuses a folder that is another run's; see `claim_folder`."""
    try:
        found = json_in(read_stored(file, most=_LARGEST))
    except StoredError as error:
        raise ValueError(f"{file}: damaged ({error}); give this run a folder of its own.") from None
    found = _completed(with_new_names(found, renamed), usual)
    difference = _difference(found, json.loads(json.dumps(about)))
    if difference is not None:
        raise ValueError(
            f"{file.parent} holds {what} with another {difference} (see {file.name}): "
            "give this one a folder of its own with --out."
        )


def with_new_names(stored: Any, renamed: Mapping[str, str]) -> Any:
    """A stored value of nested dicts with today's names for its entries and values."""
    if isinstance(stored, dict):
        return {renamed.get(k, k): with_new_names(v, renamed) for k, v in stored.items()}
    return renamed.get(stored, stored) if isinstance(stored, str) else stored


def write_json(path: Path, value: object) -> None:
    """Writes a value as JSON to a file, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _completed(found: Any, usual: Mapping[str, object]) -> Any:
    """A note with the entries that it lacks."""
    return {**usual, **found} if isinstance(found, dict) else found


def _difference(found: object, wanted: object, name: str = "") -> str | None:
    """Names the first entry in which two nested dicts differ, and says how."""
    if found == wanted:
        return None
    if not (isinstance(found, dict) and isinstance(wanted, dict)):
        return f"{shortened(name or 'plan')[1:-1]}: {_said(found)}, not {_said(wanted)}"
    for key in [*wanted, *(found.keys() - wanted.keys())]:
        below = _difference(found.get(key), wanted.get(key), f"{name}.{key}" if name else key)
        if below is not None:
            return below
    return None


def _said(value: object) -> str:
    text = shortened(value) if isinstance(value, dict | list) else json.dumps(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


class Clock:
    """Seconds by part; time spent in earlier, interrupted runs counts."""

    def __init__(self, file: Path) -> None:
        """Reads what earlier runs took, if there were any.

        Args:
            file: Of timings, JSON, in a run's folder, which is there.

        Raises:
            ValueError: If the file is no such record.
        """
        self._file = file
        self._folder = Claim(file.parent)
        self.seconds: dict[str, float] = {}
        if file.exists():
            self.seconds = _timings_in(file)

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Counts the time of the block towards a part, even when it is interrupted.

        Raises:
            GoneError: If the run's folder has been deleted or moved meanwhile.
        """
        began = time.perf_counter()
        if name not in self.seconds:  # a kill just before the block's end must not lose the part
            self._note(name, 0.0)
        try:
            yield
        finally:
            self._note(name, time.perf_counter() - began)

    def _note(self, name: str, taken: float) -> None:
        self.seconds[name] = round(self.seconds.get(name, 0.0) + taken, 3)
        self._folder.check()
        with written_whole(self._file) as part:
            part.write_text(json.dumps(self.seconds, indent=2) + "\n", encoding="utf-8")


def _timings_in(file: Path) -> dict[str, float]:
    try:
        found = json_in(read_stored(file, most=_LARGEST))
    except StoredError:
        found = None
    if not isinstance(found, dict) or not all(is_number(v) and v >= 0 for v in found.values()):
        raise ValueError(f"{file}: this is no record of timings.")
    return {name: float(seconds) for name, seconds in found.items()}
