"""JSON of others on its way into pydantic models: text, `Fault`s, numbers as they come.

What a stage and a skin mean is not known here; what pydantic says of either becomes `Fault`s:
sentences with the place in the file, what was found there, and what was expected. Language
models and their clients write numbers as text ("0.5", "true"), whole ones as 6.0, truth values
as 1 and 0: what means one thing only is read as that; a truth value is no number, and a word
is neither.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import ErrorDetails, from_json

from arena_breaker_gym._runtime.stored import StoredError, read_stored

_MOST_TOLD = 10  # faults in one message; `FileError.faults` has all

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

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_LONGEST_NUMBER = 40  # letters of a number: more say nothing that a float could hold
_TRUTHS = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a file; as text, a sentence.

    Attributes:
        path: JSON path, such as `waves[0].groups[2].zone`; empty for the whole file.
        found: What stands there.
        expected: What should.
    """

    path: str
    found: str
    expected: str

    def __str__(self) -> str:
        """The sentence."""
        place = f"{self.path}: " if self.path else ""
        return f"{place}found {self.found}, expected {self.expected}."


class FileError(ValueError):
    """A file cannot be used; the message names it and says all that is wrong in it.

    Attributes:
        file: Its name, as the user gave it.
        faults: What is wrong, in the file's order.
    """

    def __init__(self, file: str, faults: Sequence[Fault]) -> None:
        """Takes at least one fault."""
        super().__init__(file, tuple(faults))
        self.file, self.faults = file, tuple(faults)

    def __str__(self) -> str:
        """All on one line, since callers print errors as a line."""
        told = " ".join(str(fault) for fault in self.faults[:_MOST_TOLD])
        more = len(self.faults) - _MOST_TOLD
        return f"{self.file}: {told}" + (f" And {more} more are wrong." if more > 0 else "")

    @property
    def sentences(self) -> tuple[str, ...]:
        """Each fault with the file before it."""
        return tuple(f"{self.file}: {fault}" for fault in self.faults)


def json_path(location: Sequence[str | int]) -> str:
    """Writes a location as a JSON path: `("waves", 0, "groups")` becomes `waves[0].groups`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def quoted(value: object, *, longest: int = 60) -> str:
    """A value as JSON on one line, shortened to `longest` characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def one_of(names: Iterable[str], *, not_: str) -> str:
    """The names to choose from, with a guess at the one that was meant by `not_`."""
    known = list(names)
    choice = "one of " + ", ".join(known) if len(known) > 1 else known[0]
    near = difflib.get_close_matches(not_, known, n=1)
    return f'{choice} (did you mean "{near[0]}"?)' if near else choice


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


def _parts_of(annotation: object) -> list[type[BaseModel]]:
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


def plain_number(value: Any) -> Any:
    """The number that text stands for; anything else as it is."""
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        text = value.strip()
        return float(text) if _NUMBER.fullmatch(text) else value
    return value


def plain_whole(value: Any) -> Any:
    """The whole number that text, or a number such as 6.0, stands for; anything else as it is."""
    if (
        isinstance(value, str)
        and len(value) <= _LONGEST_NUMBER
        and re.fullmatch(r"\s*-?\d+\s*", value)
    ):
        return int(value)  # not through a float, which holds no large ones
    number = plain_number(value)
    return int(number) if isinstance(number, float) and number.is_integer() else value


def plain_truth(value: Any) -> Any:
    """The truth value that text, or 1 or 0, stands for; anything else as it is."""
    if isinstance(value, str):
        return _TRUTHS.get(value.strip().lower(), value)
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    return value


# Where bounds stand beside one of these, it comes last: what it gives is held to them, and they
# stay what a schema knows.
AS_NUMBER = BeforeValidator(plain_number)
AS_WHOLE = BeforeValidator(plain_whole)
AS_TRUTH = BeforeValidator(plain_truth)

Number = Annotated[float, AS_NUMBER]
Whole = Annotated[int, AS_WHOLE]
Truth = Annotated[bool, AS_TRUTH]
