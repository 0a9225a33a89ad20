"""Where a rollout's episodes are played: in this process, or by Ray's workers on many machines."""

import contextlib
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from arena_breaker_gym.rollout.agent import Agent
from arena_breaker_gym.rollout.episode import Episode, Plan
from arena_breaker_gym.settings import closest

BACKENDS = ("local", "ray")
MOST_ARENAS = 16  # in a batch whose size was not given


@dataclass(frozen=True, kw_only=True)
class Work:
    """Episodes that are to be played.

    Attributes:
        agent: Who plays.
        plan: What is played.
        waiting: Numbers of the episodes not begun yet; a backend takes them from the left, and
            others may be appended while it plays.
        arenas: Most arenas side by side in one process.
        keep_snapshots: Whether episodes keep a snapshot of each moment before an action.
        folder: Where the rollout keeps the episodes; None: nowhere.
        watched: Whether the caller wants a report after every step, not only where episodes end.
    """

    agent: Agent
    plan: Plan
    waiting: deque[int]
    arenas: int
    keep_snapshots: bool = False
    folder: Path | None = None
    watched: bool = True


@dataclass(frozen=True)
class BackendReport:
    """What has come of some work since the last report.

    Attributes:
        finished: Episodes that ended, by number.
        steps: Steps played.
        begun: What the episodes under way have behind them, as shares of the step limit, summed.
    """

    finished: Mapping[int, Episode]
    steps: int
    begun: float


class Backend(Protocol):
    """Plays episodes somewhere; each equals the one that any other backend plays."""

    def play(self, work: Work) -> Generator[BackendReport, None, None]:
        """Plays all that waits; it ends when the caller stops iterating.

        Args:
            work: What is played; `waiting` is empty afterwards.

        Yields:
            Reports; every number that waited is in exactly one of them.

        Raises:
            RunStopped: If the agent ends it all; what was finished has been reported.
        """

    def close(self) -> None:
        """Lets go of processes and machines. The code that made the backend calls it."""


@contextlib.contextmanager
def opened(backend: Backend | str | None) -> Iterator[Backend]:
    """Opens a backend by its name and closes it again; one that is open already stays so.

    Args:
        backend: A backend, or "local" or "ray"; None: "local".

    Raises:
        ValueError: If there is no such backend.
        MissingExtraError: If Ray is not installed.
    """
    if backend is not None and not isinstance(backend, str):
        yield backend
        return
    made = make_backend(backend or "local")
    try:
        yield made
    finally:
        made.close()


def make_backend(name: str, *, address: str | None = None, workers: int | None = None) -> Backend:
    """Makes a backend, which the caller must close.

    Args:
        name: "local" or "ray".
        address: Of a Ray cluster that is there already; see `RayBackend`.
        workers: How many of Ray's workers play; see `RayBackend`.

    Raises:
        ValueError: If there is no such backend, or what is said belongs to another.
        MissingExtraError: If Ray is not installed.
    """
    if name == "ray":
        from arena_breaker_gym.rollout.backends.ray_backend import RayBackend

        return RayBackend(address=address, workers=workers)
    if name not in BACKENDS:
        raise ValueError(f"There is no backend {name!r}; {closest(name, BACKENDS)}.")
    if address is not None or workers is not None:
        raise ValueError("An address and a number of workers are for the backend 'ray' only.")
    from arena_breaker_gym.rollout.backends.local import LocalBackend

    return LocalBackend()
