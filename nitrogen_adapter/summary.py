"""What is in a model, for people and scripts: sizes, parameters by part, what is trained."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.splits import SPLITS

PARTS: Mapping[str, str] = MappingProxyType(
    {
        "vision_encoder": "vision tower",
        "vl_self_attention_model": "VL self-attention",
        "model": "action transformer",
        "action_encoder": "action encoder",
        "action_decoder": "action decoder",
        "position_embedding": "action positions",
        "game_embedding": "games",
    }
)
"""The parts of a model: how the names of their parameters begin, and what people call them."""


def summary(model: NitroGen) -> dict[str, Any]:
    """Return what is in a model, as plain JSON values.

    Args:
        model: any.

    Returns:
        `config` (the public form), `parameters` (`total`, `by_part` and `trained`, by split).
    """
    by_part = {
        words: sum(p.numel() for p in getattr(model, name).parameters())
        for name, words in PARTS.items()
        if hasattr(model, name)
    }
    return {
        "config": model.config.to_dict(),
        "parameters": {
            "total": model.num_parameters(),
            "by_part": by_part,
            "trained": {split: int(model.trainable_parameters(split)) for split in SPLITS},
        },
    }
