"""`export_labels`: stored episodes as the public label layout, with their frames if asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arena_breaker_gym._runtime.files import folder_written_whole
from arena_breaker_gym.rollout import Episode, EpisodeStore, replay
from nitrogen_adapter import gamepad
from nitrogen_adapter.data.labels import (
    CHUNK_ROWS,
    ROWS_PER_SECOND,
    LabelError,
    chunk_folder,
    read_metadata,
    write_chunks,
)
from nitrogen_adapter.gamepad import DEFAULT_GAMEPAD, NEW_LAYOUT, GamepadSettings

FORMAT = "arena-breaker-labels"
FORMAT_VERSION = 1


def export_labels(
    store: EpisodeStore,
    out: str | Path,
    *,
    shard: str = "shard_0000",
    frame_size: int | None = None,
    buttons: GamepadSettings = DEFAULT_GAMEPAD,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write every stored episode as a "video" of the public label layout (see `labels`).

    A step of the game becomes as many equal rows as it has ticks, two unless the game's
    `frame_skip` says otherwise, so that a row is 1/60 s. Episodes that the agent failed are left
    out. A second call goes on where an interrupted one stopped.

    Args:
        store: the episodes; number 7 becomes the video `episode_000007`.
        out: folder for the shard.
        shard: the shard's name.
        frame_size: side, in pixels, of the frames written beside the labels, one a step; None
            writes none.
        buttons: how actions lie on the gamepad. Labels always have plain columns, so its
            `old_layout` is of no matter.
        progress: told after every episode how many are done, and of how many.

    Returns:
        The folders of the videos, in order.

    Raises:
        LabelError: if there is no episode to export, or a folder holds another one already.
        ValueError: if an episode is damaged, or does not play as recorded where it is drawn.
    """
    indices = store.indices()
    videos: list[Path] = []
    for number, index in enumerate(indices):
        episode = store.load(index)
        if not episode.failed and len(episode) > 0:
            video = Path(out) / shard / f"episode_{index:06d}"
            _export(episode, video, frame_size=frame_size, buttons=buttons)
            videos.append(video)
        if progress is not None:
            progress(number + 1, len(indices))
    if not videos:
        raise LabelError(f"{store.folder}: holds no episode to export.")
    return videos


def _export(
    episode: Episode, video: Path, *, frame_size: int | None, buttons: GamepadSettings
) -> None:
    """Writes one video, whole or not at all."""
    about = _about(episode, video.name, frame_size=frame_size, buttons=buttons)
    if video.exists():
        _check_same(video, about)
        return
    repeat = episode.settings.frame_skip
    kinds = {
        "raw": np.repeat(_asked(episode.actions, buttons), repeat, axis=0),
        "processed": np.repeat(_made(episode.actions, buttons), repeat, axis=0),
    }
    with folder_written_whole(video) as part:
        write_chunks(part, video.name, kinds, about)
        if frame_size is not None:
            _draw(episode, part, video.name, frame_size)


def _draw(episode: Episode, part: Path, name: str, size: int) -> None:
    """Writes the frame of every step, numbered by the first of its rows."""
    frames = replay(episode, size=size)
    for step, frame in enumerate(frames):
        if step == len(episode):
            continue  # the end belongs to no action, but reaching it checks the episode
        chunk, row = divmod(step * episode.settings.frame_skip, CHUNK_ROWS)
        folder = chunk_folder(part, name, chunk) / "frames"
        folder.mkdir(exist_ok=True)
        Image.fromarray(frame).save(folder / f"{row:06d}.png")


def _about(
    episode: Episode, name: str, *, frame_size: int | None, buttons: GamepadSettings
) -> dict[str, Any]:
    """What a chunk's metadata say of the whole video."""
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "video": name,
        "rows_per_second": ROWS_PER_SECOND,
        "rows_per_step": episode.settings.frame_skip,
        "frame_size": frame_size,
        "dash_button": buttons.dash_button,
        "agent": episode.agent,
        "seed": episode.seed,
        "stage": episode.stage,
        "steps": len(episode),
        "final_hash": episode.final_hash,
    }


def _check_same(video: Path, about: dict[str, Any]) -> None:
    written = read_metadata(chunk_folder(video, video.name, 0))
    if any(written.get(name) != value for name, value in about.items()):
        raise LabelError(
            f"{video}: holds labels of another episode, or written otherwise; "
            "export to another folder."
        )


def _made(actions: NDArray[np.float32], buttons: GamepadSettings) -> NDArray[np.float32]:
    """Plain-layout rows of what the game made of (T, 5) actions."""
    rows = gamepad.pack(actions, buttons)
    return gamepad.new_layout(rows, old_layout=buttons.old_layout)


def _asked(actions: NDArray[np.float32], buttons: GamepadSettings) -> NDArray[np.float32]:
    """Plain-layout rows of what the agent asked for, each axis limited to [-1, 1]."""
    rows = gamepad.at_rest((len(actions),))
    limited = actions.clip(-1.0, 1.0)
    rows[:, NEW_LAYOUT.left] = (limited[:, 0:2] + 1.0) / 2.0
    rows[:, NEW_LAYOUT.right] = (limited[:, 2:4] + 1.0) / 2.0
    rows[:, gamepad.BUTTONS.index(buttons.dash_button)] = limited[:, 4] > gamepad.DOWN
    return gamepad.new_layout(gamepad.arranged(rows, buttons), old_layout=buttons.old_layout)
