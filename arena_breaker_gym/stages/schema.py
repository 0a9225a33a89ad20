"""Reads a stage file's text into a `Stage`, or refuses it in one sentence."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from arena_breaker_gym.stages.errors import StageError, json_path, one_of, quoted, refusal
from arena_breaker_gym.stages.model import (
    Box,
    Circle,
    Group,
    Palette,
    Polygon,
    Saw,
    Size,
    Spikes,
    Stage,
    Start,
    Wave,
    Zone,
)

# What was expected, by pydantic's type of error; braces take the error's context.
_EXPECTED = {
    "missing": "a value here",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "finite_number": "a finite number",
    "string_type": "a text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "model_type": "an object in braces",
    "model_attributes_type": "an object in braces",
    "literal_error": "{expected}",
    "union_tag_invalid": "one of {expected_tags}",
    "union_tag_not_found": "a value here",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "too_short": "at least {min_length}",
    "too_long": "at most {max_length}",
    "string_too_short": "at least {min_length} character",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": 'a colour such as "#1a2b3c"',
}

# The models that a step of an error's location leads into.
_PARTS: dict[str, type[BaseModel]] = {
    "size": Size,
    "start": Start,
    "palette": Palette,
    "circle": Circle,
    "box": Box,
    "polygon": Polygon,
    "saw": Saw,
    "spikes": Spikes,
    "zones": Zone,
    "waves": Wave,
    "groups": Group,
}
_UNIONS = ("obstacles", "hazards")


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
    try:
        from_json(text)
    except ValueError as error:
        raise refusal(file, "", found=f"broken JSON ({error})", expected="a JSON object") from None
    try:
        return Stage.model_validate_json(text)
    except ValidationError as error:
        raise _refusal(file, error.errors(include_url=False)[0]) from None


def _refusal(file: str, error: ErrorDetails) -> StageError:
    path = json_path(_location(error))
    return refusal(file, path, found=_found(error), expected=_expected(error))


def _location(error: ErrorDetails) -> list[str | int]:
    """The error's place without the union tags that pydantic weaves into it."""
    parts = list(error["loc"])
    if len(parts) > 2 and parts[0] in _UNIONS:
        del parts[2]
    if error["type"].startswith("union_tag"):
        parts.append(_discriminator(error))
    return parts


def _discriminator(error: ErrorDetails) -> str:
    return str(error["ctx"]["discriminator"]).strip("'")


def _found(error: ErrorDetails) -> str:
    value: Any = error["input"]
    match error["type"]:
        case "missing" | "union_tag_not_found":
            return "nothing"
        case "extra_forbidden":
            return "an unknown key"
        case "union_tag_invalid":
            return quoted(value[_discriminator(error)])
        case "too_short" | "too_long":
            return f"{len(value)} entries"
        case _:
            return quoted(value)


def _expected(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        *place, key = error["loc"]
        part = next((_PARTS[step] for step in reversed(place) if step in _PARTS), Stage)
        return one_of(part.model_fields, not_=str(key))
    text = _EXPECTED.get(error["type"])
    return text.format(**error.get("ctx", {})) if text else error["msg"]
