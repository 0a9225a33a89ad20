"""`export_minari`: stored episodes as a Minari data set, lossless, an episode's piece at a time.

The layout is Minari's own for HDF5: a group `episode_N` with `observations` (T + 1), `actions`,
`rewards`, `terminations`, `truncations` (T) and `infos` (T + 1). It is written here rather than by
Minari's buffers because those hold whole episodes in memory and store pixels uncompressed.
"""

import json
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec

import arena_breaker_gym
from arena_breaker_gym import ENV_ID
from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym._runtime.files import folder_written_whole, written_whole
from arena_breaker_gym._runtime.stored import json_in, read_stored
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.env import action_space_of, observation_space_of
from arena_breaker_gym.export.source import (
    PIECE,
    EpisodeSource,
    ExportError,
    Pieces,
    moments_of,
    parts_of,
    pieces_of,
    source_of,
)
from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.store import EpisodeStore
from arena_breaker_gym.settings import Settings

LICENCE = "MIT"
OBSERVATIONS = ("both", "pixels", "state")
METADATA = "metadata.json"
MAIN_FILE = "main_data.hdf5"
_COMPRESSION = {"compression": "gzip", "compression_opts": 1}  # lossless, and any reader knows it

Progress = Callable[[int, int], None]


def export_minari(
    store: EpisodeStore,
    name: str,
    *,
    root: Path | None = None,
    observation: str = "both",
    pixel_size: int | None = None,
    author: str | None = None,
    licence: str = LICENCE,
    progress: Progress | None = None,
) -> Path:
    """Writes stored episodes as a Minari data set, whole or not at all.

    Episodes that the agent failed are left out. A call that finds the same data set does nothing;
    after one that was killed it goes on with the first episode that is missing.

    Args:
        store: The episodes; all must have been played under the same settings.
        name: Of the data set, as Minari wants it, such as "arenabreaker/expert-v0".
        root: Folder of data sets; None: Minari's own (`MINARI_DATASETS_PATH`).
        observation: "both", "pixels" or "state", whatever the agents saw.
        pixel_size: Side of the pixels; None: that of the episodes' settings.
        author: Who made it; None: no name is given.
        licence: Under which it may be used.
        progress: Told as steps are written how many are, and of how many.

    Returns:
        The data set's folder.

    Raises:
        ExportError: If there is no episode, they differ in their settings, the name is none for
            Minari, or other data lie under it.
        ReplayError: If an episode does not play as recorded.
        BusyError: If another process is writing the same data set.
        MissingExtraError: If Minari is not installed.
    """
    require("minari", "minari")
    require("h5py", "minari")
    if observation not in OBSERVATIONS:
        raise ExportError(f"observation must be one of {OBSERVATIONS}, got {observation!r}.")
    folder = _folder_of(name, root)
    source = source_of(store)
    spec = _spec_of(source, observation=observation, pixel_size=pixel_size)
    about = _about(source, name, author=author, licence=licence, spec=spec)
    if folder.exists():
        _check_same(folder, about)
    else:
        with pieces_of(folder, about) as pieces, folder_written_whole(folder) as part:
            _write(part / "data", pieces, source, spec, about, progress)
    _name_spaces(folder, name)  # also of one that is there: a kill may have come between the two
    return folder


def _folder_of(name: str, root: Path | None) -> Path:
    """Where a data set of that name lies.

    Raises:
        ExportError: If Minari would not take the name.
    """
    from minari.dataset.minari_dataset import parse_dataset_id
    from minari.storage.datasets_root_dir import get_dataset_path

    try:
        parse_dataset_id(name)
    except (ValueError, TypeError):  # its parser trips over a name without a version
        raise ExportError(
            f"{name!r} is no name of a Minari data set; expected one such as "
            "'arenabreaker/expert-v0'."
        ) from None
    folder: Path = get_dataset_path(name) if root is None else root.absolute() / name
    return folder


def _spec_of(source: EpisodeSource, *, observation: str, pixel_size: int | None) -> EnvSpec:
    """The environment that produces the same episodes: `recover_environment` makes it."""
    usual = Settings().to_dict()
    own = source.settings.to_dict()
    own["observation"] = observation
    own["pixel_size"] = pixel_size or source.settings.pixel_size
    Settings.from_keywords(own)  # says what is wrong with a size, if it is
    spec: EnvSpec = gym.spec(ENV_ID)
    kept = {name: value for name, value in own.items() if value != usual[name]}
    return EnvSpec(
        id=spec.id,
        entry_point=spec.entry_point,
        max_episode_steps=source.max_steps,
        kwargs=kept,
    )


def _about(
    source: EpisodeSource, name: str, *, author: str | None, licence: str, spec: EnvSpec
) -> dict[str, object]:
    """What the data set says of itself, besides what Minari adds."""
    own = arena_breaker_gym.__version__
    about: dict[str, object] = {
        "dataset_id": name,
        "minari_version": version("minari"),
        "algorithm_name": ", ".join(source.agents),
        "description": f"{len(source)} episodes of Arena Breaker, played by "
        f"{', '.join(source.agents)}; lossless.",
        "license": licence,
        "requirements": [f"arena-breaker-gym>={own}"],
        "arena_breaker_gym_version": own,
        "engine_version": ENGINE_VERSION,
        "numpy_version": np.__version__,
        "python_version": platform.python_version(),
        "episodes_digest": source.digest,
        "keywords": json.loads(json.dumps(spec.kwargs)),
    }
    if "state" not in (spec.kwargs.get("observation"),):
        from arena_breaker_gym.rendering.atlas import build

        about["drawn_by"] = build()
    if author is not None:
        about["author"] = {author}
    return about


