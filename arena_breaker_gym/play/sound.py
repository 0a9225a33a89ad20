"""`Sound`: lets a person hear the game; it reads states, and nothing in the game hears of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pygame
from numpy.typing import NDArray

from arena_breaker_gym.engine.arena import DEFEAT, VICTORY
from arena_breaker_gym.play.hush import hush
from arena_breaker_gym.play.waves import RATE, SOUNDS, Wave

_CHANNELS = 24  # sounds at once; one more is left out
_BUFFER = 512  # samples: 12 ms from an event to its sound

# Which count of a game's tally goes up with which sound.
_COUNTED = (
    ("shots_fired", "shot"),
    ("hits", "hit"),
    ("kills", "kill"),
    ("damage_taken", "hurt"),
    ("dashes", "dash"),
    ("waves_cleared", "wave clear"),
)


def heard_between(before: NDArray[np.void], after: NDArray[np.void]) -> Sequence[str]:
    """What there is to be heard of a step: names of `SOUNDS`, each at most once.

    Args:
        before: (1,) record of dtype `engine.arena.ARENA`; it is only read.
        after: (1,) record, a step later.
    """
    then, now = before[0]["tally"], after[0]["tally"]
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


def _sound_of(wave: Wave) -> Any:
    """A sound on both sides, 16 bits a sample."""
    samples = np.repeat((32_767 * wave).astype(np.int16), 2)
    return pygame.mixer.Sound(buffer=samples.tobytes())
