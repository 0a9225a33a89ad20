"""`Renderer`: the face of this room: arenas' records in, frames out.

`View` is what `env.render()` shows of a batch, `ViewWindow` a pane for it on the screen.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pygame
from numpy.typing import NDArray

from arena_breaker_gym._runtime.pools import ThreadPool
from arena_breaker_gym.engine.arena import ARENA
from arena_breaker_gym.rendering import skins
from arena_breaker_gym.rendering.atlas import build_atlas, warn_of_both
from arena_breaker_gym.rendering.backdrop import paint
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.compose import Scene, compose_rows
from arena_breaker_gym.rendering.frames import (
    LARGEST,
    SCRATCH,
    TOUCHED,
    FrameCache,
    frame_size,
    render_size_of,
)
from arena_breaker_gym.rendering.layers import draw_hud, hud_state_of
from arena_breaker_gym.rendering.skins import Skin
from arena_breaker_gym.stages.model import Stage

if TYPE_CHECKING:
    from arena_breaker_gym.batch.arenas import Arenas

__all__ = ["LARGEST", "Renderer"]

ALONE = ThreadPool(1)

# What a thread must have to draw for a second one to pay.
_LEAST_FRAMES, _LEAST_PIXELS = 4, 2**16
_FIRST_ROW = np.zeros(1, dtype=np.int64)
_NOTHING_KEPT = np.zeros(0, dtype=TOUCHED)


class Renderer:
    """Draws arenas on some stages in one skin at one size, called by one thread at a time."""

    def __init__(self, models: Sequence[Stage], *, size: int = 256, skin: str = "default") -> None:
        """Prepares a renderer; a stage is painted when an arena first is on it.

        Args:
            models: The campaign's stages, in order.
            size: Side of the square frames in pixels, 32 to 1024.
            skin: Name of a skin, a JSON file, or "random": each arena in a skin that its seed
                picks.

        Raises:
            ValueError: If there is no such skin or the size is out of range.
        """
        self.size = frame_size(size)
        warn_of_both()
        self._skins = skins.every(skin)
        self._models = tuple(models)
        self._scratch = np.empty(1, SCRATCH)
        self._scenes: dict[int, tuple[object, ...]] = {}

    def compose(
        self,
        arenas: NDArray[np.void],
        out: NDArray[np.uint8] | None = None,
        *,
        chosen: NDArray[np.bool_] | None = None,
        pool: ThreadPool = ALONE,
    ) -> NDArray[np.uint8]:
        """Draws every arena, or those chosen.

        Args:
            arenas: (n,) records of dtype `engine.arena.ARENA`; they are only read.
            out: (n, size, size, 3) uint8 to draw into; None: new frames.
            chosen: (n,) which arenas; None: all.
            pool: Who draws.

        Returns:
            The frames, RGB, without HUD.
        """
        shape = (len(arenas), self.size, self.size, 3)
        frames = np.empty(shape, dtype=np.uint8) if out is None else _checked(out, shape)
        self._draw(arenas, frames, _NOTHING_KEPT, chosen, pool)
        return frames

    def redraw(
        self,
        arenas: NDArray[np.void],
        canvas: FrameCache,
        *,
        chosen: NDArray[np.bool_] | None = None,
        pool: ThreadPool = ALONE,
    ) -> NDArray[np.uint8]:
        """Draws every arena, or those chosen, on a canvas that only this renderer draws on.

        What comes out is what `compose` gives; what has not changed is not drawn again.

        Args:
            arenas: (n,) records of dtype `engine.arena.ARENA`; they are only read.
            canvas: n frames of this renderer's size.
            chosen: (n,) which arenas; None: all.
            pool: Who draws.

        Returns:
            The canvas' frames, read-only.
        """
        self._draw(arenas, canvas.pixels, canvas.touched, chosen, pool)
        return canvas.frames

    def _draw(
        self,
        arenas: NDArray[np.void],
        frames: NDArray[np.uint8],
        touched: NDArray[np.void],
        chosen: NDArray[np.bool_] | None,
        pool: ThreadPool,
    ) -> None:
        if arenas.ndim != 1 or arenas.dtype != ARENA:
            raise ValueError(f"Arenas must be (n,) records of ARENA, got shape {arenas.shape}.")
        if len(arenas) == 1 and len(self._skins) == 1 and chosen is None:
            scene = self._scene(arenas["stage"].item(0))  # one environment's step: no ceremony
            compose_rows(arenas, _FIRST_ROW, frames, touched, self._scratch, *scene)
            return
        arenas = np.ascontiguousarray(arenas)

        def work(rows: NDArray[np.int64], scene: tuple[Any, ...]) -> None:
            compose_rows(arenas, rows, frames, touched, np.empty(1, SCRATCH), *scene)

        # Scenes are painted here, by the caller: pygame knows of no threads.
        least = max(_LEAST_FRAMES, _LEAST_PIXELS // self.size**2)
        pieces = [
            (rows[first:last], self._scene(number))
            for number, rows in self._groups(arenas, chosen)
            for first, last in pool.cut(len(rows), least=least)
        ]
        pool.share(work, pieces)

    def _groups(
        self, arenas: NDArray[np.void], chosen: NDArray[np.bool_] | None
    ) -> list[tuple[int, NDArray[np.int64]]]:
        """Numbers of scenes, and which arenas are to be drawn in each."""
        rows = np.arange(len(arenas)) if chosen is None else np.flatnonzero(chosen)
        numbers = arenas["stage"][rows]
        if len(self._skins) > 1:
            numbers = numbers * len(self._skins) + self._picked(arenas)[rows]
        found = set(numbers.tolist())
        if len(found) == 1:  # the usual case, once a step
            return [(found.pop(), rows)]
        return [(number, rows[numbers == number]) for number in sorted(found)]

    def _picked(self, arenas: NDArray[np.void]) -> NDArray[np.int64]:
        """(n,) which of the skins each arena is drawn in, by the keys of its own chance.

        Keys stay what they are for an episode, and nothing is drawn from them here.
        """
        keys = arenas["random"]
        mixed: NDArray[np.int64] = (keys["key0"] + 7 * keys["key1"]) % len(self._skins)
        return mixed

    def _scene(self, number: int) -> tuple[Any, ...]:
        """A scene's number and its parts, as the composer takes them."""
        known = self._scenes.get(number)
        if known is None:
            stage, skin = divmod(number, len(self._skins))
            scene = _shared_scene(self._models[stage], self._skins[skin], self.size)
            known = self._scenes[number] = (number, *scene[:-1], *scene.atlas)
        return known


def _checked(frames: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    sound = frames.shape == shape and frames.dtype == np.uint8
    if not sound or not frames.flags.c_contiguous or not frames.flags.writeable:
        raise ValueError(f"Frames must be contiguous writeable uint8 of shape {shape}.")
    return frames


@functools.lru_cache(maxsize=64)
def _shared_scene(stage: Stage, skin: Skin, size: int) -> Scene:
    camera = Camera.over(stage.size.width, stage.size.depth, size)
    backdrop = paint(stage, skin, camera)
    return Scene(
        size,
        camera.scale,
        camera.centre_x,
        camera.centre_y,
        backdrop.picture.ravel(),
        backdrop.depth.ravel(),
        backdrop.clear().ravel(),
        build_atlas(stage, skin, camera.scale),
    )


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
