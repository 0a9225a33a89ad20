"""Stable-Baselines3 over the native batch: `make_vec_env`, and `save_policy` for what it trains."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym.deprecated import old_keyword
from arena_breaker_gym.settings import MAX_EPISODE_STEPS
from arena_breaker_gym.wrappers.actions import ActionNoise, ActionNoiseVectorEnv
from arena_breaker_gym.wrappers.preprocessing import PreprocessingConfig

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

    from arena_breaker_gym.sb3.vec_env import ArenaBreakerVecEnv

__all__ = ["make_vec_env", "save_policy"]


def make_vec_env(
    num_envs: int,
    *,
    seed: int | None = None,
    preprocessing: PreprocessingConfig | None = None,
    action_noise: ActionNoise | None = None,
    max_episode_steps: int = MAX_EPISODE_STEPS,
    monitor: bool = True,
    info_keywords: Sequence[str] = (),
    num_threads: int | None = None,
    render_mode: str | None = None,
    render_size: int | None = None,
    **settings: Any,
) -> "ArenaBreakerVecEnv":
    """Arenas for Stable-Baselines3, stepped together in one call of compiled code.

    Args:
        num_envs: How many arenas.
        seed: Arena i is seeded seed + i, as if by `VecEnv.seed`; None: any.
        preprocessing: What stands between policy and game; None: the game's own tables or pixels
            and five numbers.
        action_noise: How actions slip on their way to the game; None: not at all.
        max_episode_steps: Steps after which an episode is truncated; 0 or less: never.
        monitor: Whether infos of ended arenas hold `episode`: return r, length l, seconds t.
        info_keywords: What else of the game's info `episode` holds, such as "kills".
        num_threads: How many threads step the arenas; None: one a core. It changes no result.
        render_mode: None or "rgb_array".
        render_size: Side of an arena's picture.
        **settings: Those of `arena_breaker_gym.settings.Settings`.

    Raises:
        MissingExtraError: If Stable-Baselines3 is not installed.
        ValueError: If an argument is unknown or its value bad.
    """
    require("stable_baselines3", "rl")
    preprocessing = old_keyword(settings, "kit", "preprocessing", preprocessing)
    from arena_breaker_gym.sb3.vec_env import ArenaBreakerVecEnv
    from arena_breaker_gym.vector_env import ArenaBreakerVectorEnv
    from arena_breaker_gym.wrappers.preprocessing import PreprocessedVectorEnv

    drawing = {} if render_size is None else {"render_size": render_size}
    computes_anew = preprocessing is not None and (preprocessing.senses or preprocessing.shrink > 1)
    envs: Any = ArenaBreakerVectorEnv(
        num_envs=num_envs,
        max_episode_steps=max_episode_steps,
        autoreset_mode="SameStep",
        # Stable-Baselines3 still reads an observation when the next one is there.
        copy=not computes_anew,
        num_threads=num_threads,
        render_mode=render_mode,
        **drawing,
        **settings,
    )
    if action_noise is not None:
        envs = ActionNoiseVectorEnv(envs, action_noise)
    if preprocessing is not None:
        envs = PreprocessedVectorEnv(envs, preprocessing)
    made = ArenaBreakerVecEnv(envs, monitor=monitor, info_keywords=info_keywords)
    if seed is not None:
        made.seed(seed)
    return made


def save_policy(model: "BaseAlgorithm", path: str | Path) -> None:
    """Writes the policy of a PPO or A2C as a file that `sb3:FILE` plays; nothing in it is pickled.

    Args:
        model: Trained in a `VecEnv` of `make_vec_env`, perhaps wrapped in VecFrameStack or
            VecNormalize.
        path: The file, whole or not at all; one that exists is replaced.

    Raises:
        PolicyFileError: If the model's parts are not those that a file can name.
        MissingExtraError: If a library is not installed.
    """
    require("safetensors", "rl")
    import_module("arena_breaker_gym.sb3.policy_file").save_policy(model, path)
