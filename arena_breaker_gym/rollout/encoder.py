"""`Encoder`: streams frames to ffmpeg, so a long film needs no more memory than a short one."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.extras import require
from arena_breaker_gym.files import written_whole

# For each kind of file, by its suffix, what ffmpeg is to make of the frames.
_FORMATS = {
    ".mp4": [
        *("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2,scale=out_color_matrix=bt709:out_range=tv"),
        *("-c:v", "libx264", "-preset", "fast", "-crf", "18", "-pix_fmt", "yuv420p"),
        *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
        *("-movflags", "+faststart", "-f", "mp4"),
    ],
    # A palette for each frame: one for all would need every frame in memory first.
    ".gif": [
        "-filter_complex",
        "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=none:diff_mode=rectangle",
        *("-loop", "0", "-f", "gif"),
    ],
}
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
        VideoError: If its suffix is neither .mp4 nor .gif.
    """
    if path.suffix.lower() not in _FORMATS:
        raise VideoError(f"{path}: a video's name must end in {' or '.join(SUFFIXES)}.")


@contextlib.contextmanager
def encoder(path: Path, *, width: int, height: int, fps: Fraction) -> Iterator[Encoder]:
    """Opens a film, which stands under its name once the block has ended well.

    Args:
        path: A name that ends in .mp4 (H.264) or .gif; an older file is replaced.
        width: Of a frame, pixels; an MP4 of odd sides gets a black line more.
        height: Of a frame, pixels.
        fps: Frames a second.

    Yields:
        The film to write frames to.

    Raises:
        VideoError: If the name is of another kind, or ffmpeg fails.
        MissingExtraError: If the extra "video" is not installed.
    """
    check_name(path)
    program = require("imageio_ffmpeg", "video").get_ffmpeg_exe()
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps))
    with written_whole(path) as part, tempfile.TemporaryFile() as complaints:
        command = [program, "-y", "-loglevel", "error", *source, "-i", "-", "-an"]
        command += [*_FORMATS[path.suffix.lower()], str(part)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=complaints)
        pipe = cast("IO[bytes]", process.stdin)
        try:
            # If ffmpeg gives up, its own words follow below.
            with contextlib.suppress(BrokenPipeError), pipe:
                yield Encoder(pipe, (height, width, 3))
            process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode != 0:
            complaints.seek(0)
            words = " ".join(complaints.read().decode(errors="replace").split())
            raise VideoError(f"{path}: ffmpeg could not write it: {words or 'no reason given'}.")
