"""Check of the folder in which compiled code is kept between starts."""

import os
import tempfile
from pathlib import Path
from typing import Any

from arena_breaker_gym.doctor.finding import OK, WARNING, Finding

NAME = "compiled code"
REMEDY = "Set NUMBA_CACHE_DIR to a folder that can be written to and has room."
SLOW = "the engine is compiled anew at every start, which takes up to a minute."


def check_cache() -> Finding:
    """Where compiled code lies, and whether more can be kept there."""
    import numba

    from arena_breaker_gym.batch.stepping import step_rows

    if numba.config.DISABLE_JIT:
        words = "NUMBA_DISABLE_JIT is set: the game runs as plain Python, a hundred times slower."
        return Finding(NAME, WARNING, words, "Unset it, unless you are looking for a fault.")
    place = _place_of(step_rows)
    if place is None:
        return Finding(NAME, WARNING, f"No folder for it can be written to: {SLOW}", REMEDY)
    details = {"folder": str(place), "wanted": os.environ.get("NUMBA_CACHE_DIR")}
    if not _writable(place):
        words = f"{place} cannot be written to: {SLOW}"
        return Finding(NAME, WARNING, words, REMEDY, details)
    return Finding(NAME, OK, f"It is kept in {place}.", "", details)


def _place_of(function: Any) -> Path | None:
    """The folder that a compiled function is kept in."""
    dispatcher = getattr(function, "_dispatcher", function)  # some are wrapped, to be called sooner
    found = dispatcher.stats.cache_path
    return None if found is None else Path(found)


def _writable(folder: Path) -> bool:
    """Whether a file can be written, by writing one: permissions alone do not tell."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError:
        return False
    return True
