"""`AgentSpec`: an agent as it is sent to workers: its factory, pickled once, arrays beside it."""

import pickle
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym.deprecated import warn
from arena_breaker_gym.rollout.agent import Agent
from arena_breaker_gym.rollout.backends.messages import first_line
from arena_breaker_gym.rollout.remote_agent import AgentFactory, RemoteAgent, SendRequest


@dataclass(frozen=True)
class AgentSpec:
    """What a worker needs to make an agent.

    Attributes:
        key: Unique to it.
        factory: The factory, pickled.
        buffers: The factory's arrays, which workers of one machine share without a copy.
        gpu: Whether the agent wants a share of a GPU.
    """

    key: str
    factory: bytes
    buffers: tuple[NDArray[np.uint8], ...]
    gpu: bool

    @classmethod
    def packed(cls, agent: Agent) -> Self:
        """Packs an agent.

        Raises:
            ValueError: If it can be neither copied nor made elsewhere.
        """
        buffers: list[pickle.PickleBuffer] = []
        remote = _own_factory(agent)
        factory = remote or _Copy(agent)
        # A copy's arrays are its own to write to, so they stay in the pickle.
        aside = buffers.append if remote else None
        try:
            pickled = _cloudpickle().dumps(factory, protocol=5, buffer_callback=aside)
        except Exception as error:  # pickling fails in as many ways as there are objects
            raise ValueError(
                f"Agent {agent.name!r} cannot be sent to other processes ({first_line(error)}): "
                "give it a method `agent_factory`; see `arena_breaker_gym.rollout.remote_agent`."
            ) from error
        arrays = tuple(np.frombuffer(one.raw(), dtype=np.uint8) for one in buffers)
        return cls(uuid.uuid4().hex, pickled, arrays, bool(getattr(factory, "gpu", False)))

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return len(self.factory) + sum(array.nbytes for array in self.buffers)

    def unpacked(self) -> AgentFactory:
        """The factory."""
        factory: AgentFactory = pickle.loads(self.factory, buffers=self.buffers)
        return factory


@dataclass(frozen=True)
class _Copy:
    """Makes an agent that needs nothing said: a copy."""

    agent: Agent

    def __call__(self, ask: SendRequest) -> Agent:
        return self.agent


def _own_factory(agent: Agent) -> AgentFactory | None:
    """What the agent says of how it is made elsewhere, if it does; `recipe` is an old name."""
    if isinstance(agent, RemoteAgent):
        return agent.agent_factory()
    old: Callable[[], AgentFactory] | None = getattr(agent, "recipe", None)
    if not callable(old):
        return None
    warn(f"{type(agent).__name__}.recipe()", "agent_factory()")
    return old()


def _cloudpickle() -> Any:
    return require("ray", "ray").cloudpickle
