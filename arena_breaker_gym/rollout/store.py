"""`EpisodeStore`: a folder with one file an episode, each of which is there whole or not at all."""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.arenas import ACTION_LENGTH
from arena_breaker_gym.files import sweep_leftovers, written_whole
from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.metrics import CHARGED
from arena_breaker_gym.settings import Settings

FORMAT = "arena-breaker-episode"
FORMAT_VERSION = 1
_ARRAYS = ("about", "actions", "rewards", "snapshots")
# What comes of reading a file that is damaged or something else.
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)


class EpisodeError(ValueError):
    """An episode's file cannot be used; the message names it and says why."""


class EpisodeStore:
    """Episodes by number, in the files `episode_000000.npz`, `episode_000001.npz` and so on.

    A file holds `actions` (T, 5) float32, `rewards` (T,) float64, and two texts in UTF-8
    bytes: `about`, a JSON object with all else, and `snapshots`, a JSON list or null. It
    holds no pickled objects.
    """

    def __init__(self, folder: str | Path) -> None:
        """Names the folder, which need not be there yet."""
        self.folder = Path(folder)

    def __len__(self) -> int:
        """How many episodes there are."""
        return len(self.indices())

    def __iter__(self) -> Iterator[Episode]:
        """The episodes in order, read one at a time."""
        return (self.load(index) for index in self.indices())

    def path_of(self, index: int) -> Path:
        """The file of an episode."""
        return self.folder / f"episode_{index:06d}.npz"

    def has(self, index: int) -> bool:
        """Whether an episode is there."""
        return self.path_of(index).is_file()

    def indices(self) -> list[int]:
        """The numbers of the episodes that are there, rising."""
        numbers = (path.stem.removeprefix("episode_") for path in self.folder.glob("episode_*.npz"))
        return sorted(int(number) for number in numbers if number.isdecimal())

    def save(self, index: int, episode: Episode) -> Path:
        """Writes an episode and returns its file; an older file of the number is replaced."""
        path = self.path_of(index)
        with written_whole(path) as part, part.open("wb") as file:
            np.savez_compressed(
                file,
                about=_bytes_of(_about(episode)),
                actions=episode.actions,
                rewards=episode.rewards,
                snapshots=_bytes_of(episode.snapshots),
            )
        return path

    def load(self, index: int) -> Episode:
        """Reads an episode.

        Raises:
            EpisodeError: If the file is missing, cut short, damaged, or no episode.
        """
        return load_episode(self.path_of(index))

    def sweep(self) -> None:
        """Removes what a killed writer left behind; not while another writes here."""
        sweep_leftovers(self.folder)


def load_episode(path: Path) -> Episode:
    """Reads an episode's file.

    Raises:
        EpisodeError: If it is missing, cut short, damaged, or no episode's file.
    """
    try:
        return _episode_from(_read(path), path)
    except EpisodeError:
        raise
    except FileNotFoundError:
        raise EpisodeError(f"{path}: there is no such episode.") from None
    except _UNREADABLE as error:
        raise EpisodeError(f"{path}: cut short, damaged, or not an episode's file.") from error


def _about(episode: Episode) -> dict[str, Any]:
    about = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "agent": episode.agent,
        "settings": episode.settings.to_dict(),
        "seed": episode.seed,
        "stage": episode.stage,
        "max_steps": episode.max_steps,
        "status": episode.status,
        "reason": episode.reason,
        "metrics": dict(episode.metrics),
        "final_hash": episode.final_hash,
        "engine_version": episode.engine_version,
        "stages_digest": episode.stages_digest,
    }
    if episode.drawn_by is not None:
        about["drawn_by"] = episode.drawn_by
    if episode.latency is not None:
        return {**about, "latency": episode.latency}
    # A game that waits says nothing of latency, as files did before there was any.
    metrics = {name: value for name, value in episode.metrics.items() if name not in CHARGED}
    return {**about, "metrics": metrics}


def _bytes_of(value: object) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value, ensure_ascii=False).encode(), dtype=np.uint8)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file; raises one of `_UNREADABLE` if it is not whole or not of our kind."""
    with zipfile.ZipFile(path) as archive:
        return {
            name: np.lib.format.read_array(io.BytesIO(archive.read(f"{name}.npy")))
            for name in _ARRAYS
        }


def _episode_from(arrays: dict[str, NDArray[Any]], path: Path) -> Episode:
    about = json.loads(arrays["about"].tobytes())
    if (about["format"], about["version"]) != (FORMAT, FORMAT_VERSION):
        raise EpisodeError(
            f"{path}: holds {about['format']!r} in version {about['version']!r}, "
            f"expected {FORMAT!r} in version {FORMAT_VERSION}."
        )
    del about["format"], about["version"]
    about["settings"] = Settings.from_keywords(about["settings"])
    if about.get("latency") is None:
        about["metrics"] |= dict.fromkeys(CHARGED, 0.0)
    snapshots = json.loads(arrays["snapshots"].tobytes())
    episode = Episode(
        **about, actions=arrays["actions"], rewards=arrays["rewards"], snapshots=snapshots
    )
    _check_shapes(episode)
    return episode


def _check_shapes(episode: Episode) -> None:
    steps = len(episode)
    actions, rewards, snapshots = episode.actions, episode.rewards, episode.snapshots
    fits = actions.shape == (steps, ACTION_LENGTH) and actions.dtype == np.float32
    fits = fits and rewards.shape == (steps,) and rewards.dtype == np.float64
    if not fits or (snapshots is not None and len(snapshots) != steps):
        raise ValueError("arrays of other shapes")
