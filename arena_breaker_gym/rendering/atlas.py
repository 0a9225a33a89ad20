"""`Atlas`: all sprites of a skin at one scale, packed flat for compiled code, kept on disk.

Pixels are equal for one build; another may differ from it in shades.
"""

import contextlib
import functools
import hashlib
import io
import warnings
from collections.abc import Collection, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pygame
from numpy.typing import NDArray

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym._runtime.jit import sources_digest
from arena_breaker_gym.rendering.art import draw_sheet, saw_sprites, spike_sprites
from arena_breaker_gym.rendering.art.canvas import Sprite, finished_sprite, haloed
from arena_breaker_gym.rendering.sheet import (
    DASH_RING_AT,
    EFFECT_AT,
    PLAYER_AT,
    SAW_SPRITES,
    SHADOW_AT,
    SHOT_AT,
    SPIKE_SPRITES,
    SPRITES,
)
from arena_breaker_gym.rendering.skins import Skin
from arena_breaker_gym.stages.loader import cache_folder
from arena_breaker_gym.stages.model import Saw, Stage
from arena_breaker_gym.stages.table import MAX_HAZARDS

BOTH = (
    "pygame and pygame-ce are both installed: they overwrite each other's files, so what draws is "
    "chance. Keep one: pip uninstall -y pygame pygame-ce, then pip install one of them."
)

# Runs of the sheet that shine in skins whose figures do: enemies, the player, all shots.
_HALOED = ((0, SHADOW_AT), (PLAYER_AT, DASH_RING_AT), (SHOT_AT, EFFECT_AT))


def build() -> str:
    """The pygame that draws, such as "pygame 2.6.1" or "pygame-ce 2.5.8"."""
    name = "pygame-ce" if getattr(pygame, "IS_CE", False) else "pygame"
    return f"{name} {pygame.version.ver}"


@functools.cache
def warn_of_both() -> None:
    """Warns, once in a process, if both are installed."""
    if len(installed(("pygame", "pygame-ce"))) > 1:
        warnings.warn(BOTH, RuntimeWarning, stacklevel=3)


def installed(names: Collection[str]) -> list[str]:
    """Those of some packages that pip knows here."""
    found = []
    for name in names:
        try:
            metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found.append(name)
    return found


class Atlas(NamedTuple):
    """Sprites one after the other.

    Attributes:
        colours: (p · 3,) uint8, RGB already multiplied by alpha.
        rests: (p · 3,) uint8, 255 less alpha, once for each colour: what shines through.
        boxes: (s, 5) int64, a sprite each: first pixel, width, height, and the column and row
            of the sprite's place on the floor.
        hazards: (16,) int64: the first sprite of each of the stage's hazards.
    """

    colours: NDArray[np.uint8]
    rests: NDArray[np.uint8]
    boxes: NDArray[np.int64]
    hazards: NDArray[np.int64]


def build_atlas(stage: Stage, skin: Skin, scale: float) -> Atlas:
    """The sprites that a stage needs, at a scale in pixels per metre.

    Drawing takes about a second, so what is drawn once is kept in the cache folder under a
    name that tells skin, scale, hazards, the code that draws and the pygame that it draws with.
    """
    radii = [(hazard.type, hazard.radius) for hazard in stage.hazards]
    recipe = "\n".join(
        (sources_digest("rendering"), build(), skin.model_dump_json(), repr(scale), repr(radii))
    )
    name = hashlib.sha256(recipe.encode()).hexdigest()
    file = cache_folder() / f"atlas-{name[:32]}.npz"
    kept = _load(file)
    if kept is None:
        kept = _pack(_drawn(stage, skin, scale))
        _save(file, *kept)
    pixels, boxes = kept
    rests = np.repeat(255 - pixels[:, 3], 3)
    return Atlas(pixels[:, :3].ravel(), rests, boxes, _hazard_starts(stage))


def _drawn(stage: Stage, skin: Skin, scale: float) -> list[Sprite]:
    """All sprites, finished; figures and shots with their halo."""
    sprites = [*draw_sheet(skin, scale), *_hazard_sprites(stage, skin, scale)]
    for first, last in _HALOED:
        sprites[first:last] = [haloed(one, scale, skin.finish) for one in sprites[first:last]]
    return [finished_sprite(sprite, skin.finish) for sprite in sprites]


def _hazard_sprites(stage: Stage, skin: Skin, scale: float) -> list[Sprite]:
    return [
        sprite
        for hazard in stage.hazards
        for sprite in (saw_sprites if isinstance(hazard, Saw) else spike_sprites)(
            skin, scale, hazard.radius
        )
    ]


def _hazard_starts(stage: Stage) -> NDArray[np.int64]:
    counts = [SAW_SPRITES if isinstance(one, Saw) else SPIKE_SPRITES for one in stage.hazards]
    starts = np.zeros(MAX_HAZARDS, dtype=np.int64)
    starts[: len(counts)] = SPRITES + np.cumsum([0, *counts[:-1]])[: len(counts)]
    return starts


def _pack(sprites: Sequence[Sprite]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    boxes = np.zeros((len(sprites), 5), dtype=np.int64)
    first = 0
    for box, sprite in zip(boxes, sprites, strict=True):
        height, width = sprite.pixels.shape[:2]
        box[:] = first, width, height, sprite.anchor_x, sprite.anchor_y
        first += width * height
    return np.concatenate([sprite.pixels.reshape(-1, 4) for sprite in sprites]), boxes


def _load(file: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as kept:
            return kept["pixels"], kept["boxes"]
    except Exception:  # whatever a damaged file makes numpy raise, the answer is to draw again
        return None


def _save(file: Path, pixels: NDArray[np.uint8], boxes: NDArray[np.int64]) -> None:
    """Keeps an atlas; a folder that cannot be written to is no error."""
    with contextlib.suppress(OSError), written_whole(file) as part, part.open("wb") as open_part:
        np.savez_compressed(open_part, pixels=pixels, boxes=boxes)
