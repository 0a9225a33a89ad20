"""Skins by name or file: those that come along, and files of the user's own, checked.

The game is the same in every skin; only pixels differ. `skin` says what a skin holds. A file of
one's own may name a `parent` that comes along and give only what differs from it.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from arena_breaker_gym._runtime.json_file import (
    Fault,
    FileError,
    faults_of,
    json_of,
    one_of,
    quoted,
    text_of,
    with_schema_key,
)
from arena_breaker_gym.rendering.skin import Skin

_FOLDER = Path(__file__).parent / "skins"
_PARENT = "parent"


class SkinError(FileError):
    """A skin file cannot be used; the message says which, where in it, and what was expected."""


RANDOM = "random"  # instead of a name: each episode in the skin that its seed picks


def names() -> tuple[str, ...]:
    """The names of the skins that come with the package, in alphabetical order."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.json")))


def file_of(name: str) -> Path:
    """The file of a skin that comes with the package, good to begin from."""
    return _FOLDER / f"{name}.json"


def load(name_or_path: str | Path) -> Skin:
    """Loads a skin by its name, or from a JSON file of the user's own.

    Args:
        name_or_path: One of `names()`, or a path that ends in `.json`.

    Returns:
        The skin.

    Raises:
        ValueError: There is no such skin; a file that is none is refused with a `SkinError`.
    """
    if str(name_or_path).endswith(".json"):
        return _read(Path(name_or_path))
    name = str(name_or_path)
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(names())}."
        raise ValueError(f"There is no skin {name!r}: {advice}")
    return _built_in(name)


def every(name_or_path: str | Path) -> tuple[Skin, ...]:
    """The skins that a setting stands for: one, or for "random" all that come with the package.

    Raises:
        ValueError: There is no such skin; a file that is none is refused with a `SkinError`.
    """
    if name_or_path == RANDOM:
        return tuple(load(name) for name in names())
    return (load(name_or_path),)


def schema() -> dict[str, Any]:
    """The JSON schema of a skin file: all of a skin, or a `parent` and what differs from it."""
    whole = with_schema_key(Skin.model_json_schema())
    parts = whole.pop("$defs")
    loose = {f"{name}Changes": _loosened(part) for name, part in parts.items()}
    changes = _loosened(whole)
    changes["properties"][_PARENT] = {
        "description": "name of the skin that has all that this file does not give",
        "enum": list(names()),
    }
    return {
        "title": "Skin",
        "description": "A skin: all of it, or a parent and what differs.",
        "type": "object",
        "if": {"required": [_PARENT]},
        "then": {"$ref": "#/$defs/Changes"},
        "else": {"$ref": "#/$defs/Skin"},
        "$defs": {**parts, **loose, "Skin": whole, "Changes": changes},
    }


def _loosened(schema: Any) -> Any:
    """A schema of which every entry may be left out, in all its parts."""
    if isinstance(schema, list):
        return [_loosened(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _loosened(value) for key, value in schema.items() if key != "required"}
    return kept | {"$ref": f"{kept['$ref']}Changes"} if "$ref" in kept else kept


def check(name_or_path: str | Path) -> None:
    """Refuses what `every` would refuse, without loading all that "random" stands for.

    Raises:
        ValueError: There is no such skin; a file that is none is refused with a `SkinError`.
    """
    if name_or_path != RANDOM:
        load(name_or_path)


@functools.cache
def _built_in(name: str) -> Skin:
    return _read(file_of(name))


def _read(file: Path) -> Skin:
    text = text_of(file, kind="a skin file")
    own = text if isinstance(text, Fault) else json_of(text)
    if isinstance(own, Fault):
        raise SkinError(str(file), [own])
    parent = own.pop(_PARENT, None)
    faults = [] if parent is None or parent in names() else [_no_parent(parent)]
    try:
        skin = Skin.model_validate(own if parent is None else _grown(own, parent, file))
    except ValidationError as error:
        faults += faults_of(error, Skin, also=(_PARENT,))
    if faults:
        raise SkinError(str(file), faults if parent is not None else _hinted(faults))
    return skin


def _no_parent(name: object) -> Fault:
    wanted = f"the name of a skin that comes along: {one_of(names(), not_=str(name))}"
    return Fault(_PARENT, quoted(name), wanted)


def _grown(own: Mapping[str, Any], parent: object, file: Path) -> dict[str, Any]:
    """One's own entries over the parent's; without that parent, over the default's."""
    name = str(parent) if parent in names() else "default"
    signed = {"name": file.stem[:40], "description": f"{name}, changed."}
    return _laid_over(_built_in(name).model_dump() | signed, own)


def _laid_over(parent: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The parent's entries with one's own in their place, part by part."""
    both = dict(parent)
    for key, value in own.items():
        below = both.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            both[key] = _laid_over(below, value)
        else:
            both[key] = value
    return both


def _hinted(faults: list[Fault]) -> list[Fault]:
    """The faults of a file without a parent; the first thing missing tells that it might have one.

    Told once: such a file often lacks a great deal.
    """
    hinted = list(faults)
    for index, fault in enumerate(hinted):
        if fault.found == "nothing":
            hint = f'{fault.expected}, or at the top a "{_PARENT}" that has all that is missing'
            hinted[index] = replace(fault, expected=hint)
            break
    return hinted
