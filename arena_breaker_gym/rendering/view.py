"""`View`: what `env.render()` shows of a batch of arenas: the picture, at any size, with HUD."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.rendering.layers import draw_hud, hud_state_of
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.rendering.size import render_size_of
from arena_breaker_gym.rendering.window import Window

if TYPE_CHECKING:  # arenas stand above rendering: only their type is named here
    from arena_breaker_gym.batch.arenas import Arenas


class View:
    """Pictures of arenas for people, as arrays or in a window."""

    def __init__(self, arenas: Arenas, *, size: int, fps: float) -> None:
        """Prepares the pictures; no window opens yet.

        Args:
            arenas: What to show; it is only read.
            size: Side of the pictures, 64 to 1024 pixels.
            fps: Frames a second in the window.

        Raises:
            ValueError: If the size is not a whole number in that range.
        """
        self._size = render_size_of(size)
        self._arenas = arenas
        self._fps = fps
        self._renderer = Renderer(arenas.loaded.models, size=self._size, skin=arenas.settings.skin)
        self._window: Window | None = None

    def frame(self, index: int = 0) -> NDArray[np.uint8]:
        """One arena as it stands: (size, size, 3) uint8, RGB, with HUD; the caller's to keep."""
        records = self._arenas.records
        picture = self._renderer.compose(records[[index]])[0]
        return draw_hud(picture, hud_state_of(records, index))

    def show(self) -> None:
        """Shows arena 0 in a window, which opens with the first call, at the pace of play."""
        if self._window is None:
            self._window = Window(self._size)
        if self._window.is_open:
            self._window.show(self.frame(), self._fps)

    def close(self) -> None:
        """Closes the window, if there is one."""
        if self._window is not None:
            self._window.close()
