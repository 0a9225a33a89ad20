"""`ArenaBreakerVecEnv`: Stable-Baselines3's `VecEnv` over one native batch of arenas."""

import copy
import time
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices

from arena_breaker_gym.batch.arenas import INFO, Arenas
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.wrappers.preprocessing import PreprocessingConfig


class ArenaBreakerVecEnv(VecEnv):
    """A Gymnasium batch in mode SAME_STEP with Stable-Baselines3's conventions.

    An arena that ends is begun again in the same step; its `info` then holds
    `terminal_observation`, `TimeLimit.truncated`, what the game says (score, kills, …) and, as
    `Monitor` has it, `episode`. Every other info is one shared empty dict: arenas that play on
    cost nothing.
    """

    def __init__(
        self,
        envs: gym.vector.VectorEnv[Any, Any, Any],
        *,
        monitor: bool = True,
        info_keywords: Sequence[str] = (),
    ) -> None:
        """Takes over a batch.

        Args:
            envs: `ArenaBreakerVectorEnv`, wrapped or not, in autoreset mode SAME_STEP.
            monitor: Whether infos of ended arenas hold `episode`: return r, length l, seconds t.
            info_keywords: What else of the game's info `episode` holds, such as "kills".
        """
        self._envs: Any = envs
        self._monitored = monitor
        self._keywords = tuple(info_keywords)
        for word in self._keywords:
            if word not in INFO:
                raise ValueError(f"The game's info has no {word!r}, only {', '.join(INFO)}.")
        self._actions: NDArray[Any] | None = None
        self._returns = np.zeros(envs.num_envs)
        self._lengths = np.zeros(envs.num_envs, dtype=np.int64)
        self._began = time.time()
        # Stable-Baselines3's wrappers change spaces in place: these are this object's own.
        spaces = copy.deepcopy((envs.single_observation_space, envs.single_action_space))
        super().__init__(envs.num_envs, *spaces)

    @property
    def arenas(self) -> Arenas:
        """The arenas themselves."""
        arenas: Arenas = self._envs.unwrapped.arenas
        return arenas

    @property
    def settings(self) -> Settings:
        """The settings of the game."""
        return self.arenas.settings

    @property
    def preprocessing(self) -> PreprocessingConfig:
        """Through what the game is seen and played."""
        none = PreprocessingConfig()
        found: PreprocessingConfig = getattr(self._envs, "preprocessing", none)
        return found

    def reset(self) -> Any:
        """Begins an episode in every arena, with the seeds and options given beforehand."""
        observations: Any = None
        for options, mask in self._wishes():
            observations, info = self._envs.reset(
                seed=self._seeds, options={**options, "reset_mask": mask}
            )
            for index in np.flatnonzero(mask).tolist():
                self.reset_infos[index] = _one(info, index)
        self._returns[:] = 0.0
        self._lengths[:] = 0
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Takes the actions (n, ...) of the step to come."""
        self._actions = actions

    def step_wait(
        self,
    ) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Moves every arena on by one step."""
        observations, rewards, terminated, truncated, info = self._envs.step(self._actions)
        self._returns += rewards
        self._lengths += 1
        dones = terminated | truncated
        infos: list[dict[str, Any]] = [{}] * self.num_envs
        for index in np.flatnonzero(dones).tolist():
            infos[index] = self._ending(info, index, bool(truncated[index]))
            self.reset_infos[index] = _one(info, index)
        return observations, rewards.astype(np.float32), dones, infos

    def close(self) -> None:
        """Lets go of the batch."""
        self._envs.close()

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """A picture of each arena, if made with render_mode="rgb_array"."""
        pictures: Any = self._envs.render()
        return [None] * self.num_envs if pictures is None else list(pictures)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of the batch, once for each arena asked for: arenas share what they have.

        Raises:
            AttributeError: If it has no such attribute.
        """
        owner = self._owner(attr_name)
        return [getattr(owner, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: object, indices: VecEnvIndices = None) -> None:
        """Sets an attribute of the batch.

        Raises:
            ValueError: If only some arenas are to have it.
        """
        if len(list(self._get_indices(indices))) != self.num_envs:
            raise ValueError(f"All arenas share {attr_name!r}: set it for all of them or for none.")
        setattr(self._envs.unwrapped, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: object,
        indices: VecEnvIndices = None,
        **method_kwargs: object,
    ) -> list[Any]:
        """Calls "snapshot", "save_state", "restore_state" or "render" for some arenas.

        Raises:
            AttributeError: If there is no such method for one arena.
        """
        if method_name not in _METHODS:
            raise AttributeError(
                f"An arena of the batch has no method {method_name!r}, only {', '.join(_METHODS)}."
            )
        method = getattr(self, f"_{method_name}")
        return [method(i, *method_args, **method_kwargs) for i in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Whether arenas do what a wrapper does: `Monitor`, if the batch keeps their returns."""
        wrapped = self._monitored and issubclass(Monitor, wrapper_class)
        return [wrapped for _ in self._get_indices(indices)]

    def _owner(self, attr_name: str) -> Any:
        """Who has an attribute: the outermost wrapper, or what it wraps, or the batch itself."""
        env = self._envs
        while not hasattr(env, attr_name) and isinstance(env, gym.vector.VectorWrapper):
            env = env.env
        return env

    def _wishes(self) -> list[tuple[dict[str, Any], NDArray[np.bool_]]]:
        """Each distinct set of options with the arenas that want it."""
        wishes: list[tuple[dict[str, Any], NDArray[np.bool_]]] = []
        for index, options in enumerate(self._options):
            mask = next((mask for known, mask in wishes if known == options), None)
            if mask is None:
                mask = np.zeros(self.num_envs, dtype=np.bool_)
                wishes.append((options, mask))
            mask[index] = True
        return wishes

    def _ending(self, info: dict[str, Any], index: int, truncated: bool) -> dict[str, Any]:
        """The info of an arena that has ended."""
        ending = _one(info["final_info"], index)
        ending["terminal_observation"] = info["final_obs"][index]
        ending["TimeLimit.truncated"] = truncated
        if self._monitored:
            ending["episode"] = {
                "r": round(float(self._returns[index]), 6),
                "l": int(self._lengths[index]),
                "t": round(time.time() - self._began, 6),
                **{word: ending[word] for word in self._keywords},
            }
        self._returns[index] = 0.0
        self._lengths[index] = 0
        return ending

    def _snapshot(self, index: int) -> dict[str, Any]:
        return self.arenas.snapshot(index)

    def _save_state(self, index: int) -> bytes:
        return self.arenas.save(index)

    def _restore_state(self, index: int, state: bytes) -> None:
        self.arenas.restore(index, state)

    def _render(self, index: int) -> NDArray[np.uint8] | None:
        return self.get_images()[index]


_METHODS = ("snapshot", "save_state", "restore_state", "render")


def _one(info: dict[str, Any], index: int) -> dict[str, Any]:
    """One arena's part of a vector info, as a single environment has it."""
    part: dict[str, Any] = {}
    for name, column in info.items():
        if name.startswith(("_", "final_")):
            continue
        part[name] = _one(column, index) if isinstance(column, dict) else column[index].item()
    return part
