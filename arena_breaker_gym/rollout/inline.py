"""`inline_video`: an episode as HTML that holds a small video of it, for notebooks."""

import base64
import itertools
from fractions import Fraction
from html import escape
from pathlib import Path

from arena_breaker_gym._runtime.extras import MissingExtraError
from arena_breaker_gym._runtime.files import scratch_folder
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.rollout.encoder import encoder
from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.layers import Layers
from arena_breaker_gym.rollout.replay import replay

SIZE = 256  # pixels a side
LONGEST = 20.0  # s
LARGEST = 1_000_000  # bytes of MP4; a notebook's file takes four thirds of them
_LAYERS = Layers(hud=True, gamepad=True)


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
