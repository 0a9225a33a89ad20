"""What fits the environment to learners and to other libraries."""

from arena_breaker_gym.wrappers.action_noise import ActionNoise, ActionNoiseVectorEnv
from arena_breaker_gym.wrappers.flatten_tables import FlattenTables
from arena_breaker_gym.wrappers.kit import Kit
from arena_breaker_gym.wrappers.kit_env import KitEnv, KitVectorEnv

__all__ = ["ActionNoise", "ActionNoiseVectorEnv", "FlattenTables", "Kit", "KitEnv", "KitVectorEnv"]
