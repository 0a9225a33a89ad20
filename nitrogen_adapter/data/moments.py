"""The old place of `windows`, for one release."""

from arena_breaker_gym.deprecated import old_names

_NEW = "nitrogen_adapter.data.windows"

__getattr__ = old_names(__name__, {"ChunkSettings": f"{_NEW}.ChunkSettings"})
