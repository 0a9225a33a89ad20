"""`Parcel`: an agent as it is sent to workers: its recipe, pickled once, arrays beside it."""

import pickle
import uuid
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.extras import require
from arena_breaker_gym.rollout.agent import Agent
from arena_breaker_gym.rollout.backends.messages import first_line
from arena_breaker_gym.rollout.travel import Ask, Recipe, Travels


@dataclass(frozen=True)
class Parcel:
    """What a worker needs to make an agent.

    Attributes:
        key: Unique to the parcel.
        recipe: The recipe, pickled.
        freight: The recipe's arrays, which workers of one machine share without a copy.
        gpu: Whether the agent wants a share of a GPU.
    """

    key: str
    recipe: bytes
    freight: tuple[NDArray[np.uint8], ...]
    gpu: bool

    @classmethod
    def packed(cls, agent: Agent) -> Self:
        """Packs an agent.

        Raises:
            ValueError: If it can be neither copied nor made elsewhere.
        """
        freight: list[pickle.PickleBuffer] = []
        recipe = agent.recipe() if isinstance(agent, Travels) else _Copy(agent)
        # A copy's arrays are its own to write to, so they stay in the pickle.
        aside = freight.append if isinstance(agent, Travels) else None
        try:
            pickled = _cloudpickle().dumps(recipe, protocol=5, buffer_callback=aside)
        except Exception as error:  # pickling fails in as many ways as there are objects
            raise ValueError(
                f"Agent {agent.name!r} cannot be sent to other processes ({first_line(error)}): "
                "give it a method `recipe`, as `arena_breaker_gym.rollout.travel` says."
            ) from error
        arrays = tuple(np.frombuffer(one.raw(), dtype=np.uint8) for one in freight)
        return cls(uuid.uuid4().hex, pickled, arrays, bool(getattr(recipe, "gpu", False)))

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return len(self.recipe) + sum(array.nbytes for array in self.freight)

    def unpacked(self) -> Recipe:
        """The recipe."""
        recipe: Recipe = pickle.loads(self.recipe, buffers=self.freight)
        return recipe


@dataclass(frozen=True)
class _Copy:
    """Makes an agent that needs nothing said: a copy."""

    agent: Agent

    def __call__(self, ask: Ask) -> Agent:
        return self.agent


def _cloudpickle() -> Any:
    return require("ray", "ray").cloudpickle
