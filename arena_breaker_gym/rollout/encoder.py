"""`Encoder`: streams frames to ffmpeg, so a long film needs no more memory than a short one."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym._runtime.files import scratch_folder, sweep_leftovers, written_whole

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

Frames = Iterable[NDArray[np.uint8]]


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
    path: Path, *, width: int, height: int, fps: Fraction, samples: Frames = ()
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
