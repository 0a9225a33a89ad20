"""The old place of `RayBackend`, for one release."""

from arena_breaker_gym.deprecated import old_names

__getattr__ = old_names(
    __name__, {"RayEngine": "arena_breaker_gym.rollout.backends.ray_backend.RayBackend"}
)
