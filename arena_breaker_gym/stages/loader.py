"""`load_campaign`: stage files become the campaign that the rules look up.

Each file is read and checked, its geometry baked, or taken from the disk cache if this
machine has baked the same stage before.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import platformdirs
from numpy.typing import NDArray

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym._runtime.json_file import Fault, text_of, with_schema_key
from arena_breaker_gym.stages.checks import (
    place_faults,
    room_faults,
    shape_faults,
    walk_faults,
    word_faults,
)
from arena_breaker_gym.stages.model import Group, Hazard, Saw, Spikes, Stage, StageError, read_stage
from arena_breaker_gym.stages.table import (
    DISTANCE_NODES,
    ENEMY_TYPES,
    FLOW_CELLS,
    HAZARD_TYPES,
    STAGE,
)

TICKS_PER_SECOND = 60

FOLDER_VARIABLE = "ARENA_BREAKER_CACHE"

LARGEST_FILE = 2**20  # bytes; the largest that comes along has some 6,000
GEOMETRY_VERSION = 4  # raise it when shapes or baking change: it is part of the stages' digest
CHECKS_VERSION = 5  # raise it when checks change, so that caches are left
PACKAGED = tuple(Path(__file__).with_name(f"stage_{number}.json") for number in (1, 2, 3))


def plan_of(stage: Stage) -> NDArray[np.void]:
    """The stage as an array (1,) of dtype `table.STAGE`."""
    plans = np.zeros(1, STAGE)
    plan: np.record = plans[0]
    plan.width, plan.depth = stage.size.width, stage.size.depth
    plan.columns_per_metre = (DISTANCE_NODES - 1) / plan.width
    plan.rows_per_metre = (DISTANCE_NODES - 1) / plan.depth
    plan.cell_diagonal = math.sqrt(plan.columns_per_metre**-2 + plan.rows_per_metre**-2)
    plan.start_x, plan.start_z = stage.start.x, stage.start.z
    _fill_waves(plan, stage)
    plan.zone_count = len(stage.zones)
    for row, zone in zip(plan.zones, stage.zones, strict=False):
        row.x, row.z = zone.x, zone.z
        row.half_width, row.half_depth = zone.width / 2, zone.depth / 2
    plan.hazard_count = len(stage.hazards)
    for row, hazard in zip(plan.hazards, stage.hazards, strict=False):
        _fill_hazard(row, hazard)
    return plans


def _fill_waves(plan: np.record, stage: Stage) -> None:
    zones = [zone.name for zone in stage.zones]
    plan.wave_count = len(stage.waves)
    for wave_row, wave in zip(plan.waves, stage.waves, strict=False):
        wave_row.group_count = len(wave.groups)
        for row, group in zip(wave_row.groups, wave.groups, strict=False):
            _fill_group(row, group, zones)


def _fill_group(row: np.record, group: Group, zones: list[str]) -> None:
    row.kind = ENEMY_TYPES.index(group.type)
    row.count = group.count
    row.delay = _ticks(group.delay)
    row.spacing = _ticks(group.spacing)
    row.zone = zones.index(group.zone)


def _fill_hazard(row: np.record, hazard: Hazard) -> None:
    row.kind = HAZARD_TYPES.index(hazard.type)
    row.radius = hazard.radius
    if isinstance(hazard, Saw):
        row.point_count = len(hazard.track)
        row.track[: len(hazard.track)] = hazard.track
        row.closed = int(hazard.closed)
        row.speed = hazard.speed
    elif isinstance(hazard, Spikes):
        row.point_count = 1
        row.track[0] = hazard.x, hazard.z
        row.down, row.warn, row.up = _ticks(hazard.down), _ticks(hazard.warn), _ticks(hazard.up)
        row.offset = _ticks(hazard.offset)


def _ticks(seconds: float) -> int:
    return round(seconds * TICKS_PER_SECOND)


class Fields(NamedTuple):
    """One stage's baked geometry: two fields of `table.STAGE`."""

    distance: NDArray[np.float32]  # (193, 193)
    flow: NDArray[np.int8]  # (1024, 1024)


def cache_folder() -> Path:
    """Where baked fields are kept: `$ARENA_BREAKER_CACHE`, else the user's cache folder.

    For a user without a home it is one that cannot be: "~" would become a folder where we are.
    """
    if os.environ.get(FOLDER_VARIABLE):
        return Path(os.environ[FOLDER_VARIABLE])
    folder = Path(platformdirs.user_cache_dir("arena-breaker-gym"))
    return folder if folder.is_absolute() else Path(os.devnull) / folder.name


def load_fields(digest: str) -> Fields | None:
    """The fields kept for a stage's digest; None if there are none, or if they are damaged."""
    try:
        with np.load(io.BytesIO(_file(digest).read_bytes()), allow_pickle=False) as kept:
            fields = Fields(kept["distance"], kept["flow"])
            whole = str(kept["digest"]) == digest and _fits(fields)
    except Exception:  # whatever a damaged file makes numpy raise, the answer is to bake again
        return None
    return fields if whole else None


def save_fields(digest: str, fields: Fields) -> None:
    """Keeps a stage's fields; a folder that cannot be written to is no error."""
    file = _file(digest)
    with contextlib.suppress(OSError), written_whole(file) as part, part.open("wb") as open_part:
        np.savez(open_part, digest=np.array(digest), **fields._asdict())


def _file(digest: str) -> Path:
    return cache_folder() / f"stage-{digest[:32]}.npz"


def _fits(fields: Fields) -> bool:
    return (
        fields.distance.shape == (DISTANCE_NODES, DISTANCE_NODES)
        and fields.distance.dtype == np.float32
        and fields.flow.shape == (FLOW_CELLS**2, FLOW_CELLS**2)
        and fields.flow.dtype == np.int8
    )


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
    from arena_breaker_gym.stages.fields import bake_distance, bake_flow, build_space

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
