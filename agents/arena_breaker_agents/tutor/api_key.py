"""`read_key`: a provider's key, from the environment and from nowhere else."""

from __future__ import annotations

import os


class MissingKeyError(ValueError):
    """There is no key, or none that could be sent; the sentence says what to set."""


def read_key(variable: str, provider: str) -> str | None:
    """The key in an environment variable.

    Args:
        variable: Its name.
        provider: Whose key it is, for the sentence.

    Returns:
        The key without white space around it; None if the variable is unset or blank.

    Raises:
        MissingKeyError: If it holds what no key does; the sentence does not repeat it.
    """
    key = os.environ.get(variable, "").strip()
    # What a header cannot carry would be quoted in another library's errors.
    if not all("!" <= letter <= "~" for letter in key):
        raise MissingKeyError(
            f"{variable} is no key of {provider}: it holds spaces or letters that no key has."
        )
    return key or None
