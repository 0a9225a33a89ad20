"""`Paid`: an agent that costs money: it takes a limit and keeps a bill."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable


class Bill(Protocol):
    """What a run has cost."""

    def to_dict(self) -> Mapping[str, Any]:
        """Plain JSON values."""

    def sentence(self) -> str:
        """The same for people."""


@runtime_checkable
class Paid(Protocol):
    """An agent that costs money."""

    def limit(self, dollars: float | None) -> None:
        """Set what a run may cost in all, earlier parts of it included.

        Raises:
            ValueError: If it is below 0.
        """

    @property
    def dollars(self) -> float:
        """What the run has cost so far."""

    @property
    def bill(self) -> Bill:
        """The same in detail."""

    @property
    def bills(self) -> Mapping[int, Bill]:
        """The same for each episode, by its seed."""


def limited(agent: object, dollars: float | None, *, name: str) -> None:
    """Sets a limit, if one was given.

    Args:
        agent: Any agent.
        dollars: The limit; None changes nothing.
        name: What the agent was called by.

    Raises:
        ValueError: If there is a limit and the agent costs nothing.
    """
    if dollars is None:
        return
    if not isinstance(agent, Paid):
        raise ValueError(f"Agent {name!r} costs nothing, so it takes no budget.")
    agent.limit(dollars)
