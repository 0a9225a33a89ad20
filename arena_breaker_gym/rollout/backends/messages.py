"""What a driver and its workers say to each other."""

import pickle
import traceback
from dataclasses import dataclass
from typing import Any, Self

from arena_breaker_gym.rollout.plan import Plan


@dataclass(frozen=True)
class Greeting:
    """Who a worker is.

    Attributes:
        place: Host and process, for people.
        pid: The process.
        release: Version of the package and of the engine's rules.
    """

    place: str
    pid: int
    release: tuple[str, int]


@dataclass(frozen=True)
class Job:
    """What a worker is to play.

    Attributes:
        serial: Its number.
        plan: The whole rollout's.
        digest: Of the stage files that the driver has.
        arenas: Most arenas side by side.
        keep_snapshots: As in `Work`.
        numbers: The first episodes; more may be fed.
    """

    serial: int
    plan: Plan
    digest: str
    arenas: int
    keep_snapshots: bool
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class WorkerRequest:
    """A worker's agent asks the agent that stayed with the driver."""

    ident: int
    content: Any


@dataclass(frozen=True)
class WorkerResponse:
    """What it is told: a value, or an exception to raise."""

    ident: int
    value: Any = None
    error: Exception | None = None


@dataclass(frozen=True)
class Trouble:
    """An exception ended a worker's play."""

    error: Exception

    @classmethod
    def of(cls, error: Exception, place: str) -> Self:
        """An exception that can be pickled, with a note of where it was raised."""
        told = sendable(error)
        told.add_note(f"Raised on {place}:\n{''.join(traceback.format_exception(error))}")
        return cls(told)


@dataclass(frozen=True)
class Ended:
    """A worker has played all it had, or was told to stop."""

    serial: int


def sendable(error: Exception) -> Exception:
    """The exception itself if it survives pickling, else one that says the same."""
    try:
        again = pickle.loads(pickle.dumps(error))  # nosec B301  # of this very process
        if type(again) is type(error) and str(again) == str(error):
            return error
    except Exception:  # nosec B110  # whatever it is, it cannot be pickled
        pass
    return RuntimeError(f"{type(error).__name__}: {error}")


def first_line(error: Exception) -> str:
    """An exception in half a sentence."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
