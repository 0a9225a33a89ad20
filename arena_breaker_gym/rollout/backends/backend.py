"""`Backend`: what plays a rollout's episodes; it writes nothing, the rollout that asked it does."""

from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from arena_breaker_gym.rollout.agent import Agent
from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.plan import Plan

BACKENDS = ("local", "ray")
MOST_ARENAS = 16  # in a batch that nobody gave a size


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
        watched: Whether somebody wants a report after every step, not only where episodes end.
    """

    agent: Agent
    plan: Plan
    waiting: deque[int]
    arenas: int
    keep_snapshots: bool = False
    folder: Path | None = None
    watched: bool = True


@dataclass(frozen=True)
class Report:
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

    def play(self, work: Work) -> Generator[Report, None, None]:
        """Plays all that waits; whoever stops iterating ends it.

        Args:
            work: What is played; `waiting` is empty afterwards.

        Yields:
            Reports; every number that waited is in exactly one of them.

        Raises:
            RunStopped: If the agent ends it all; what was finished has been reported.
        """

    def close(self) -> None:
        """Lets go of processes and machines. Whoever made the backend calls it."""
