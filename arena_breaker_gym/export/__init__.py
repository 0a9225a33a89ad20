"""Export: stored episodes as data sets that other libraries read."""

from arena_breaker_gym.export.lerobot import export_lerobot
from arena_breaker_gym.export.minari import export_minari
from arena_breaker_gym.export.source import ExportError

__all__ = ["ExportError", "export_lerobot", "export_minari"]
