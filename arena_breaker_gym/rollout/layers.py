"""`Layers`: what is drawn over a replayed frame for people's eyes; students never see it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.arenas import Arenas


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Which layers lie over a frame; none unless asked for.

    Attributes:
        hud: Hit points, score, stage and wave.
        gamepad: The controller as the agent holds it.
        caption: A line of words.
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
