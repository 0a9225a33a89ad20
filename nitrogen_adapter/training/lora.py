"""Low-rank adapters (LoRA) beside the linears of the action transformer, through peft.

The base stays as it is and only the adapters learn: less to train, to keep and to forget. In the
end they are merged into the weights, which gives an ordinary checkpoint, or written to a folder
of their own in peft's form.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from arena_breaker_gym._runtime.extras import require
from nitrogen_adapter.model import NitroGen

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
"""What attentions are made of."""

MLP = ("ff.net.0.proj", "ff.net.2")
"""What MLPs are made of."""

STRENGTH = 2
"""What an adapter says counts this many times: peft's alpha over the rank. Our own choice."""


class Adapters:
    """The adapters of one model, which is changed in place."""

    def __init__(self, model: NitroGen, wrapped: Any) -> None:
        """Note what peft made of the action transformer; see `add_adapters`."""
        self.model = model
        self._wrapped = wrapped

    def count(self) -> int:
        """Count the numbers that learn."""
        return sum(p.numel() for name, p in self.model.named_parameters() if "lora_" in name)

    def save(self, folder: str | Path) -> None:
        """Write the adapters alone, in peft's form; `merge_adapters` reads them."""
        self._wrapped.save_pretrained(str(folder))

    def merge(self) -> NitroGen:
        """Add what the adapters learned to the weights beside them, and take them out."""
        self._wrapped.merge_and_unload()
        return self.model


def add_adapters(model: NitroGen, *, rank: int, mlp: bool = False, seed: int = 0) -> Adapters:
    """Freeze a model and give its action transformer adapters that learn.

    Args:
        model: the base; it says the same as before until an adapter has learned.
        rank: of the adapters, at least 1.
        mlp: whether MLPs get adapters besides attentions.
        seed: of their first weights.

    Raises:
        ValueError: if the rank is below 1.
        MissingExtraError: if peft is not installed.
    """
    if rank < 1:
        raise ValueError(f"The rank of adapters is {rank}; expected at least 1.")
    peft = require("peft", "nitrogen")
    model.requires_grad_(False)
    config = peft.LoraConfig(
        r=rank,
        lora_alpha=STRENGTH * rank,
        target_modules=[*ATTENTION, *(MLP if mlp else ())],
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Adapters(model, peft.get_peft_model(model.model, config))


def merge_adapters(model: NitroGen, folder: str | Path) -> NitroGen:
    """Read adapters that `Adapters.save` wrote and merge them into their base, in place.

    Raises:
        ValueError: if the folder holds none, or they fit another model.
        MissingExtraError: if peft is not installed.
    """
    peft = require("peft", "nitrogen")
    if not (Path(folder) / "adapter_config.json").is_file():
        raise ValueError(f"{folder} holds no adapters: adapter_config.json is missing.")
    try:
        wrapped = peft.PeftModel.from_pretrained(model.model, str(folder))
    except (RuntimeError, KeyError) as error:
        raise ValueError(f"The adapters in {folder} do not fit this model.") from error
    return Adapters(model, wrapped).merge()
