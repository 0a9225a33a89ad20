"""Which part of a NitroGen is trained: splits by name, and a count that knows its parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Self

from torch import nn

DEFAULT_SPLIT = "acts"

_ACTS = ("model.", "action_encoder.", "action_decoder.", "position_embedding.")

SPLITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        DEFAULT_SPLIT: _ACTS,
        "acts+attention": (*_ACTS, "vl_self_attention_model."),
        "head": ("action_encoder.", "action_decoder."),
        "all": ("",),
    }
)
"""What a split trains, by how the names of its parameters begin. The default is the article's:
what acts learns and what sees stays, 127,290,393 of the real model's 493,631,513 parameters."""


def in_split(name: str, split: str) -> bool:
    """Whether a parameter of this name is trained under a split.

    Raises:
        ValueError: if there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}; known are {', '.join(SPLITS)}.")
    return name.startswith(SPLITS[split])


class ParameterCount(int):
    """How many numbers some parameters hold; iterating over it gives the parameters themselves.

    So `f"{count:,}"` reads as a count, and `AdamW(count)` trains what was counted.
    """

    _parameters: tuple[nn.Parameter, ...]

    def __new__(cls, parameters: Iterable[nn.Parameter]) -> Self:
        """Count the numbers in some parameters."""
        kept = tuple(parameters)
        count = super().__new__(cls, sum(one.numel() for one in kept))
        count._parameters = kept
        return count

    def __iter__(self) -> Iterator[nn.Parameter]:
        """Walk through the parameters that were counted."""
        return iter(self._parameters)
