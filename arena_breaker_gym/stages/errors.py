"""`StageError`: why a stage file is refused, in one sentence with the file and the JSON path."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence


class StageError(ValueError):
    """A stage file cannot be used; the message says which, where in it, and what was expected."""


def refusal(file: str, path: str, *, found: str, expected: str) -> StageError:
    """The error for one place in a stage file.

    Args:
        file: Name of the file, as the user gave it.
        path: JSON path, such as `waves[0].groups[2].zone`; empty for the whole file.
        found: What stands there.
        expected: What should.

    Returns:
        The error, for the caller to raise.
    """
    place = f"{_cut(file)}: {_cut(path)}" if path else _cut(file)
    return StageError(f"{place}: found {_cut(found)}, expected {_cut(expected)}.")


def _cut(words: str, *, longest: int = 400) -> str:
    return words if len(words) <= longest else words[: longest - 3] + "..."


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
