"""`split_options`: what a command line says of an agent: "place?option=value&option=value"."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from arena_breaker_gym.settings import closest

Readers = Mapping[str, Callable[[str], Any]]


def split_options(text: str, readers: Readers) -> tuple[str, dict[str, Any], str]:
    """Reads "ng.pt", "tcp://host:5555" or "ng.pt?n_action_steps=12&dtype=bfloat16".

    Args:
        text: What was said.
        readers: The options that there are, and what makes each one's value of its text.

    Returns:
        The place, the options given by name, and the options as they were written.

    Raises:
        ValueError: If an option is unknown, or its value is none for it.
    """
    place, _, said = text.partition("?")
    options: dict[str, Any] = {}
    for name, value in parse_qsl(said, keep_blank_values=True):
        if name not in readers:
            raise ValueError(f"{text!r} has no option {name!r}; {closest(name, readers)}.")
        try:
            options[name] = readers[name](value)
        except ValueError as error:
            raise ValueError(f"{text!r}: {name} cannot be {value!r} ({error}).") from None
    return place, options, said


def flag(text: str) -> bool:
    """Reads "true" or "false".

    Raises:
        ValueError: If it is neither.
    """
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"
