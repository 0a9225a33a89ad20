"""NitroGen, the vision-to-gamepad model: read, run, trained and served by code of our own.

`from nitrogen_adapter import NitroGen` is where to begin; `docs/nitrogen.md` shows the rest.
"""

from typing import TYPE_CHECKING, Any

import arena_breaker_gym  # noqa: F401  (finds modules by the names that they had before)

if TYPE_CHECKING:
    from nitrogen_adapter.checkpoint import CheckpointError
    from nitrogen_adapter.model import NitroGen

__all__ = ["CheckpointError", "NitroGen"]


def __getattr__(name: str) -> Any:
    """Imports torch only once a model is asked for: the gamepad's table needs none."""
    if name == "NitroGen":
        from nitrogen_adapter.model import NitroGen

        return NitroGen
    if name == "CheckpointError":
        from nitrogen_adapter.checkpoint import CheckpointError

        return CheckpointError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
