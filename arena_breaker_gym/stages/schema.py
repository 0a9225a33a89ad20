"""Reads a stage file's text into a `Stage`, or refuses it with all that is wrong in it."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import to_json

from arena_breaker_gym._runtime.json_file import Fault, faults_of, json_of
from arena_breaker_gym.stages.errors import StageError
from arena_breaker_gym.stages.model import Stage


def read_stage(text: bytes, *, file: str) -> Stage:
    """Reads the JSON text of a stage.

    Args:
        text: What the file holds, UTF-8.
        file: The file's name, for the error.

    Returns:
        The stage; `checks` says whether it can also be played.

    Raises:
        StageError: The text is not JSON, or not a stage.
    """
    plain = json_of(text)
    if isinstance(plain, Fault):
        raise StageError(file, [plain])
    try:
        # As JSON, not as Python's values: its lists are to become tuples, and nothing else.
        return Stage.model_validate_json(to_json(plain, inf_nan_mode="constants"))
    except ValidationError as error:
        raise StageError(file, faults_of(error, Stage)) from None
