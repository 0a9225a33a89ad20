"""`Renderer`: the face of this room: arenas' records in, frames out."""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.rendering import skins
from arena_breaker_gym.rendering.atlas import build_atlas
from arena_breaker_gym.rendering.backdrop import paint
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.compose import Scene, compose_stage
from arena_breaker_gym.stages.model import Stage

SMALLEST, LARGEST = 32, 1024  # pixels a side


class Renderer:
    """Draws arenas on some stages in one skin at one size."""

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
        if not SMALLEST <= size <= LARGEST:
            raise ValueError(f"A frame's side must be {SMALLEST} to {LARGEST} pixels, got {size}.")
        self.size = size
        self._skins = skins.every(skin)
        self._models = tuple(models)
        self._scenes: dict[tuple[int, int], Scene] = {}

    def compose(
        self, arenas: NDArray[np.void], out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Draws every arena.

        Args:
            arenas: (n,) records of dtype `engine.arena.ARENA`; they are only read.
            out: (n, size, size, 3) uint8 to draw into; None: new frames.

        Returns:
            The frames, RGB, without HUD.
        """
        shape = (len(arenas), self.size, self.size, 3)
        frames = np.empty(shape, dtype=np.uint8) if out is None else out
        if frames.shape != shape or frames.dtype != np.uint8 or not frames.flags.c_contiguous:
            raise ValueError(f"Frames must be contiguous uint8 of shape {shape}.")
        flat = frames.reshape(len(arenas), -1)
        stages, picked = arenas["stage"], self._picked(arenas)
        for stage, skin in sorted(set(zip(stages.tolist(), picked.tolist(), strict=True))):
            chosen = (stages == stage) & (picked == skin)
            compose_stage(arenas, flat, chosen, self._scene(stage, skin))
        return frames

    def _picked(self, arenas: NDArray[np.void]) -> NDArray[np.int64]:
        """(n,) which of the skins each arena is drawn in, by the keys of its own chance.

        Keys stay what they are for an episode, and nothing is drawn from them here.
        """
        keys = arenas["random"]
        mixed: NDArray[np.int64] = (keys["key0"] + 7 * keys["key1"]) % len(self._skins)
        return mixed

    def _scene(self, stage: int, skin: int) -> Scene:
        if (stage, skin) not in self._scenes:
            scene = _shared_scene(self._models[stage], self._skins[skin], self.size)
            self._scenes[stage, skin] = scene
        return self._scenes[stage, skin]


@functools.lru_cache(maxsize=64)
def _shared_scene(stage: Stage, skin: skins.Skin, size: int) -> Scene:
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
