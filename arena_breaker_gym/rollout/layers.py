"""`Layers`: what is drawn over a replayed frame for people's eyes; students never see it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.batch.arenas import Arenas

CAPTION = "{agent}  ·  seed {seed}  ·  kills {kills}"
_PLACES = re.compile(r"\{(agent|seed|kills|score)\}")


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Which layers lie over a frame; none unless asked for.

    Attributes:
        hud: Hit points, dash, stage, wave, score and kills, in a bar along the top.
        gamepad: The controller as the agent holds it.
        caption: A line of words, in a bar along the bottom.
    """

    hud: bool = False
    gamepad: bool = False
    caption: bool = False

    def over(
        self,
        frame: NDArray[np.uint8],
        arenas: Arenas,
        *,
        action: NDArray[np.float32] | None = None,
        caption: str = "",
    ) -> NDArray[np.uint8]:
        """The frame with the layers over it.

        Args:
            frame: (size, size, 3) uint8; it stays as it is.
            arenas: A batch of one, at the moment that the frame shows.
            action: (5,) what the agent does at that moment; None: no controller is drawn.
            caption: The words.
        """
        from arena_breaker_gym.rendering import layers

        if self.hud:
            frame = layers.draw_hud(frame, layers.hud_state_of(arenas.records, 0))
        if self.gamepad and action is not None:
            frame = layers.draw_gamepad(frame, action)
        if self.caption and caption:
            frame = layers.draw_caption(frame, caption)
        return frame


def filled(caption: str, figures: Mapping[str, object]) -> str:
    """A caption with its places taken by figures; other braces stay as they are.

    Args:
        caption: Words, with {agent}, {seed}, {kills} and {score} wherever those belong.
        figures: What stands there, by these four names.
    """
    return _PLACES.sub(lambda place: str(figures[place[1]]), caption)
