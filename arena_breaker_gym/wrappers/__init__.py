"""What fits the environment to learners and to other libraries."""

from arena_breaker_gym.deprecated import old_names
from arena_breaker_gym.wrappers.actions import ActionNoise, ActionNoiseVectorEnv
from arena_breaker_gym.wrappers.preprocessing import (
    FlattenTables,
    PreprocessedEnv,
    PreprocessedVectorEnv,
    PreprocessingConfig,
)

__all__ = [
    "ActionNoise",
    "ActionNoiseVectorEnv",
    "FlattenTables",
    "PreprocessedEnv",
    "PreprocessedVectorEnv",
    "PreprocessingConfig",
]

__getattr__ = old_names(
    __name__,
    {
        "Kit": f"{__name__}.PreprocessingConfig",
        "KitEnv": f"{__name__}.PreprocessedEnv",
        "KitVectorEnv": f"{__name__}.PreprocessedVectorEnv",
    },
)
