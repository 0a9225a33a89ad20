"""Films of episodes: one, or several side by side, drawn in any size and skin.

`Encoder` streams frames to ffmpeg, so that a long film needs no more memory than a short one. It is
our own because moviepy's writer does not look at the status that ffmpeg ends with: on a full disk
it would leave half a film and say nothing. `moviepy_clip` gives an episode to moviepy's own tools.
"""

import base64
import contextlib
import itertools
import math
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.extras import MissingExtraError, require
from arena_breaker_gym._runtime.files import scratch_folder, sweep_leftovers, written_whole
from arena_breaker_gym._runtime.plain import plain_float
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.rendering.frames import frame_size
from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.replay import (
    CAPTION,
    EpisodePainter,
    Layers,
    replay,
    resimulate,
)

if TYPE_CHECKING:
    from moviepy import VideoClip

# For each kind of file, by its suffix, what ffmpeg is to make of the frames.
_FORMATS = {
    ".mp4": [
        *("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2,scale=out_color_matrix=bt709:out_range=tv"),
        *("-c:v", "libx264", "-preset", "fast", "-crf", "18", "-pix_fmt", "yuv420p"),
        *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
        *("-movflags", "+faststart", "-f", "mp4"),
    ],
    # One palette for all frames: what stands still then costs nothing, which makes a GIF of ours
    # 20 times as small as a palette for each frame does.
    ".gif": [
        *("-filter_complex", "[0:v][1:v]paletteuse=dither=none:diff_mode=rectangle"),
        *("-loop", "0", "-f", "gif"),
    ],
}
# From some frames, the 256 colours that suit them best; what differs from one to the next counts,
# or small bright things such as shots would lose theirs to the floor's many shades.
_PALETTE = ["-vf", "palettegen=stats_mode=diff", "-frames:v", "1", "-update", "1"]
SUFFIXES = tuple(_FORMATS)


class VideoError(ValueError):
    """A film cannot be made; the message says which and why."""


