"""`Latency`: what a rollout charges an agent for its thinking, given, stored or written."""

from typing import Literal

from arena_breaker_gym._runtime.plain import plain_int

# Ticks of 1/60 s that pass between a look and the moment its answer takes effect; "measured":
# as many as the agent really took; None: the game waits.
Latency = int | Literal["measured"] | None

MEASURED: Literal["measured"] = "measured"


def checked_latency(latency: object) -> Latency:
    """A latency as plans and files hold it: 0 ticks are a game that waits, None.

    Raises:
        ValueError: If it is none.
    """
    if latency is None:
        return None
    if isinstance(latency, str) and latency == MEASURED:
        return MEASURED
    try:
        return plain_int("latency", latency, least=0) or None
    except ValueError:
        raise ValueError(
            "latency must be a whole number of ticks (0: the game waits) or 'measured', "
            f"got {latency!r}."
        ) from None


def latency_from(text: str | None) -> Latency:
    """A latency from what a command line says: a whole number of ticks, or "measured".

    Raises:
        ValueError: If it is neither.
    """
    if text is None or not text.isdecimal():
        return checked_latency(text)
    return checked_latency(int(text))


def words_for(latency: Latency) -> str:
    """How a table calls it."""
    if latency is None:
        return "the game waits"
    return "real time" if latency == MEASURED else f"latency {latency} ticks"
