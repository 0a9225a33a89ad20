"""`FlattenTables`: the tables of the state as vectors, as some libraries like them."""

from copy import deepcopy
from typing import Any

import gymnasium as gym
from gymnasium import spaces
from numpy.typing import NDArray


class FlattenTables(
    gym.ObservationWrapper[dict[str, NDArray[Any]], Any, dict[str, NDArray[Any]]],
    gym.utils.RecordConstructorArgs,
):
    """Lays the two-dimensional tables of the state observation out in one row each.

    Stable-Baselines3 takes the tables as they are, but its `check_env` recommends vectors;
    with this wrapper it has nothing to remark.

    Raises:
        ValueError: If the observation is not a `Dict` (observation="pixels").
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        """Wraps an environment with observation "both" or "state"."""
        gym.utils.RecordConstructorArgs.__init__(self)
        gym.ObservationWrapper.__init__(self, env)
        if not isinstance(env.observation_space, spaces.Dict):
            raise ValueError('FlattenTables needs observation="both" or "state".')
        self.observation_space: spaces.Space[Any] = spaces.Dict(
            {name: _flat(space) for name, space in env.observation_space.items()}
        )

    def observation(self, observation: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The same numbers; a table (rows, columns) becomes (rows · columns,)."""
        return {
            name: value.reshape(-1) if value.ndim == 2 else value
            for name, value in observation.items()
        }


def _flat(space: spaces.Space[Any]) -> spaces.Space[Any]:
    if not isinstance(space, spaces.Box) or len(space.shape) != 2:
        return deepcopy(space)
    return spaces.Box(space.low.reshape(-1), space.high.reshape(-1), dtype=space.dtype.type)
