"""`PreprocessedEnv`, `PreprocessedVectorEnv`: wrappers that apply a `PreprocessingConfig`."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from arena_breaker_gym.wrappers.preprocessing import PreprocessingConfig


class PreprocessedEnv(
    gym.Wrapper[Any, Any, Any, NDArray[np.float32]], gym.utils.RecordConstructorArgs
):
    """`gym.make("ArenaBreaker-v0", observation="state")` with preprocessing."""

    def __init__(self, env: gym.Env[Any, Any], preprocessing: PreprocessingConfig) -> None:
        """Wraps an Arena Breaker.

        Raises:
            ValueError: If the preprocessing needs the state and the environment shows pixels.
        """
        gym.utils.RecordConstructorArgs.__init__(self, preprocessing=preprocessing)
        gym.Wrapper.__init__(self, env)
        self.preprocessing = preprocessing
        settings = env.unwrapped.settings  # type: ignore[attr-defined]
        self._preprocessor = preprocessing.made_for(settings)
        self.observation_space = self._preprocessor.observation_space
        self.action_space = self._preprocessor.action_space
        self._shown: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode; see `ArenaBreakerEnv.reset`."""
        shown, info = self.env.reset(seed=seed, options=options)
        return self._see(shown), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Plays what was chosen for one step.

        Raises:
            ValueError: If a choice is out of range; the arena is untouched then.
        """
        sticks = self._preprocessor.act(np.asarray(action)[None], self._shown)[0]
        shown, reward, terminated, truncated, info = self.env.step(sticks)
        return self._see(shown), float(reward), terminated, truncated, info

    def _see(self, shown: Any) -> Any:
        self._shown = _mapped(shown, lambda value: value[None])
        return _mapped(self._preprocessor.observe(self._shown), lambda value: value[0])


class PreprocessedVectorEnv(gym.vector.VectorWrapper):
    """`gym.make_vec("ArenaBreaker-v0", observation="state")` with preprocessing."""

    def __init__(
        self, env: gym.vector.VectorEnv[Any, Any, Any], preprocessing: PreprocessingConfig
    ) -> None:
        """Wraps a batch of Arena Breakers, in any autoreset mode.

        Raises:
            ValueError: If the preprocessing needs the state and the environment shows pixels.
        """
        super().__init__(env)
        self.preprocessing = preprocessing
        settings = env.unwrapped.settings  # type: ignore[attr-defined]
        self._preprocessor = preprocessing.made_for(settings)
        self.single_observation_space = self._preprocessor.observation_space
        self.single_action_space = self._preprocessor.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._shown: Any = None

    def reset(
        self,
        *,
        seed: Any = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Begins episodes; see `ArenaBreakerVectorEnv.reset`."""
        self._shown, info = self.env.reset(seed=seed, options=options)
        return self._preprocessor.observe(self._shown), info

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Plays what was chosen for one step of every arena.

        Raises:
            ValueError: If a choice is out of range; no arena has moved then.
        """
        sticks = self._preprocessor.act(np.asarray(actions), self._shown)
        self._shown, rewards, terminated, truncated, info = self.env.step(sticks)
        if "final_obs" in info:
            info = {**info, "final_obs": self._last(info["final_obs"], info["_final_obs"])}
        return self._preprocessor.observe(self._shown), rewards, terminated, truncated, info

    def _last(self, shown: NDArray[Any], ended: NDArray[np.bool_]) -> NDArray[Any]:
        """The last observations of ended arenas as the learner sees them."""
        seen = np.full(self.num_envs, None, dtype=object)
        for index in np.flatnonzero(ended).tolist():
            one = _mapped(shown[index], lambda value: value[None])
            seen[index] = _mapped(self._preprocessor.observe(one), lambda value: value[0])
        return seen


def _mapped(shown: Any, change: Any) -> Any:
    """Changes an array, or every table of a dict."""
    if isinstance(shown, dict):
        return {name: change(value) for name, value in shown.items()}
    return change(shown)
