"""Which part of a NitroGen is trained: splits by name, and a count that knows its parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Self

from torch import nn

from arena_breaker_gym.deprecated import warn

DEFAULT_SPLIT = "action_head"

_ACTION_HEAD = ("model.", "action_encoder.", "action_decoder.", "position_embedding.")

SPLITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        DEFAULT_SPLIT: _ACTION_HEAD,
        "action_head+attention": (*_ACTION_HEAD, "vl_self_attention_model."),
        "head": ("action_encoder.", "action_decoder."),
        "vision_encoder": ("vision_encoder.",),
        "all": ("",),
    }
)
"""What a split trains, by how the names of its parameters begin. The default is the article's:
the action head learns and the vision encoder stays, 127,290,393 of the real model's 493,631,513
parameters."""

OLD_SPLITS: Mapping[str, str] = MappingProxyType(
    {"acts": DEFAULT_SPLIT, "acts+attention": "action_head+attention"}
)
"""Splits under their old names, which work for one release and stand in stored runs."""


def split_named(name: str) -> str:
    """Return a split's name; an old one is warned of.

    Raises:
        ValueError: if there is no such split.
    """
    if name in OLD_SPLITS:
        warn(f"The split {name!r}", repr(OLD_SPLITS[name]))
        return OLD_SPLITS[name]
    if name not in SPLITS:
        raise ValueError(f"There is no split {name!r}; known are {', '.join(SPLITS)}.")
    return name


def in_split(name: str, split: str) -> bool:
    """Whether a parameter of this name is trained under a split.

    Raises:
        ValueError: if there is no such split.
    """
    return name.startswith(SPLITS[split_named(split)])


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
