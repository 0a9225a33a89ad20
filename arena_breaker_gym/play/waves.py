"""`SOUNDS`: how the game sounds, each sound a wave that is computed here, from nothing.

Waves are (samples,) float64 in [-1, 1] that begin and end at rest, so that nothing clicks.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float64]

RATE = 44_100  # samples a second
_REST_S = 0.004  # from rest to full, and back


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
