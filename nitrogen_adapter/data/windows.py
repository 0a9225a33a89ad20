"""`ChunkSettings`: which moments of an episode become examples, and the idle rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nitrogen_adapter import gamepad


@dataclass(frozen=True, kw_only=True)
class ChunkSettings:
    """Which moments of an episode become examples, and what an example shows.

    Attributes:
        horizon: actions in a chunk.
        stride: steps from one example to the next.
        action_shift: steps between the frame and the first action of its chunk.
        idle_threshold: a stick longer than this, or a button, makes a step busy. The public
            data set's figure.
        busy_share: least share of busy steps for a chunk to be kept. The article's half.
        frames: frames that an example shows, the newest of them its moment. Moments too early in
            an episode to have all of them are left out.
        frame_spacing: steps between two of these frames; a chunk's length unless told otherwise.
    """

    horizon: int = 18
    stride: int = 1
    action_shift: int = 0
    idle_threshold: float = 0.1
    busy_share: float = 0.5
    frames: int = 1
    frame_spacing: int = 18

    def __post_init__(self) -> None:
        """Refuse settings that cannot be meant.

        Raises:
            ValueError: if so, naming the setting.
        """
        leasts = {"horizon": 1, "stride": 1, "action_shift": 0, "frames": 1, "frame_spacing": 1}
        for name, least in leasts.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least {least}.")

    @property
    def look_back(self) -> NDArray[np.int64]:
        """Steps from a moment back to each of its frames (frames,), the oldest first, then 0."""
        return np.arange(self.frames - 1, -1, -1, dtype=np.int64) * self.frame_spacing


def busy_steps(actions: NDArray[np.float32], settings: ChunkSettings) -> NDArray[np.bool_]:
    """Which of (T, 5) actions press the dash or a stick beyond the idle threshold; (T,)."""
    move = np.hypot(actions[:, 0], actions[:, 1])
    aim = np.hypot(actions[:, 2], actions[:, 3])
    pressed = actions[:, 4] > gamepad.DOWN
    busy: NDArray[np.bool_] = (np.maximum(move, aim) > settings.idle_threshold) | pressed
    return busy


def busy_rows(
    rows: NDArray[np.float32], settings: ChunkSettings, *, old_layout: bool = False
) -> NDArray[np.bool_]:
    """Which of (T, 25) gamepad rows press a button or a stick beyond the idle threshold; (T,)."""
    busy: NDArray[np.bool_] = np.any(in_use(rows, settings, old_layout=old_layout), axis=1)
    return busy


def in_use(
    rows: NDArray[np.float32], settings: ChunkSettings, *, old_layout: bool = False
) -> NDArray[np.bool_]:
    """What each of (T, 25) gamepad rows uses.

    Returns:
        (T, 23) for the 21 buttons, the left and the right stick.
    """
    plain = gamepad.new_layout(rows, old_layout=old_layout)
    used = np.empty((len(rows), len(gamepad.BUTTONS) + 2), dtype=np.bool_)
    used[:, :-2] = plain[:, gamepad.NEW_LAYOUT.buttons] > gamepad.DOWN
    for column, stick in ((-2, gamepad.NEW_LAYOUT.left), (-1, gamepad.NEW_LAYOUT.right)):
        x, y = (plain[:, stick] * 2.0 - 1.0).T
        used[:, column] = np.hypot(x, y) > settings.idle_threshold
    return used


def chunk_starts(steps: int, settings: ChunkSettings) -> NDArray[np.int64]:
    """Every moment of so many steps that could be an example.

    All its frames lie before it and a whole chunk lies after it.
    """
    first = int(settings.look_back[0])
    end = steps - settings.action_shift - settings.horizon + 1
    return np.arange(first, max(end, first), settings.stride, dtype=np.int64)


def kept_of(busy: NDArray[np.bool_], settings: ChunkSettings) -> NDArray[np.int64]:
    """The moments whose chunks are busy enough to be kept, by the busy steps (T,)."""
    starts = chunk_starts(len(busy), settings)
    share = chunk_sums(busy, starts, settings) / settings.horizon
    kept: NDArray[np.int64] = starts[share >= settings.busy_share]
    return kept


def kept_starts(actions: NDArray[np.float32], settings: ChunkSettings) -> NDArray[np.int64]:
    """The moments of (T, 5) actions whose chunks are busy enough to be kept."""
    return kept_of(busy_steps(actions, settings), settings)


def chunk_sums(
    marks: NDArray[np.bool_], starts: NDArray[np.int64], settings: ChunkSettings
) -> NDArray[np.int64]:
    """How many steps of each moment's chunk are marked.

    Args:
        marks: (T, ...) by step.
        starts: (n,) moments with a whole chunk after them.
        settings: where a chunk lies.

    Returns:
        (n, ...) counts, 0 to `horizon`.
    """
    if len(starts) == 0:
        return np.zeros((0, *marks.shape[1:]), dtype=np.int64)
    before = np.zeros((len(marks) + 1, *marks.shape[1:]), dtype=np.int64)
    np.cumsum(marks, axis=0, out=before[1:])
    first = starts + settings.action_shift
    sums: NDArray[np.int64] = before[first + settings.horizon] - before[first]
    return sums
