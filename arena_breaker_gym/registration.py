"""Registers `ArenaBreaker-v0` with Gymnasium; imports neither the engine nor the environment."""

from gymnasium.envs.registration import register, registry

ENV_ID = "ArenaBreaker-v0"
MAX_EPISODE_STEPS = 3600  # 120 s at 30 decisions a second


def register_environments() -> None:
    """Registers the environment once; further calls change nothing."""
    if ENV_ID not in registry:
        register(
            id=ENV_ID,
            entry_point="arena_breaker_gym.env:ArenaBreakerEnv",
            vector_entry_point="arena_breaker_gym.vector_env:ArenaBreakerVectorEnv",
            max_episode_steps=MAX_EPISODE_STEPS,
        )
