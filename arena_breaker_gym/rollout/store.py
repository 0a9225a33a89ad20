"""`EpisodeStore`: a folder with one file an episode, each of which is there whole or not at all."""

import contextlib
import itertools
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.files import make_folder, sweep_leftovers, written_whole
from arena_breaker_gym._runtime.stored import (
    Arrays,
    StoredError,
    is_number,
    is_text,
    is_whole,
    json_in,
    open_stored,
    shortened,
)
from arena_breaker_gym.batch.arenas import ACTION_LENGTH
from arena_breaker_gym.rollout.episode import STATUSES, Episode, StoredEpisode, checked_latency
from arena_breaker_gym.rollout.metrics import CHARGED, METRICS
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.stages.loader import load_campaign, texts_of

_MOST_STAGES = 100
_DIGEST = 64  # hexadecimal digits of a SHA-256

FORMAT = "arena-breaker-episode"
FORMAT_VERSION = 1
# What a valid episode can hold: more is not read.
MOST_STEPS = 2_000_000  # 18 hours of play
_ABOUT = 2**22  # bytes, of which the texts of stages of your own may need most
_SNAPSHOT = 8192  # bytes; with all slots taken it has some 6,000
_PACKED = 250  # times; snapshots of a player who stands idle shrink to a 60th


def check_about(about: Mapping[str, object]) -> None:
    """Refuses what no episode says of itself.

    Args:
        about: What the file says, by name, less its format.

    Raises:
        StoredError: If something is missing, or not of the kind that it must be.
    """
    missing = [name for name in _KINDS if name not in about and name not in _UNSAID]
    if missing:
        raise StoredError(f"it says nothing of {missing[0]!r}")
    for name, value in about.items():
        fits = _KINDS.get(name)
        if fits is None or not fits(value):
            raise StoredError(f"{shortened(name)} cannot be {shortened(value)}")


def _is_agent(value: object) -> bool:
    return is_text(value, longest=10_000)


def _is_settings(value: object) -> bool:
    if not isinstance(value, dict) or not is_text(value.get("skin", "")):
        return False
    stages = value.get("stages")
    return stages is None or (
        isinstance(stages, list)
        and 0 < len(stages) <= _MOST_STAGES
        and all(isinstance(one, str) for one in stages)
    )


def _are_metrics(value: object) -> bool:
    if not isinstance(value, dict) or not value.keys() <= METRICS.keys():
        return False
    needed = METRICS.keys() - CHARGED
    return needed <= value.keys() and all(is_number(one) for one in value.values())


def _is_digest(value: object) -> bool:
    return is_text(value, longest=_DIGEST)


def _is_latency(value: object) -> bool:
    try:
        return value is None or checked_latency(value) is not None
    except ValueError:
        return False


def _may_be_name(value: object) -> bool:
    return value is None or is_text(value)


_KINDS: Mapping[str, Callable[[object], bool]] = {
    "agent": _is_agent,
    "settings": _is_settings,
    "seed": partial(is_whole, most=2**256),
    "stage": partial(is_whole, least=1, most=_MOST_STAGES),
    "max_steps": partial(is_whole, least=1),
    "status": STATUSES.__contains__,
    "reason": _is_agent,
    "metrics": _are_metrics,
    "final_hash": _is_digest,
    "engine_version": is_whole,
    "stages_digest": _is_digest,
    "latency": _is_latency,
    "drawn_by": _may_be_name,
}
_UNSAID = ("latency", "drawn_by")


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


def load_episode(path: Path, *, stages: Sequence[str | Path] | None = None) -> Episode:
    """Reads an episode's file.

    Nothing that the file names is opened: an episode on stages of your own holds their texts.
    Those of earlier versions hold only paths, and are played again on what `stages` names.

    Args:
        path: The file.
        stages: The stage files that it was played on; None: those in the file.

    Raises:
        EpisodeError: If it is missing, cut short, damaged, or no episode's file.
    """
    try:
        episode = _episode_from(path)
    except EpisodeError:
        raise
    except FileNotFoundError:
        raise EpisodeError(f"{path}: there is no such episode.") from None
    except StoredError as error:
        raise EpisodeError(
            f"{path}: cut short, damaged, or not an episode's file ({error})."
        ) from error
    # A damaged file can make its readers fail in any way; none of them is worth telling apart.
    except Exception as error:
        raise EpisodeError(f"{path}: cut short, damaged, or not an episode's file.") from error
    return episode if stages is None else episode.named(_file_names(stages))


