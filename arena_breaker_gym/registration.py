"""Registers `ArenaBreaker-v0` with Gymnasium; imports neither the engine nor the environment."""

from gymnasium.envs.registration import register, registry

from arena_breaker_gym.settings import MAX_EPISODE_STEPS

ENV_ID = "ArenaBreaker-v0"


def register_environments() -> None:
    """Registers the environment once; further calls change nothing."""
    if ENV_ID not in registry:
        register(
            id=ENV_ID,
            entry_point="arena_breaker_gym.env:ArenaBreakerEnv",
            vector_entry_point="arena_breaker_gym.vector_env:ArenaBreakerVectorEnv",
            max_episode_steps=MAX_EPISODE_STEPS,
        )