def _check_same(folder: Path, about: dict[str, object]) -> None:
    """Refuses a folder that holds anything but the very data set that is wanted.

    Raises:
        ExportError: If it does.
    """
    told = ("dataset_id", "episodes_digest", "keywords", "license", "engine_version")
    try:
        found = json_in(read_stored(folder / "data" / METADATA))
        same = all(found.get(key) == about[key] for key in told)
    except (OSError, ValueError, AttributeError):
        same = False
    if not same:
        raise ExportError(
            f"{folder}: holds something else already; choose another name, such as one with the "
            "next version at its end, or delete it."
        )


def _write(
    folder: Path,
    pieces: Pieces,
    source: EpisodeSource,
    spec: EnvSpec,
    about: dict[str, object],
    progress: Progress | None,
) -> None:
    from minari.dataset.minari_storage import MinariStorage

    settings = Settings.from_keywords(spec.kwargs)
    storage = MinariStorage.new(
        folder,
        observation_space=observation_space_of(settings),
        action_space=action_space_of(),
        env_spec=spec,
        jpeg_encoding=False,
    )
    with _file(folder / MAIN_FILE, "w") as file:
        done = 0
        for number, episode in enumerate(source):
            write = partial(_write_piece, episode=episode, settings=settings, number=number)
            with _file(pieces.get(number, write) / MAIN_FILE, "r") as piece:
                piece.copy(name := f"episode_{number}", file, name)  # as compressed as it is
            done += len(episode)
            if progress is not None:
                progress(done, source.steps)
    storage.update_metadata(
        {
            **about,
            "total_episodes": len(source),
            "total_steps": source.steps,
            "dataset_size": float(storage.get_size()),
        }
    )


@contextmanager
def _file(path: Path, mode: str) -> Iterator[Any]:
    h5py = require("h5py", "minari")
    with h5py.File(path, mode, track_order=True) as file:
        yield file


def _write_piece(folder: Path, *, episode: Episode, settings: Settings, number: int) -> None:
    with _file(folder / MAIN_FILE, "w") as file:
        _write_episode(file.create_group(f"episode_{number}"), episode, settings, number)


def _write_episode(group: Any, episode: Episode, settings: Settings, number: int) -> None:
    """Writes an episode piece by piece, and what it is into its group's attributes."""
    steps = len(episode)
    group.attrs.update(
        {
            "id": number,
            "seed": episode.seed,
            "total_steps": steps,
            "options/stage": episode.stage,
            "agent": episode.agent,
            "status": episode.status,
            "reason": episode.reason,
            "final_hash": episode.final_hash,
        }
    )
    parts = parts_of(observation_space_of(settings))
    for name, part in parts.items():
        _room(group, f"observations/{name}".rstrip("/"), steps + 1, part.shape, part.dtype)
    for name, values in (("actions", episode.actions), ("rewards", episode.rewards)):
        _room(group, name, steps, values.shape[1:], values.dtype)[:] = values
    for name in ("terminations", "truncations"):
        _room(group, name, steps, (), np.bool_)
    for piece in moments_of(
        episode, observation=settings.observation, pixel_size=settings.pixel_size
    ):
        _write_moments(group, piece, steps)


def _write_moments(group: Any, piece: Any, steps: int) -> None:
    last = piece.first + len(piece)
    for name, values in piece.observations.items():
        group[f"observations/{name}".rstrip("/")][piece.first : last] = values
    for name, values in piece.infos.items():
        if piece.first == 0:
            _room(group, f"infos/{name}", steps + 1, (), values.dtype)
        group[f"infos/{name}"][piece.first : last] = values
    skip = int(piece.first == 0)  # no step led to the first moment
    before = slice(piece.first + skip - 1, last - 1)
    group["terminations"][before] = piece.terminated[skip:]
    group["truncations"][before] = piece.truncated[skip:]


def _room(group: Any, name: str, rows: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """An empty array in the file, in compressed chunks as long as a piece."""
    chunks = (min(PIECE, rows), *shape)
    return group.create_dataset(
        name, (rows, *shape), dtype, chunks=chunks, maxshape=(None, *shape), **_COMPRESSION
    )


def _name_spaces(folder: Path, name: str) -> None:
    """Leaves the file by which Minari knows a folder above a data set as a namespace."""
    from minari.namespace import NAMESPACE_METADATA_FILENAME

    for above in [folder.parents[depth] for depth in range(name.count("/"))]:
        place = above / NAMESPACE_METADATA_FILENAME
        if not place.exists():
            with written_whole(place) as part:
                part.write_text(json.dumps({}) + os.linesep, encoding="utf-8")
