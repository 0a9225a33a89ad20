"""How long an API wants to be left alone, and how nobody waits beyond all patience."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any


def waited_by(headers: Mapping[str, str]) -> float | None:
    """Seconds that an API asks to wait; None if it asks for none.

    Args:
        headers: Those of its answer: `retry-after` is in seconds, or a date.
    """
    said = headers.get("retry-after", "").strip()
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - time.time()
        except ValueError:
            return None
    return seconds if math.isfinite(seconds) and seconds > 0.0 else None


def no_longer_than(patience: float) -> Callable[[Any], Awaitable[None]]:
    """A hook on answers: the client gives up at once where it would wait beyond all patience.

    Args:
        patience: Seconds that a question may take.
    """

    async def hook(response: Any) -> None:
        wait = waited_by(response.headers)
        if wait is not None and wait > patience:
            response.headers["x-should-retry"] = "false"

    return hook


def in_words(seconds: float) -> str:
    """A time as people say it: "90 seconds", "2 hours"."""
    for unit, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2.0 * unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{math.ceil(seconds)} seconds"
