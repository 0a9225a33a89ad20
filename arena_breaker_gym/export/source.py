"""`EpisodeSource`: the stored episodes that become one data set, and what they have in common.

However long an episode is, no more than one piece of it is in memory. `Pieces` are the finished
episodes of a data set that is not whole yet, so that a killed export goes on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from arena_breaker_gym._runtime.files import claimed, folder_written_whole, written_whole
from arena_breaker_gym._runtime.stored import json_in, read_stored
from arena_breaker_gym.batch.arenas import INFO, REWARD_TERMS, Arenas
from arena_breaker_gym.env import FLAT_TERMS, observation_space_of
from arena_breaker_gym.rollout.episode import Episode, looks_of
from arena_breaker_gym.rollout.replay import check_stages_named, resimulate
from arena_breaker_gym.rollout.store import EpisodeStore
from arena_breaker_gym.settings import Settings

PIECE = 32
"""Moments in a piece; of 256 × 256 pixels, 6 MB."""


class ExportError(ValueError):
    """Episodes cannot become a data set; the message says which and why."""


@dataclass(frozen=True, kw_only=True)
class EpisodeSource:
    """Episodes of one store that were played under one set of settings.

    Attributes:
        store: Where they are.
        indices: Their numbers, rising; those that an agent failed are left out.
        settings: All of them have these, the stage that they begin on aside.
        max_steps: All of them had this time limit.
        agents: Who played, sorted.
        steps: Of all episodes together.
        digest: Of how each of them ended: another source has another one.
    """

    store: EpisodeStore
    indices: tuple[int, ...]
    settings: Settings
    max_steps: int
    agents: tuple[str, ...]
    steps: int
    digest: str

    def __iter__(self) -> Iterator[Episode]:
        """The episodes in order, read one at a time."""
        return (self.store.load(index) for index in self.indices)

    def __len__(self) -> int:
        """How many episodes there are."""
        return len(self.indices)


def source_of(store: EpisodeStore) -> EpisodeSource:
    """Reads what the episodes of a store have in common.

    Raises:
        ExportError: If there are none, or they were played under different settings.
        ValueError: If one is damaged, or names stages or a skin that must be vouched for.
    """
    first: Episode | None = None
    indices: list[int] = []
    agents: set[str] = set()
    steps, digest = 0, sha256()
    for index in store.indices():
        episode = store.load(index)
        if episode.failed or not len(episode):
            continue
        check_stages_named(episode)
        looks_of(episode)
        first = first or episode
        _check_alike(
            first, episode, f"{store.folder}: episodes {(indices or [index])[0]} and {index}"
        )
        indices.append(index)
        agents.add(episode.agent)
        steps += len(episode)
        digest.update(f"{index} {episode.seed} {episode.final_hash}\n".encode())
    if first is None:
        raise ExportError(f"{store.folder}: holds no episode to export.")
    return EpisodeSource(
        store=store,
        indices=tuple(indices),
        settings=replace(first.settings, start_stage=1),
        max_steps=first.max_steps,
        agents=tuple(sorted(agents)),
        steps=steps,
        digest=digest.hexdigest(),
    )


def _check_alike(first: Episode, other: Episode, which: str) -> None:
    """Refuses two episodes that one environment could not have produced."""
    mine, yours = _terms(first), _terms(other)
    for name, value in mine.items():
        if yours[name] != value:
            raise ExportError(
                f"{which} differ in {name} ({value!r:.60} and {yours[name]!r:.60}): a data set is "
                "of one environment, so export them apart."
            )


def _terms(episode: Episode) -> dict[str, object]:
    """What must be alike: all except the stage to begin on, and what an agent was shown."""
    values = episode.settings.to_dict()
    del values["start_stage"], values["observation"], values["pixel_size"]
    return {**values, "max_steps": episode.max_steps}


@dataclass(frozen=True)
class Moments:
    """Moments `first` to `first + n` of an episode of T steps; moment T is its end.

    Attributes:
        first: Number of the first of them, 0 to T.
        observations: (n, ...) by key; the key is "" where an observation is one array.
        infos: (n,) by key, as `info` has them at that moment.
        terminated: (n,) bool, whether the step that led here ended the game.
        truncated: (n,) bool, whether it reached the time limit.
    """

    first: int
    observations: dict[str, NDArray[Any]]
    infos: dict[str, NDArray[Any]]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]

    def __len__(self) -> int:
        """How many moments there are."""
        return len(self.terminated)


def parts_of(space: spaces.Space[Any]) -> dict[str, spaces.Box]:
    """The arrays of an observation by key; "" where it is one array."""
    parts = dict(space.spaces) if isinstance(space, spaces.Dict) else {"": space}
    return {name: part for name, part in parts.items() if isinstance(part, spaces.Box)}


def moments_of(
    episode: Episode, *, observation: str, pixel_size: int, piece: int = PIECE
) -> Iterator[Moments]:
    """Plays an episode again and observes its T + 1 moments.

    Args:
        episode: An episode of T steps.
        observation: "both", "pixels", "state" or "flat", whatever the agent saw.
        pixel_size: Side of the pixels.
        piece: Most moments that are given at once.

    Raises:
        ReplayError: If it does not play as recorded.
    """
    settings = replace(episode.settings, observation=observation, pixel_size=pixel_size)
    parts = parts_of(observation_space_of(settings))
    kept: list[tuple[dict[str, NDArray[Any]], dict[str, object], bool, bool]] = []
    for step, arenas in resimulate(replace(episode, settings=settings)):
        ended = (bool(arenas.terminated[0]), bool(arenas.truncated[0])) if step else (False, False)
        kept.append((_seen(arenas, parts), _info(arenas, step), *ended))
        if len(kept) == piece or step == len(episode):
            yield _stacked(step + 1 - len(kept), kept)
            kept.clear()


def _seen(arenas: Arenas, parts: dict[str, spaces.Box]) -> dict[str, NDArray[Any]]:
    tables = arenas.observe()
    found: dict[str, NDArray[Any]] = {}
    for name, part in parts.items():
        if part.dtype == np.uint8:
            found[name] = arenas.compose()[0]
        else:
            table = getattr(tables, name)[0] if name else arenas.state
            found[name] = table.copy()
    return found


def _info(arenas: Arenas, step: int) -> dict[str, object]:
    facts: dict[str, object] = dict(zip(INFO, arenas.facts(0), strict=True))
    facts["victory"] = bool(facts["victory"])
    terms = arenas.terms(0) if step else [0.0] * len(REWARD_TERMS)
    return {**facts, **dict(zip(FLAT_TERMS, terms, strict=True))}


def _stacked(
    first: int, kept: list[tuple[dict[str, NDArray[Any]], dict[str, object], bool, bool]]
) -> Moments:
    seen, infos, terminated, truncated = zip(*kept, strict=True)
    return Moments(
        first,
        {name: np.stack([one[name] for one in seen]) for name in seen[0]},
        {name: np.array([one[name] for one in infos]) for name in infos[0]},
        np.array(terminated),
        np.array(truncated),
    )


_KEY = "data_set.json"


class Pieces:
    """A folder with one folder an episode, each of them whole or not there."""

    def __init__(self, folder: Path) -> None:
        """Names the folder; `pieces_of` makes it."""
        self.folder = folder

    def get(self, number: int, write: Callable[[Path], None]) -> Path:
        """Gives an episode's folder, which is written unless an earlier run did.

        Args:
            number: Of the episode.
            write: Fills a folder with it.
        """
        place = self.folder / f"episode_{number}"
        if not place.exists():
            with folder_written_whole(place) as part:
                write(part)
        return place


def placed(file: Path, target: Path) -> None:
    """Puts a piece's file into the data set; the piece keeps it, in case this run is killed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(file)
    except OSError:  # a disk without links
        shutil.copyfile(file, target)


@contextmanager
def pieces_of(data_set: Path, about: dict[str, object]) -> Iterator[Pieces]:
    """Gives the pieces of a data set, which go when the block ends well.

    Args:
        data_set: The folder that it will be.
        about: What it is; pieces of any other are thrown away.

    Raises:
        BusyError: If another process is writing the same data set just now.
        OSError: If the folder cannot be written.
    """
    folder = data_set.parent / f".{data_set.name}.pieces"
    with claimed(folder):
        _keep_only(folder, about)
        yield Pieces(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _keep_only(folder: Path, about: dict[str, object]) -> None:
    """Empties a folder whose pieces are of another data set, and notes which one it is for."""
    plain = json.loads(json.dumps(about, default=sorted))
    note = folder / _KEY
    try:
        same = json_in(read_stored(note)) == plain
    except (OSError, ValueError):
        same = False
    if same:
        return
    for old in folder.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    with written_whole(note) as part:
        part.write_text(json.dumps(plain), encoding="utf-8")
