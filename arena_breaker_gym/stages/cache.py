"""Baked fields on disk, one file a stage, so that pymunk is asked once on a machine."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import platformdirs
from numpy.typing import NDArray

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.stages.table import DISTANCE_NODES, FLOW_CELLS

FOLDER_VARIABLE = "ARENA_BREAKER_CACHE"


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
