"""`RemoteAgent` and `Coordinator`: agents that also play in other processes, on other machines.

Any agent that can be pickled is copied to where it plays, as it was before it played. These are
for agents that hold a model, a connection or an account.
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from arena_breaker_gym.rollout.agent import Agent

# Sends a request to the agent in the driver's process, and waits for its answer or exception.
SendRequest = Callable[[Any], Any]

# Makes the agent where it is to play. An attribute `gpu` that is true asks for a share of a GPU.
AgentFactory = Callable[[SendRequest], Agent]


@runtime_checkable
class RemoteAgent(Protocol):
    """An agent that says how it is made elsewhere."""

    def agent_factory(self) -> AgentFactory:
        """How to make one that plays the same; called before the agent is prepared for a run.

        It is pickled once, however many workers there are. NumPy arrays in it lie in memory that
        all workers of a machine share, and cannot be written to.

        Raises:
            ValueError: If it can play here only.
        """


@runtime_checkable
class Coordinator(Protocol):
    """An agent that keeps one account for its copies in other processes.

    It is prepared for the run as if it played itself.
    """

    def handle_request(self, worker: int, request: Any) -> Any:
        """Answers a copy at once; what this raises is raised in the copy's process.

        Args:
            worker: Number of the worker that the copy plays in.
            request: What it gave to its `SendRequest`.
        """

    def on_worker_lost(self, worker: int) -> None:
        """A worker has died; what its copy had under way will never be reported."""
