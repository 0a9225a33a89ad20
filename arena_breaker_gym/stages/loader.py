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

from arena_breaker_gym.faults import Fault
from arena_breaker_gym.json_file import text_of, with_schema_key
from arena_breaker_gym.stages.cache import Fields, load_fields, save_fields
from arena_breaker_gym.stages.checks import place_faults, shape_faults, walk_faults, word_faults
from arena_breaker_gym.stages.errors import StageError
from arena_breaker_gym.stages.model import Stage
from arena_breaker_gym.stages.plan import plan_of
from arena_breaker_gym.stages.schema import read_stage

GEOMETRY_VERSION = 4  # raise it when checks, shapes or baking change, so that caches are left
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
        files: Path or paths of stage files in the order of play; None for the packaged three.

    Returns:
        The campaign. The same stages give the same object again.

    Raises:
        StageError: A file cannot be read, or is not a stage that can be played.
        ValueError: `files` is empty.
    """
    paths = _paths(files)
    stages = [read_stage(_text_of(Path(path)), file=str(path)) for path in paths]
    digests = [_digest_of(stage) for stage in stages]
    digest = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    if digest not in _loaded:
        fields = [
            load_fields(key) or _bake(stage, key, file=str(path))
            for stage, key, path in zip(stages, digests, paths, strict=True)
        ]
        _loaded[digest] = LoadedCampaign(tuple(stages), _table(stages, fields), digest)
    return _loaded[digest]


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


def _text_of(path: Path) -> bytes:
    text = text_of(path, kind="a stage file")
    if isinstance(text, Fault):
        raise StageError(str(path), [text])
    return text


def _digest_of(stage: Stage) -> str:
    text = json.dumps(stage.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(f"{GEOMETRY_VERSION}\n{text}".encode()).hexdigest()


def _bake(stage: Stage, digest: str, *, file: str) -> Fields:
    """The fields of a stage, kept for the next time, if nothing at all is wrong with it."""
    shapes = shape_faults(stage)
    fields, places = (None, []) if shapes else _fields_of(stage)
    faults = [*word_faults(stage), *shapes, *places]
    if fields is None or faults:
        raise StageError(file, faults)
    save_fields(digest, fields)
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
    return Fields(distance, flow), walk_faults(stage, flow)


def _table(stages: Sequence[Stage], fields: Sequence[Fields]) -> NDArray[np.void]:
    table = np.concatenate([plan_of(stage) for stage in stages])
    for index, field in enumerate(fields):
        table["distance"][index] = field.distance
        table["flow"][index] = field.flow
    table.flags.writeable = False
    return table
