"""`load_campaign`: stage files become the campaign that the rules look up.

Each file is read and checked, its geometry baked, or taken from the disk cache if this
machine has baked the same stage before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.json_file import Fault, text_of, with_schema_key
from arena_breaker_gym.stages.cache import Fields, load_fields, save_fields
from arena_breaker_gym.stages.checks import place_faults, shape_faults, walk_faults, word_faults
from arena_breaker_gym.stages.errors import StageError
from arena_breaker_gym.stages.model import Stage
from arena_breaker_gym.stages.plan import plan_of
from arena_breaker_gym.stages.room import room_faults
from arena_breaker_gym.stages.schema import read_stage

LARGEST_FILE = 2**20  # bytes; the largest that comes along has some 6,000
GEOMETRY_VERSION = 4  # raise it when shapes or baking change: it is part of the stages' digest
CHECKS_VERSION = 5  # raise it when checks change, so that caches are left
PACKAGED = tuple(Path(__file__).with_name(f"stage_{number}.json") for number in (1, 2, 3))


@dataclass(frozen=True)
class LoadedCampaign:
    """Stages in the order in which they are played.

    Attributes:
        models: What the files say, for the renderer and for people.
        table: What the rules look up: a read-only array (n,) of dtype `table.STAGE`, shared
            within the process.
        digest: SHA-256 over the stages and the geometry version: equal digests, equal play.
    """

    models: tuple[Stage, ...]
    table: NDArray[np.void]
    digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """The stages' names."""
        return tuple(stage.name for stage in self.models)


_loaded: dict[str, LoadedCampaign] = {}


def load_campaign(files: str | Path | Sequence[str | Path] | None = None) -> LoadedCampaign:
    """Loads stage files, checked and baked.

    Args:
        files: Path or paths of stage files in the order of play; None for the packaged three. In
            place of a path may stand the JSON text of a stage, from its brace on.

    Returns:
        The campaign. The same stages give the same object again.

    Raises:
        StageError: A file cannot be read, or is not a stage that can be played.
        ValueError: `files` is empty.
    """
    paths = _paths(files)
    names = [_name_of(path, number) for number, path in enumerate(paths, start=1)]
    texts = [_bytes_of(path) for path in paths]
    stages = [read_stage(text, file=name) for text, name in zip(texts, names, strict=True)]
    digests = [_digest_of(stage) for stage in stages]
    digest = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    if digest not in _loaded:
        fields = [
            load_fields(_cached(key)) or _bake(stage, key, file=name)
            for stage, key, name in zip(stages, digests, names, strict=True)
        ]
        _loaded[digest] = LoadedCampaign(tuple(stages), _table(stages, fields), digest)
    return _loaded[digest]


def is_text_of_stage(stage: str | Path) -> bool:
    """Whether this is a stage's JSON text, not the path of its file."""
    return isinstance(stage, str) and stage.lstrip().startswith("{")


def texts_of(stages: Sequence[str]) -> list[str]:
    """Stages as texts, which mean the same wherever they are read.

    Args:
        stages: Paths of stage files, or texts.

    Raises:
        StageError: If a file cannot be read.
    """
    return [_bytes_of(one).decode() for one in stages]


def stage_schema() -> dict[str, Any]:
    """The JSON schema of a stage file."""
    return with_schema_key(Stage.model_json_schema())


def _paths(files: str | Path | Sequence[str | Path] | None) -> Sequence[str | Path]:
    if files is None:
        return PACKAGED
    if isinstance(files, str | Path):
        return (files,)
    if not files:
        raise ValueError("stages must name at least one stage file, but the list is empty.")
    return files


def _name_of(stage: str | Path, number: int) -> str:
    return f"stage {number}'s text" if is_text_of_stage(stage) else str(stage)


def _bytes_of(stage: str | Path) -> bytes:
    if isinstance(stage, str) and is_text_of_stage(stage):
        return stage.encode(errors="replace")
    return _text_of(Path(stage))


def _text_of(path: Path) -> bytes:
    text = text_of(path, kind="a stage file", most=LARGEST_FILE)
    if isinstance(text, Fault):
        raise StageError(str(path), [text])
    return text


def _digest_of(stage: Stage) -> str:
    text = json.dumps(stage.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(f"{GEOMETRY_VERSION}\n{text}".encode()).hexdigest()


def _cached(digest: str) -> str:
    """What a stage's fields are kept under: those of a stage that was checked less are left."""
    return hashlib.sha256(f"{CHECKS_VERSION}\n{digest}".encode()).hexdigest()


def _bake(stage: Stage, digest: str, *, file: str) -> Fields:
    """The fields of a stage, kept for the next time, if nothing at all is wrong with it."""
    shapes = shape_faults(stage)
    fields, places = (None, []) if shapes else _fields_of(stage)
    faults = [*word_faults(stage), *shapes, *places]
    if fields is None or faults:
        raise StageError(file, faults)
    save_fields(_cached(digest), fields)
    return fields


def _fields_of(stage: Stage) -> tuple[Fields | None, list[Fault]]:
    """The fields, as far as places allow to bake them, and what is wrong with places and ways."""
    # pymunk is slow to import, and a warm cache never gets here.
    from arena_breaker_gym.stages.flow import bake_flow
    from arena_breaker_gym.stages.geometry import bake_distance, build_space

    space = build_space(stage)
    faults = place_faults(stage, space)
    if faults:
        return None, faults
    distance = bake_distance(stage, space)
    flow = bake_flow(distance, width=stage.size.width, depth=stage.size.depth)
    return Fields(distance, flow), [
        *walk_faults(stage, flow),
        *room_faults(stage, distance, flow),
    ]


def _table(stages: Sequence[Stage], fields: Sequence[Fields]) -> NDArray[np.void]:
    table = np.concatenate([plan_of(stage) for stage in stages])
    for index, field in enumerate(fields):
        table["distance"][index] = field.distance
        table["flow"][index] = field.flow
    table.flags.writeable = False
    return table
