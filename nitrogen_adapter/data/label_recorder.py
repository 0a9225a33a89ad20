"""`LabelRecorder`: episodes of any Gymnasium environment as labels, while it is played.

`export_labels` does the same with stored episodes, with their frames if asked.

What it writes is the public label layout (see `labels`), which `posttrain --labels` reads.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arena_breaker_gym._runtime.files import (
    PART_SUFFIX,
    claimed,
    folder_written_whole,
    naming,
    put_in_place,
)
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
from nitrogen_adapter.inference import scaled
from nitrogen_adapter.mapping import ActionMapping


class LabelRecorder(gym.Wrapper[Any, Any, Any, Any]):
    """Plays an environment and keeps every episode that is played to its end.

    A frame is what `render` shows before an action, a row what the action is on the gamepad. An
    episode is written when it ends; one that is reset or closed before its end is not kept, so
    give an environment that does not end a time limit (`gymnasium.make(…, max_episode_steps=)`).
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        out: str | Path,
        mapping: ActionMapping,
        *,
        rows_per_step: int | None = None,
        frame_size: int = 256,
    ) -> None:
        """Wrap an environment; episodes are numbered on from those that are there.

        Args:
            env: with `render_mode="rgb_array"`.
            out: folder for the videos, one an episode.
            mapping: the table between its actions and the gamepad.
            rows_per_step: rows of 1/60 s that a step lasts; what `render_fps` tells, where the
                environment has one, or 1.
            frame_size: side, in pixels, of the frames that are written.

        Raises:
            LabelError: if the environment shows no pictures, or a number is out of range.
            ValueError: if another recorder writes into the folder.
        """
        super().__init__(env)
        if env.render_mode != "rgb_array":
            raise LabelError(
                f"render_mode is {env.render_mode!r}; expected 'rgb_array', which gives pictures."
            )
        rows = _rows_per_step(env) if rows_per_step is None else rows_per_step
        for name, value in (("rows_per_step", rows), ("frame_size", frame_size)):
            if value < 1:
                raise LabelError(f"{name} is {value}; expected at least 1.")
        self._out, self._mapping = Path(out), mapping
        self._claims = ExitStack()
        self._claim = self._claims.enter_context(claimed(self._out))
        self._rows_per_step, self._frame_size = rows, frame_size
        self._number = _next_number(self._out)
        self._actions: list[NDArray[Any]] = []
        self._seed: int | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, object] | None = None
    ) -> tuple[Any, dict[str, object]]:
        """Begin an episode; one that has not ended is let go."""
        self._forget()
        self._seed = seed
        return super().reset(seed=seed, options=options)

    def step(self, action: object) -> tuple[Any, SupportsFloat, bool, bool, dict[str, object]]:
        """Note what is seen and done, do it, and write the episode if that was its end.

        Raises:
            LabelError: if the environment draws no RGB picture (H, W, 3) of uint8.
            ValueError: if the action is none of the mapping's, or the folder has been deleted.
            OSError: if it cannot be written, such as on a full disk; it names the episode.
        """
        self._mapping.pack(np.asarray(action)[np.newaxis])  # refuses it before anything happens
        self._keep_frame(self.env.render())
        answer = super().step(action)
        self._actions.append(np.array(action))
        if answer[2] or answer[3]:
            self._write()
        return answer

    def close(self) -> None:
        """Close the environment; an episode that has not ended is let go."""
        self._forget()
        self._claims.close()
        super().close()

    @property
    def _name(self) -> str:
        return f"episode_{self._number:06d}"

    @property
    def _part(self) -> Path:
        return self._out / f".{self._name}{PART_SUFFIX}"

    def _forget(self) -> None:
        self._actions.clear()
        shutil.rmtree(self._part, ignore_errors=True)

    def _keep_frame(self, picture: object) -> None:
        frame = np.asarray(picture)
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise LabelError(
                f"render gives {frame.dtype} {frame.shape}; expected an RGB picture (H, W, 3) of "
                "uint8."
            )
        chunk, row = divmod(len(self._actions) * self._rows_per_step, CHUNK_ROWS)
        folder = chunk_folder(self._part, self._name, chunk) / "frames"
        small = scaled(frame[np.newaxis], self._frame_size)[0]
        self._claim.check()
        with naming(self._out / self._name):
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(small).save(folder / f"{row:06d}.png")

    def _write(self) -> None:
        """Writes the episode that has ended, whole or not at all."""
        packed = self._mapping.pack(np.stack(self._actions))
        rows = gamepad.new_layout(packed, old_layout=self._mapping.settings.old_layout)
        rows = np.repeat(rows, self._rows_per_step, axis=0)
        self._claim.check()
        with naming(self._out / self._name):
            write_chunks(self._part, self._name, {"processed": rows}, self._about())
            put_in_place(self._part, self._out / self._name)
        self._number += 1
        self._actions.clear()

    def _about(self) -> dict[str, object]:
        return {
            "video": self._name,
            "rows_per_second": ROWS_PER_SECOND,
            "rows_per_step": self._rows_per_step,
            "frame_size": self._frame_size,
            "game": self.env.spec.id if self.env.spec else type(self.env.unwrapped).__name__,
            "table": self._mapping.name,
            "seed": self._seed,
            "steps": len(self._actions),
        }


def _rows_per_step(env: gym.Env[Any, Any]) -> int:
    fps = env.metadata.get("render_fps")
    return max(1, round(ROWS_PER_SECOND / fps)) if fps else 1


def _next_number(out: Path) -> int:
    taken = [int(path.name[-6:]) for path in out.glob("episode_" + "[0-9]" * 6)]
    return max(taken, default=-1) + 1


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
) -> dict[str, object]:
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


def _check_same(video: Path, about: dict[str, object]) -> None:
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
