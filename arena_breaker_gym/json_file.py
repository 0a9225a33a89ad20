"""`text_of`, `json_of`, `faults_of`: a user's JSON file on its way into a pydantic model.

What a stage and a skin mean is not known here; what pydantic says of either becomes `Fault`s.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from arena_breaker_gym.faults import Fault, json_path, one_of, quoted
from arena_breaker_gym.stored import StoredError, read_stored

_SCHEMA_KEY = "$schema"

# What was expected, by pydantic's type of error; braces take the error's context.
_EXPECTED = {
    "missing": "a value here",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "finite_number": "a finite number",
    "string_type": "a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
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


def text_of(path: Path, *, kind: str, most: int = 2**20) -> bytes | Fault:
    """What a file holds, or why it cannot be had, with a guess at the file that was meant.

    Args:
        path: The file.
        kind: What was expected to be one, such as "a stage file".
        most: Bytes that a file of its kind may have.
    """
    try:
        return read_stored(path, most=most)
    except StoredError as error:
        return Fault("", f"that {error}", kind)
    except FileNotFoundError:
        siblings = [file.name for file in path.parent.glob("*.json")]
        near = difflib.get_close_matches(path.name, siblings, n=1)
        guess = f' (did you mean "{path.with_name(near[0])}"?)' if near else ""
        return Fault("", "no such file", f"{kind}{guess}")
    except OSError as error:
        reason = f"a file that cannot be read ({error.strerror or error})"
        return Fault("", reason, kind)


def json_of(text: bytes) -> dict[str, Any] | Fault:
    """The object that a text in UTF-8 holds, or why it holds none.

    Without the key by which a file tells an editor what schema it keeps to.
    """
    try:
        value = from_json(text)
    except ValueError as error:
        return Fault("", f"broken JSON ({error})", "a JSON object")
    if not isinstance(value, dict):
        return Fault("", quoted(value), "an object in braces")
    value.pop(_SCHEMA_KEY, None)
    return value


def with_schema_key(schema: dict[str, Any]) -> dict[str, Any]:
    """A model's JSON schema that also knows the key by which a file names its schema."""
    named = {"description": "where this schema lies, for editors", "type": "string"}
    return {**schema, "properties": {_SCHEMA_KEY: named, **schema["properties"]}}


def faults_of(
    error: ValidationError, model: type[BaseModel], *, also: tuple[str, ...] = ()
) -> list[Fault]:
    """All that pydantic found wrong with a value, in words.

    Args:
        error: What it raised.
        model: What the value was to become.
        also: Keys that the file may have beside the model's.
    """
    errors = error.errors(include_url=False)
    return [_fault(one, model, also) for one in errors if not _is_echo(one)]


def _is_echo(error: ErrorDetails) -> bool:
    """Whether a list is too short only because its entries, named already, did not count."""
    if error["type"] != "too_short":
        return False
    return bool(len(error["input"]) >= error["ctx"]["min_length"])


def _fault(error: ErrorDetails, model: type[BaseModel], also: tuple[str, ...]) -> Fault:
    location, part = _walked(model, error["loc"])
    if error["type"].startswith("union_tag"):
        location.append(_discriminator(error))
    keys = (*part.model_fields, *(also if part is model else ()))
    return Fault(json_path(location), _found(error), _expected(error, keys))


def _walked(
    model: type[BaseModel], location: tuple[str | int, ...]
) -> tuple[list[str | int], type[BaseModel]]:
    """A place without the union tags that pydantic weaves into it, and the part it lies in."""
    path: list[str | int] = []
    parts = [model]
    for step in location:
        if isinstance(step, int):
            path.append(step)
        elif len(parts) > 1:  # a union: the step is its tag
            parts = [part for part in parts if _bears(part, step)] or parts
        else:
            path.append(step)
            field = parts[0].model_fields.get(step)
            parts = (field and _parts_of(field.annotation)) or parts
    return path, parts[0]


def _parts_of(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field's type speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for one in get_args(annotation) for part in _parts_of(one)]


def _bears(part: type[BaseModel], tag: str) -> bool:
    kinds = (field.annotation for field in part.model_fields.values())
    return any(get_origin(kind) is Literal and tag in get_args(kind) for kind in kinds)


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


def _expected(error: ErrorDetails, keys: tuple[str, ...]) -> str:
    if error["type"] == "extra_forbidden":
        return one_of(keys, not_=str(error["loc"][-1]))
    text = _EXPECTED.get(error["type"])
    return text.format(**error.get("ctx", {})) if text else error["msg"]
