"""Films of episodes: one, or several side by side, drawn in any size and skin."""

import base64
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.extras import MissingExtraError
from arena_breaker_gym._runtime.files import scratch_folder
from arena_breaker_gym._runtime.plain import plain_float
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.rendering.frames import frame_size
from arena_breaker_gym.rollout.encoder import VideoError, check_name, encoder
from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.replay import CAPTION, Layers, replay

DEFAULT_SIZE = 512
DEFAULT_LAYERS = Layers(hud=True, caption=True)
SLOWEST, FASTEST = Fraction(1, 10), Fraction(10)
GIF_FASTEST = 50  # frames a second; browsers show those that follow faster ten times too slowly
GAP = 4  # pixels of black between two panels
_SAMPLES = 24  # frames that a GIF's colours are chosen from

Frames = Iterator[NDArray[np.uint8]]

SIZE = 256  # pixels a side
LONGEST = 20.0  # s
LARGEST = 1_000_000  # bytes of MP4; a notebook's file takes four thirds of them
_LAYERS = Layers(hud=True, gamepad=True)


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
    fps: float | None = None,
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
        fps=fps,
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
    fps: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> Film:
    """Writes episodes as one film, side by side from left to right.

    An episode of T steps has T + 1 frames and loses none, unless `fps` says so: at speed 1 they
    last as long as the play, at speed 2 half as long. Shorter episodes hold their last frame.
    Frames are drawn as they are written, so memory does not grow with length.

    Args:
        episodes: At least one.
        path: A name that ends in .mp4 or .gif. A GIF counts time in hundredths of a second, and
            shows at most 50 frames a second.
        labels: A caption for each, in which {agent}, {seed}, {kills} and {score} stand for the
            episode's; None: agent, seed and kills.
        size: Side of each panel in pixels, 32 to 1024.
        skin: Looks; None: those that each was played in.
        layers: What is drawn over the frames.
        speed: From 0.1 to 10.
        fps: Frames a second: as many as there are, or those divided by 2, 3, 4 …, where each
            2nd, 3rd, 4th … frame is shown, and the end. None: all of them, in a GIF as many as
            it can show.
        progress: Called after each frame with the share that is written, in (0, 1].

    Returns:
        What was written.

    Raises:
        ValueError: If an argument is bad, an episode does not replay as recorded, or ffmpeg
            fails (`VideoError`); no file is written then.
        MissingExtraError: If the extra "video" is not installed.
    """
    size = frame_size(size)
    rate = _fps_of(episodes) * _checked_speed(speed)
    check_name(path)
    every = _every(rate, fps, gif=path.suffix.lower() == ".gif")
    captions = [CAPTION] * len(episodes) if labels is None else list(labels)
    if len(captions) != len(episodes):
        raise VideoError(f"There are {len(episodes)} episodes but {len(captions)} labels.")
    scene = _Scene(episodes, captions, size, skin, layers)
    total = -(-scene.steps // every) + 1
    samples = scene.frames(every * max(1, total // _SAMPLES))
    fps_shown = rate / every
    with encoder(path, width=scene.width, height=size, fps=fps_shown, samples=samples) as film:
        for frame in scene.frames(every):
            film.write(frame)
            if progress is not None:
                progress(film.frames / total)
    return Film(path, film.frames, float(fps_shown))


@dataclass(frozen=True)
class _Scene:
    """Episodes side by side."""

    episodes: Sequence[Episode]
    captions: Sequence[str]
    size: int
    skin: str | None
    layers: Layers

    @property
    def steps(self) -> int:
        return max(len(episode) for episode in self.episodes)

    @property
    def width(self) -> int:
        return len(self.episodes) * (self.size + GAP) - GAP

    def frames(self, every: int) -> Frames:
        """Frames of all panels in one; a panel that has ended holds its last frame."""
        panels = [
            replay(
                episode,
                skin=self.skin,
                size=self.size,
                layers=self.layers,
                caption=caption,
                every=every,
            )
            for episode, caption in zip(self.episodes, self.captions, strict=True)
        ]
        wide = np.zeros((self.size, self.width, 3), np.uint8)
        for moments in itertools.zip_longest(*panels):
            for column, frame in enumerate(moments):
                if frame is not None:
                    left = column * (self.size + GAP)
                    wide[:, left : left + self.size] = frame
            yield wide


def _fps_of(episodes: Sequence[Episode]) -> Fraction:
    rates = {Fraction(TICKS_PER_SECOND, episode.settings.frame_skip) for episode in episodes}
    if not rates:
        raise VideoError("A video needs at least one episode.")
    if len(rates) > 1:
        raise VideoError("Episodes side by side must have the same frame_skip.")
    return rates.pop()


def _checked_speed(speed: float) -> Fraction:
    speed = plain_float("speed", speed)
    if not SLOWEST <= speed <= FASTEST:
        raise VideoError(
            f"speed must be a number from {float(SLOWEST)} to {float(FASTEST)}, got {speed!r}."
        )
    return Fraction(speed).limit_denominator(100)


def _every(rate: Fraction, fps: float | None, *, gif: bool) -> int:
    """One frame in how many is shown, of `rate` a second that there are."""
    fewest = -(-rate // GIF_FASTEST) if gif else 1
    if fps is None:
        return fewest
    fps = plain_float("fps", fps)
    every = round(rate / Fraction(fps)) if 0 < fps <= rate else 0
    if every < fewest or abs(float(rate / every) - fps) > 0.01 * fps:
        choices = ", ".join(f"{float(rate / n):.3g}" for n in range(fewest, fewest + 5))
        raise VideoError(
            f"fps must leave out frames evenly, so here one of {choices}, …; got {fps!r}."
        )
    return every


def inline_video(episode: Episode, *, seconds: float = LONGEST, largest: int = LARGEST) -> str:
    """A figure with the episode's video, complete in itself, and a line on who played what.

    Nothing is left on disk. Where there can be no video, because the extra "video" is not
    installed or the episode does not replay, words say so in its place.

    Args:
        episode: Any episode.
        seconds: At most so much of it is shown, from its beginning.
        largest: Bytes that the video may have; a longer beginning than that allows is halved
            until it fits.

    Returns:
        HTML.
    """
    try:
        film, shown = _film(episode, seconds, largest)
    except (MissingExtraError, ValueError, OSError) as error:
        return f"<p>{escape(_title(episode))}</p><p>No video: {escape(str(error))}</p>"
    source = f"data:video/mp4;base64,{base64.b64encode(film).decode('ascii')}"
    cut = "" if shown == len(episode) + 1 else f" (the first {float(shown / _rate(episode)):.0f} s)"
    return (
        f'<figure style="margin: 0; width: {SIZE}px">'
        f'<video controls loop muted playsinline width="{SIZE}" height="{SIZE}" src="{source}">'
        f"This reader shows no videos.</video>"
        f"<figcaption>{escape(_title(episode) + cut)}</figcaption></figure>"
    )


def _film(episode: Episode, seconds: float, largest: int) -> tuple[bytes, int]:
    """An MP4 of the beginning, and the number of its frames."""
    rate = _rate(episode)
    frames = max(1, min(len(episode) + 1, int(seconds * rate)))
    while True:
        with scratch_folder() as folder:
            path = Path(folder, "episode.mp4")
            with encoder(path, width=SIZE, height=SIZE, fps=rate) as film:
                for frame in itertools.islice(replay(episode, size=SIZE, layers=_LAYERS), frames):
                    film.write(frame)
            if frames == 1 or path.stat().st_size <= largest:
                return path.read_bytes(), frames
        frames //= 2


def _rate(episode: Episode) -> Fraction:
    return Fraction(TICKS_PER_SECOND, episode.settings.frame_skip)


def _title(episode: Episode) -> str:
    kills = int(episode.metrics.get("kills", 0))
    length = float(len(episode) / _rate(episode))
    return (
        f"{episode.agent} · seed {episode.seed} · stage {episode.stage} · kills {kills} · "
        f"{length:.1f} s · {episode.reason}"
    )
