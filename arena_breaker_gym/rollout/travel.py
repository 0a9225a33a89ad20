"""`Travels` and `Presides`: agents that also play in other processes, on other machines.

Any agent that can be pickled is copied to where it plays, as it was before it played. These are
for agents that hold a model, a connection or an account.
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from arena_breaker_gym.rollout.agent import Agent

# Puts a question to the agent that stayed behind, and waits for its answer or its exception.
Ask = Callable[[Any], Any]

# Makes the agent where it is to play. An attribute `gpu` that is true asks for a share of a GPU.
Recipe = Callable[[Ask], Agent]


@runtime_checkable
class Travels(Protocol):
    """An agent that says how it is made elsewhere."""

    def recipe(self) -> Recipe:
        """How to make one that plays the same; called before the agent is prepared for a run.

        It is pickled once, however many workers there are. NumPy arrays in it lie in memory that
        all workers of a machine share, and cannot be written to.

        Raises:
            ValueError: If it can play here only.
        """


@runtime_checkable
class Presides(Protocol):
    """An agent whose copies elsewhere, its deputies, keep one account, which stays with it.

    It is prepared for the run as if it played itself.
    """

    def hear(self, deputy: int, question: Any) -> Any:
        """Answers a deputy at once; whatever this raises is raised where the deputy asked.

        Args:
            deputy: Which one asks.
            question: What it gave to its `Ask`.
        """

    def bury(self, deputy: int) -> None:
        """A deputy is gone without a word; what it had under way will never be told."""
