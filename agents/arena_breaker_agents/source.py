"""`Source`: what a command line says of a NitroGen: where it is, and how it is to play."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import torch

from arena_breaker_agents.options import flag, split_options
from arena_breaker_gym.deprecated import warn

REMOTE = "tcp://"

DTYPES = ("float32", "bfloat16", "float16")


def _dtype(text: str) -> torch.dtype:
    if text not in DTYPES:
        raise ValueError(f"expected one of {', '.join(DTYPES)}")
    found: torch.dtype = getattr(torch, text)
    return found


# What may stand after the question mark; a server has its own idea of all but the first.
OPTIONS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "n_action_steps": int,
        "steps": int,
        "guidance": float,
        "quiet": flag,
        "game": str,
        "device": str,
        "dtype": _dtype,
        "compile": flag,
    }
)

# What an option was called once.
OLD_NAMES: Mapping[str, str] = MappingProxyType({"execute": "n_action_steps"})


@dataclass(frozen=True)
class Source:
    """A checkpoint file or a server, with options.

    Attributes:
        place: The file, or "tcp://host:port".
        options: By name, those of `NitroGenPolicy` and `LocalPredictor` that were given.
        said: The options as they were written, for the player's name.
    """

    place: str
    options: Mapping[str, Any]
    said: str

    @property
    def remote(self) -> bool:
        """Whether a server predicts."""
        return self.place.startswith(REMOTE)

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Reads "ng.pt", "tcp://host:5555" or "ng.pt?n_action_steps=12&dtype=bfloat16".

        Raises:
            ValueError: If an option is unknown, or its value is none for it.
        """
        remote = text.startswith(REMOTE)
        names = [*list(OPTIONS)[: 1 if remote else None], *OLD_NAMES]
        readers = {name: OPTIONS[OLD_NAMES.get(name, name)] for name in names}
        place, options, said = split_options(text, readers)
        for old in OLD_NAMES.keys() & options.keys():
            warn(f"{old}=", f"{OLD_NAMES[old]}=")
            options[OLD_NAMES[old]] = options.pop(old)
        return cls(place, options, said)
