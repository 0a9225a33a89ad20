"""Plays arenas with seeded random actions and hashes all that comes out, for determinism tests."""

import hashlib
from typing import Any

import gymnasium as gym
import numpy as np

PIXELS_EVERY = 10  # steps; hashing each frame would take longer than playing


def actions_of(seed: int, steps: int) -> np.ndarray:
    """(steps, 5) uniform actions, the same for the same seed."""
    actions = np.random.default_rng(seed).uniform(-1.0, 1.0, (steps, 5))
    return actions.astype(np.float32)


class Digest:
    """A running hash of what an environment gives back."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, observation: dict[str, Any], numbers: list[float], state: bytes) -> None:
        for name in sorted(observation):
            if name != "pixels":
                self._hash.update(np.ascontiguousarray(observation[name]).tobytes())
        self._hash.update(np.array(numbers, dtype=np.float64).tobytes())
        self._hash.update(state)

    def add_pixels(self, pixels: np.ndarray) -> None:
        self._hash.update(np.ascontiguousarray(pixels).tobytes())

    def hex(self) -> str:
        return self._hash.hexdigest()


def trajectory(
    env: gym.Env[Any, Any],
    seed: int,
    steps: int,
    *,
    render: bool = False,
    detour: bool = False,
    states: bool = True,
) -> str:
    """Digest of `steps` steps from `reset(seed=seed)`, through resets.

    With `detour`, the state is saved every 100 steps, play strays from the path for 20 steps,
    and the state is restored. `states` hashes the saved state of every step as well.
    """
    digest = Digest()
    observation, info = env.reset(seed=seed)
    for step, action in enumerate(actions_of(seed, steps)):
        if detour and step % 100 == 50:
            _stray(env)
        observation, reward, terminated, truncated, info = env.step(action)
        if render:
            env.render()
        numbers = [reward, terminated, truncated, *_numbers(info)]
        digest.add(observation, numbers, env.unwrapped.save_state() if states else b"")
        if "pixels" in observation and step % PIXELS_EVERY == 0:
            digest.add_pixels(observation["pixels"])
        if terminated or truncated:
            observation, info = env.reset()
            digest.add(observation, _numbers(info), b"")
    return digest.hex()


def _stray(env: gym.Env[Any, Any]) -> None:
    arena = env.unwrapped
    state = arena.save_state()
    for action in actions_of(999, 20):
        arena.step(action)
    arena.restore_state(state)


def _numbers(info: dict[str, Any]) -> list[float]:
    return [float(value) for value in info.values()]


def batch_trajectories(
    env: gym.vector.VectorEnv[Any, Any, Any], seed: int, steps: int
) -> list[str]:
    """What `trajectory` gives for seeds seed, seed + 1, …, from one batch.

    In mode NEXT_STEP the call that resets an arena uses none of its actions.
    """
    count = env.num_envs
    digests = [Digest() for _ in range(count)]
    actions = np.stack([actions_of(seed + index, steps) for index in range(count)])
    next_step = env.metadata["autoreset_mode"] is gym.vector.AutoresetMode.NEXT_STEP
    played, resetting = np.zeros(count, dtype=int), np.zeros(count, dtype=bool)
    env.reset(seed=seed)
    while (played < steps).any() or resetting.any():
        given = actions[np.arange(count), np.minimum(played, steps - 1)]
        observation, rewards, terminated, truncated, info = env.step(given)
        ended = terminated | truncated
        last_info = info.get("final_info", info)
        for index, digest in enumerate(digests):
            row = {name: table[index] for name, table in observation.items()}
            if resetting[index]:
                digest.add(row, _row_numbers(info, index), b"")
            elif played[index] < steps:
                same_step = ended[index] and not next_step
                last = info["final_obs"][index] if same_step else row
                outcome = [rewards[index], terminated[index], truncated[index]]
                source = last_info if same_step else info
                digest.add(last, outcome + _row_numbers(source, index), b"")
                if "pixels" in last and played[index] % PIXELS_EVERY == 0:
                    digest.add_pixels(last["pixels"])
                if same_step:
                    digest.add(row, _row_numbers(info, index), b"")
        at_work = ~resetting & (played < steps)
        played += at_work
        resetting = ended & at_work if next_step else resetting
    return [digest.hex() for digest in digests]


def _row_numbers(info: dict[str, Any], index: int) -> list[float]:
    names = [key for key in info if not key.startswith("_") and not key.startswith("final")]
    return [float(info[key][index]) for key in names]
