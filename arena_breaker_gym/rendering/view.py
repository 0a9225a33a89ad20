"""`View`: what `env.render()` shows of a batch; `ViewWindow`: a pane for it on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pygame
from numpy.typing import NDArray

from arena_breaker_gym.rendering.frames import render_size_of
from arena_breaker_gym.rendering.layers import draw_hud, hud_state_of
from arena_breaker_gym.rendering.renderer import Renderer

if TYPE_CHECKING:
    from arena_breaker_gym.batch.arenas import Arenas


class ViewWindow:
    """A square window. pygame has one a process: a second takes the first one's place.

    When the user closes it, play goes on unseen: further frames are dropped.
    """

    _latest: ClassVar[ViewWindow | None] = None  # pygame's own surface is the same object for all

    def __init__(self, size: int, title: str = "Arena Breaker") -> None:
        """Opens the window.

        Args:
            size: Side of the frames to come, pixels.
            title: What stands in its title bar.

        Raises:
            RuntimeError: If there is no screen to open it on.
        """
        try:
            pygame.display.init()
            self._screen: pygame.Surface | None = pygame.display.set_mode((size, size))
        except pygame.error as error:
            raise RuntimeError(
                f"No window can be opened here ({error}): use render_mode='rgb_array' instead."
            ) from None
        ViewWindow._latest = self
        pygame.display.set_caption(title)
        self._clock = pygame.time.Clock()

    @property
    def is_open(self) -> bool:
        """Whether frames are still shown."""
        mine = ViewWindow._latest is self and self._screen is not None
        return mine and pygame.display.get_surface() is self._screen

    def show(self, frame: NDArray[np.uint8], fps: float) -> None:
        """Shows a frame and waits until it is due; nothing happens once the window is closed.

        Args:
            frame: (size, size, 3) uint8, RGB.
            fps: Frames a second.
        """
        if not self._handles_input() or self._screen is None:
            return
        size = (frame.shape[1], frame.shape[0])
        self._screen.blit(pygame.image.frombytes(frame.tobytes(), size, "RGB"), (0, 0))
        pygame.display.flip()
        self._clock.tick(fps)

    def close(self) -> None:
        """Closes the window; a second call does nothing."""
        if self.is_open:
            pygame.display.quit()
        self._screen = None

    def _handles_input(self) -> bool:
        """Whether the window is still open after what the user has done to it."""
        if self.is_open and any(event.type == pygame.QUIT for event in pygame.event.get()):
            self.close()
        return self.is_open


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
        self._window: ViewWindow | None = None

    def frame(self, index: int = 0) -> NDArray[np.uint8]:
        """One arena as it stands: (size, size, 3) uint8, RGB, with HUD; the caller's to keep."""
        records = self._arenas.records
        picture = self._renderer.compose(records[[index]])[0]
        return draw_hud(picture, hud_state_of(records, index))

    def show(self) -> None:
        """Shows arena 0 in a window, which opens with the first call, at the pace of play."""
        if self._window is None:
            self._window = ViewWindow(self._size)
        if self._window.is_open:
            self._window.show(self.frame(), self._fps)

    def close(self) -> None:
        """Closes the window, if there is one."""
        if self._window is not None:
            self._window.close()
