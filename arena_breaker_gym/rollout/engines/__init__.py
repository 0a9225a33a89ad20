"""The old place of `arena_breaker_gym.rollout.backends`, for one release."""
