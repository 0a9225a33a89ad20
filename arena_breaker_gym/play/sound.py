"""`Sound`: lets a person hear the game; it reads states, and nothing in the game hears of it.

Waves are (samples,) float64 in [-1, 1] that begin and end at rest, so that nothing clicks.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pygame
from numpy.typing import NDArray

from arena_breaker_gym.engine.arena import DEFEAT, VICTORY
from arena_breaker_gym.play.window import hush

Wave = NDArray[np.float64]

RATE = 44_100  # samples a second
_REST_S = 0.004  # from rest to full, and back

_CHANNELS = 24  # sounds at once; one more is left out
_BUFFER = 512  # samples: 12 ms from an event to its sound

# Which count of a game's statistics goes up with which sound.
_COUNTED = (
    ("shots_fired", "shot"),
    ("hits", "hit"),
    ("kills", "kill"),
    ("damage_taken", "hurt"),
    ("dashes", "dash"),
    ("waves_cleared", "wave clear"),
)


def _swept(first: float, last: float, seconds: float) -> Wave:
    """The phase, in turns, of a tone that glides from one pitch to another, Hz."""
    pitch = np.geomspace(first, last, round(seconds * RATE))
    turns: Wave = np.cumsum(pitch) / RATE
    return turns


def _sine(turns: Wave) -> Wave:
    return np.sin(2.0 * np.pi * turns)


def _soft_square(turns: Wave) -> Wave:
    wave: Wave = np.tanh(3.0 * _sine(turns))
    return wave


def _noise(seconds: float, smooth: int) -> Wave:
    """Noise, the duller the more samples are smoothed; the same each time."""
    raw = np.random.default_rng(7).uniform(-1.0, 1.0, round(seconds * RATE) + smooth - 1)
    dull = np.convolve(raw, np.full(smooth, 1.0 / smooth), mode="valid")
    return _as_loud_as(dull, 1.0)


def _fading(wave: Wave, *, half_s: float, loud: float) -> Wave:
    """The wave, half as loud after each `half_s`, with soft ends."""
    samples = np.arange(len(wave))
    ramp = np.minimum(1.0, samples / (_REST_S * RATE))
    return _as_loud_as(wave * 0.5 ** (samples / (RATE * half_s)) * ramp * ramp[::-1], loud)


def _as_loud_as(wave: Wave, loud: float) -> Wave:
    louder: Wave = wave * (loud / float(np.abs(wave).max()))
    return louder


def _shot() -> Wave:
    return _fading(_soft_square(_swept(940.0, 260.0, 0.10)), half_s=0.022, loud=0.16)


def _hit() -> Wave:
    return _fading(_noise(0.06, 3) + _sine(_swept(520.0, 300.0, 0.06)), half_s=0.014, loud=0.2)


def _kill() -> Wave:
    thud = _sine(_swept(210.0, 55.0, 0.26))
    return _fading(0.8 * thud + 0.6 * _noise(0.26, 14), half_s=0.06, loud=0.42)


def _hurt() -> Wave:
    return _fading(_soft_square(_swept(190.0, 70.0, 0.3)), half_s=0.09, loud=0.45)


def _dash() -> Wave:
    swell = np.sin(np.pi * np.linspace(0.0, 1.0, round(0.2 * RATE))) ** 2
    return _fading(_noise(0.2, 9) * swell, half_s=1.0, loud=0.26)


def _clear() -> Wave:
    return _tune((523.25, 659.25, 783.99), each_s=0.1, loud=0.28)


def _death() -> Wave:
    fall = _soft_square(_swept(330.0, 48.0, 1.0))
    return _fading(fall + 0.7 * _noise(1.0, 24), half_s=0.28, loud=0.5)


def _victory() -> Wave:
    return _tune((523.25, 659.25, 783.99, 1046.5, 783.99, 1046.5), each_s=0.13, loud=0.34)


def _count() -> Wave:
    return _fading(_sine(_swept(660.0, 660.0, 0.12)), half_s=0.04, loud=0.24)


def _go() -> Wave:
    return _fading(_sine(_swept(990.0, 990.0, 0.3)), half_s=0.1, loud=0.28)


def _tune(pitches: Sequence[float], *, each_s: float, loud: float) -> Wave:
    """Notes one after the other, the last one held."""
    notes = [
        _fading(_sine(turns) + 0.25 * _sine(2.0 * turns), half_s=0.12, loud=loud)
        for turns in (
            _swept(pitch, pitch, each_s * (3 if number == len(pitches) else 1))
            for number, pitch in enumerate(pitches, start=1)
        )
    ]
    return np.concatenate(notes)


SOUNDS: Mapping[str, Callable[[], Wave]] = MappingProxyType(
    {
        "shot": _shot,
        "hit": _hit,
        "kill": _kill,
        "hurt": _hurt,
        "dash": _dash,
        "wave clear": _clear,
        "death": _death,
        "victory": _victory,
        "count": _count,
        "go": _go,
    }
)


def heard_between(before: NDArray[np.void], after: NDArray[np.void]) -> Sequence[str]:
    """What there is to be heard of a step: names of `SOUNDS`, each at most once.

    Args:
        before: (1,) record of dtype `engine.arena.ARENA`; it is only read.
        after: (1,) record, a step later.
    """
    then, now = before[0]["statistics"], after[0]["statistics"]
    heard = [sound for count, sound in _COUNTED if now[count] > then[count]]
    outcome = after[0]["outcome"]
    if outcome == before[0]["outcome"]:
        return heard
    ends = {DEFEAT: "death", VICTORY: "victory"}
    return [ends[int(outcome)]] if int(outcome) in ends else heard


class Sound:
    """The loudspeaker; on a machine without one, and when muted, it keeps silent.

    Attributes:
        muted: Whether the person wants no sound.
        works: Whether there is anything to hear it with.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        """Opens the loudspeaker.

        Args:
            wanted: False leaves it alone: it keeps silent for good.
        """
        self.muted = False
        self.works = wanted and _opened()
        self._sounds: dict[str, Any] = {}
        if self.works:
            pygame.mixer.set_num_channels(_CHANNELS)
            self._sounds = {name: _sound_of(make()) for name, make in SOUNDS.items()}

    def play(self, names: Sequence[str]) -> None:
        """Plays some of `SOUNDS`."""
        if self.works and not self.muted:
            for name in names:
                self._sounds[name].play()

    def turn(self) -> None:
        """Mutes it, or lets it be heard again."""
        self.muted = not self.muted
        if self.works and self.muted:
            pygame.mixer.stop()

    def close(self) -> None:
        """Lets go of the loudspeaker."""
        if self.works:
            self.works = False
            pygame.mixer.quit()


def _opened() -> bool:
    try:
        with hush():
            pygame.mixer.init(RATE, -16, 2, _BUFFER, allowedchanges=0)
    except (pygame.error, NotImplementedError):  # no device, or a pygame without its mixer
        return False
    return True


def _sound_of(wave: Wave) -> object:
    """A sound on both sides, 16 bits a sample."""
    samples = np.repeat((32_767 * wave).astype(np.int16), 2)
    return pygame.mixer.Sound(buffer=samples.tobytes())