class Encoder:
    """A film being written; made by `encoder`."""

    def __init__(self, pipe: IO[bytes], shape: tuple[int, ...]) -> None:
        """Holds the way to ffmpeg and the shape (height, width, 3) that all frames must have."""
        self._pipe = pipe
        self._shape = shape
        self.frames = 0

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Adds a frame, (height, width, 3) uint8 RGB.

        Raises:
            ValueError: If the frame is of another shape or dtype than the film.
            BrokenPipeError: If ffmpeg has given up.
        """
        if frame.shape != self._shape or frame.dtype != np.uint8:
            raise ValueError(
                f"A frame must be {self._shape} uint8, got {frame.shape} {frame.dtype}."
            )
        self._pipe.write(np.ascontiguousarray(frame).data)
        self.frames += 1


def check_name(path: Path) -> None:
    """Refuses a file name of another kind than films have.

    Raises:
        VideoError: If its suffix is neither .mp4 nor .gif, or it is a folder's.
    """
    if path.suffix.lower() not in _FORMATS:
        raise VideoError(f"{path}: a video's name must end in {' or '.join(SUFFIXES)}.")
    if path.is_dir():
        raise VideoError(f"{path}: this is a folder; a video needs a file's name.")


@contextlib.contextmanager
def encoder(
    path: Path, *, width: int, height: int, fps: Fraction, samples: Iterable[NDArray[np.uint8]] = ()
) -> Iterator[Encoder]:
    """Opens a film, which stands under its name once the block has ended well.

    Args:
        path: A name that ends in .mp4 (H.264) or .gif; an older file is replaced.
        width: Of a frame, pixels; an MP4 of odd sides gets a black line more.
        height: Of a frame, pixels.
        fps: Frames a second.
        samples: At least one frame like those to come, whose colours become those of a GIF;
            they are read one at a time, and not at all for an MP4.

    Yields:
        The film to write frames to.

    Raises:
        VideoError: If the name is of another kind, ffmpeg fails, or a GIF has no samples.
        MissingExtraError: If the extra "video" is not installed.
    """
    check_name(path)
    sweep_leftovers(path.parent, of=path.name)
    kind = path.suffix.lower()
    program = require("imageio_ffmpeg", "video").get_ffmpeg_exe()
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps)]
    start = [program, "-y", "-loglevel", "error", *source, "-i", "-"]
    shape = (height, width, 3)
    with (
        scratch_folder() as folder,
        written_whole(path) as part,
    ):
        inputs = []
        if kind == ".gif":
            palette = str(folder / "palette.png")
            with _ffmpeg([*start, *_PALETTE, palette], path, shape) as sampled:
                for frame in samples:
                    sampled.write(frame)
            inputs = ["-i", palette]
        with _ffmpeg([*start, *inputs, *_FORMATS[kind], str(part)], path, shape) as film:
            yield film


@contextlib.contextmanager
def _ffmpeg(command: list[str], path: Path, shape: tuple[int, ...]) -> Iterator[Encoder]:
    """Runs ffmpeg on the frames that the block writes; it has succeeded once the block is left."""
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=complaints)
        pipe = cast("IO[bytes]", process.stdin)
        try:
            # If ffmpeg gives up, its own words follow below.
            with contextlib.suppress(BrokenPipeError), pipe:
                yield Encoder(pipe, shape)
            process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode != 0:
            complaints.seek(0)
            words = " ".join(complaints.read().decode(errors="replace").split())
            raise VideoError(f"{path}: ffmpeg could not write it: {words or 'no reason given'}.")


DEFAULT_SIZE = 512
DEFAULT_LAYERS = Layers(hud=True, caption=True)
SLOWEST, FASTEST = Fraction(1, 10), Fraction(10)
GIF_FASTEST = 50  # frames a second; browsers show those that follow faster ten times too slowly
GAP = 4  # pixels of black between two panels
_SAMPLES = 24  # frames that a GIF's colours are chosen from

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

    def frames(self, every: int) -> Iterator[NDArray[np.uint8]]:
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


def moviepy_clip(
    episode: Episode,
    *,
    skin: str | None = None,
    size: int = DEFAULT_SIZE,
    layers: Layers = DEFAULT_LAYERS,
    caption: str = CAPTION,
) -> "VideoClip":
    """An episode as a clip of moviepy, whose frames are drawn when moviepy asks for them.

    Args:
        episode: Of T steps; the clip lasts as long as the play, and shows its end for a frame.
        skin: Looks; None: those that it was played in.
        size: Side of the frames in pixels, 32 to 1024.
        layers: What is drawn over the frames.
        caption: The words of the caption layer; see `replay`.

    Raises:
        ValueError: If the size is out of range.
        MissingExtraError: If the extra "video" is not installed.
    """
    moviepy = require("moviepy", "video")
    rate = _rate(episode)
    painter = EpisodePainter(
        episode, skin=skin, size=frame_size(size), layers=layers, caption=caption
    )
    moments = _Moments(painter, rate)
    clip = moviepy.VideoClip(moments.at, duration=float((len(episode) + 1) / rate))
    return clip.with_fps(float(rate))


class _Moments:
    """Frames of an episode by their time; to go back, it is played again from its beginning."""

    def __init__(self, painter: EpisodePainter, rate: Fraction) -> None:
        self._painter = painter
        self._rate = rate
        self._play = resimulate(painter.episode)
        self._step = -1
        self._frame: NDArray[np.uint8] | None = None

    def at(self, seconds: float) -> NDArray[np.uint8]:
        # A clip's times are multiples of a frame's, in floating point: just below one is meant.
        wanted = math.floor(seconds * self._rate + 1e-6)
        wanted = max(0, min(wanted, len(self._painter.episode)))
        if wanted == self._step and self._frame is not None:
            return self._frame
        if wanted < self._step:
            self._play, self._step = resimulate(self._painter.episode), -1
        for step, arenas in self._play:
            self._step = step
            if step == wanted:
                self._frame = self._painter.frame(step, arenas)
                break
        assert self._frame is not None
        return self._frame


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