def _about(episode: Episode) -> dict[str, object]:
    about = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "agent": episode.agent,
        "settings": _settings(episode),
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


def _settings(episode: Episode) -> dict[str, object]:
    """Its settings, in which stages of your own stand as texts: files may move or change."""
    values = episode.settings.to_dict()
    if episode.settings.stages is not None and not isinstance(episode, StoredEpisode):
        with contextlib.suppress(ValueError):  # the files are gone or changed: their names stay
            texts = texts_of(episode.settings.stages)
            if load_campaign(texts).digest == episode.stages_digest:
                values["stages"] = texts
    return values


def _file_names(stages: Sequence[str | Path]) -> list[str]:
    return [str(one) for one in stages]


def _bytes_of(value: object) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value, ensure_ascii=False).encode(), dtype=np.uint8)


def _episode_from(path: Path) -> StoredEpisode:
    with open_stored(path) as file, zipfile.ZipFile(file) as archive:
        arrays = Arrays(archive)
        about = json_in(arrays.read("about", dtype=np.uint8, columns=None, most=_ABOUT).tobytes())
        _check_format(about, path)
        rewards = arrays.read("rewards", dtype=np.float64, columns=None, most=MOST_STEPS)
        actions = arrays.read("actions", dtype=np.float32, columns=ACTION_LENGTH, most=len(rewards))
        most = min(_SNAPSHOT * (len(rewards) + 1), _ABOUT + _PACKED * arrays.packed("snapshots"))
        text = arrays.read("snapshots", dtype=np.uint8, columns=None, most=most).tobytes()
    del about["format"], about["version"]
    check_about(about)
    about["settings"] = Settings.from_keywords(about["settings"])
    if about.get("latency") is None:
        about["metrics"] |= dict.fromkeys(CHARGED, 0.0)
    episode = StoredEpisode(**about, actions=actions, rewards=rewards, snapshots=json_in(text))
    _check_play(episode)
    return episode


def _check_format(about: object, path: Path) -> None:
    if not isinstance(about, dict):
        raise StoredError("it says nothing of itself")
    if (about.get("format"), about.get("version")) != (FORMAT, FORMAT_VERSION):
        raise EpisodeError(
            f"{path}: holds {shortened(about.get('format'))} in version "
            f"{shortened(about.get('version'))}, expected {FORMAT!r} in version {FORMAT_VERSION}."
        )


def _check_play(episode: Episode) -> None:
    steps, snapshots = len(episode), episode.snapshots
    if len(episode.rewards) != steps or steps > episode.max_steps:
        raise StoredError("it has more or fewer steps than it says")
    if not np.isfinite(episode.actions).all() or not np.isfinite(episode.rewards).all():
        raise StoredError("an action or a reward is no number")
    if snapshots is None:
        return
    if not isinstance(snapshots, list) or len(snapshots) != steps:
        raise StoredError("it has more or fewer snapshots than steps")
    if not all(isinstance(one, dict) for one in snapshots):
        raise StoredError("a snapshot is none")


@contextmanager
def claimed_number(store: EpisodeStore) -> Iterator[int]:
    """Gives the next number, which no other process is given while the block saves under it.

    A claim is an empty hidden file. One whose process was killed stays, and its number is
    left out.

    Args:
        store: Where an episode is to be saved; the folder is made if it is missing.

    Yields:
        The number.

    Raises:
        OSError: If the folder cannot be written.
    """
    make_folder(store.folder)
    for number in itertools.count(max(store.indices(), default=-1) + 1):
        claim = store.folder / f".episode_{number:06d}.claim"
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            continue
        try:
            if store.has(number):  # saved and let go of since we looked
                continue
            yield number
            return
        finally:
            claim.unlink()
