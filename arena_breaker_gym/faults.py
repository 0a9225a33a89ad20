"""`Fault` and `FileError`: what is wrong in a JSON file of the user's, each in one sentence.

A sentence tells the place in the file, what was found there, and what was expected.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_MOST_TOLD = 10  # faults in one message; `FileError.faults` has all


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a file; as text, a sentence.

    Attributes:
        path: JSON path, such as `waves[0].groups[2].zone`; empty for the whole file.
        found: What stands there.
        expected: What should.
    """

    path: str
    found: str
    expected: str

    def __str__(self) -> str:
        """The sentence."""
        place = f"{self.path}: " if self.path else ""
        return f"{place}found {self.found}, expected {self.expected}."


class FileError(ValueError):
    """A file cannot be used; the message names it and says all that is wrong in it.

    Attributes:
        file: Its name, as the user gave it.
        faults: What is wrong, in the file's order.
    """

    def __init__(self, file: str, faults: Sequence[Fault]) -> None:
        """Takes at least one fault."""
        super().__init__(file, tuple(faults))
        self.file, self.faults = file, tuple(faults)

    def __str__(self) -> str:
        """All on one line, since callers print errors as a line."""
        told = " ".join(str(fault) for fault in self.faults[:_MOST_TOLD])
        more = len(self.faults) - _MOST_TOLD
        return f"{self.file}: {told}" + (f" And {more} more are wrong." if more > 0 else "")

    @property
    def sentences(self) -> tuple[str, ...]:
        """Each fault with the file before it."""
        return tuple(f"{self.file}: {fault}" for fault in self.faults)


def json_path(location: Sequence[str | int]) -> str:
    """Writes a location as a JSON path: `("waves", 0, "groups")` becomes `waves[0].groups`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def quoted(value: object, *, longest: int = 60) -> str:
    """A value as JSON on one line, shortened to `longest` characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def one_of(names: Iterable[str], *, not_: str) -> str:
    """The names to choose from, with a guess at the one that was meant by `not_`."""
    known = list(names)
    choice = "one of " + ", ".join(known) if len(known) > 1 else known[0]
    near = difflib.get_close_matches(not_, known, n=1)
    return f'{choice} (did you mean "{near[0]}"?)' if near else choice
