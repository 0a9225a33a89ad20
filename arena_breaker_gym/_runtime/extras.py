"""`require`: imports an optional library, or says in one sentence which extra brings it."""

from importlib import import_module
from typing import Any


class MissingExtraError(ImportError):
    """An optional library is not installed; the message names the extra that brings it."""


def require(module: str, extra: str) -> Any:
    """Imports a library that only some of the product needs.

    Args:
        module: Its dotted name, such as "moviepy".
        extra: The extra of this package that brings it, such as "video".

    Returns:
        The module.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != library:
            raise  # it is installed, but something that it needs is not
        raise MissingExtraError(
            f"This needs {library}, which comes with the extra {extra!r}: "
            f'pip install "arena-breaker-gym[{extra}]".'
        ) from error
