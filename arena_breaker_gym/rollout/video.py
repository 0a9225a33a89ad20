"""Films of episodes: one, or several side by side, drawn anew in any size and skin."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.rollout.encoder import VideoError, check_name, encoder
from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.layers import Layers
from arena_breaker_gym.rollout.replay import replay

DEFAULT_SIZE = 512
DEFAULT_LAYERS = Layers(hud=True, caption=True)
SLOWEST, FASTEST = Fraction(1, 10), Fraction(10)
GAP = 4  # pixels of black between two panels

Frames = Iterator[NDArray[np.uint8]]


class Film(NamedTuple):
    """What was written: the file, its frames, and frames a second."""

    path: Path
    frames: int
    fps: float


def export_video(
    episode: Episode,
    path: Path,
    *,
    label: str | None = None,
    size: int = DEFAULT_SIZE,
    skin: str | None = None,
    layers: Layers = DEFAULT_LAYERS,
    speed: float = 1.0,
    progress: Callable[[float], None] | None = None,
) -> Film:
    """Writes an episode as a film; see `export_side_by_side`."""
    return export_side_by_side(
        [episode],
        path,
        labels=None if label is None else [label],
        size=size,
        skin=skin,
        layers=layers,
        speed=speed,
        progress=progress,
    )


def export_side_by_side(
    episodes: Sequence[Episode],
    path: Path,
    *,
    labels: Sequence[str] | None = None,
    size: int = DEFAULT_SIZE,
    skin: str | None = None,
    layers: Layers = DEFAULT_LAYERS,
    speed: float = 1.0,
    progress: Callable[[float], None] | None = None,
) -> Film:
    """Writes episodes as one film, side by side from left to right.

    An episode of T steps has T + 1 frames and loses none: at speed 1 they last as long as the
    play, at speed 2 half as long. Shorter episodes hold their last frame. Frames are streamed,
    so memory does not grow with length.

    Args:
        episodes: At least one.
        path: A name that ends in .mp4 or .gif. A GIF counts time in hundredths of a second.
        labels: A caption for each; None: the agents' names.
        size: Side of each panel in pixels, 32 to 1024.
        skin: Looks; None: those that each was played in.
        layers: What is drawn over the frames.
        speed: From 0.1 to 10.
        progress: Called after each frame with the share that is written, in (0, 1].

    Returns:
        What was written.

    Raises:
        ValueError: If an argument is bad, an episode does not replay as recorded, or ffmpeg
            fails (`VideoError`); no file is written then.
        MissingExtraError: If the extra "video" is not installed.
    """
    fps = _fps_of(episodes) * _checked_speed(speed)
    check_name(path)
    names = [episode.agent for episode in episodes] if labels is None else list(labels)
    if len(names) != len(episodes):
        raise VideoError(f"There are {len(episodes)} episodes but {len(names)} labels.")
    panels = [
        replay(episode, skin=skin, size=size, layers=layers, caption=name)
        for episode, name in zip(episodes, names, strict=True)
    ]
    total = max(len(episode) for episode in episodes) + 1
    width = len(panels) * (size + GAP) - GAP
    with encoder(path, width=width, height=size, fps=fps) as film:
        for frame in _side_by_side(panels, size):
            film.write(frame)
            if progress is not None:
                progress(film.frames / total)
    return Film(path, film.frames, float(fps))


def _side_by_side(panels: Sequence[Frames], size: int) -> Frames:
    """Frames of all panels in one; a panel that has ended holds its last frame."""
    wide = np.zeros((size, len(panels) * (size + GAP) - GAP, 3), np.uint8)
    for moments in itertools.zip_longest(*panels):
        for column, frame in enumerate(moments):
            if frame is not None:
                left = column * (size + GAP)
                wide[:, left : left + size] = frame
        yield wide


def _fps_of(episodes: Sequence[Episode]) -> Fraction:
    rates = {Fraction(TICKS_PER_SECOND, episode.settings.frame_skip) for episode in episodes}
    if not rates:
        raise VideoError("A video needs at least one episode.")
    if len(rates) > 1:
        raise VideoError("Episodes side by side must have the same frame_skip.")
    return rates.pop()


def _checked_speed(speed: float) -> Fraction:
    if not SLOWEST <= speed <= FASTEST:
        raise VideoError(
            f"speed must be a number from {float(SLOWEST)} to {float(FASTEST)}, got {speed!r}."
        )
    return Fraction(speed).limit_denominator(100)
