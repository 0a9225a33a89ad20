"""Draws docs/images/figures.png: all figures in every skin, as a student gets them, enlarged.

Run `python examples/draw_figures.py [FILE]`. The pixels are those of 256×256 frames, three times as
large: the six enemies in a row (swarmer, shooter, charger, splitter, bomber, sentinel), the player
below them.
"""

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import pygame

from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.rendering import skins
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.stages.table import ENEMY_TYPES

COLUMNS, LARGER = 3, 3
ROWS, PIXELS = slice(86, 166), slice(42, 214)  # the part of a frame with the figures


def posed(arenas: Arenas) -> NDArray[np.void]:
    """The record of an arena with one enemy of each type side by side, (1,)."""
    records = arenas.records.copy()
    for kind in range(1, len(ENEMY_TYPES)):
        enemy = records["enemies"][0, kind]
        enemy["kind"], enemy["hp"] = kind, 3
        enemy["x"], enemy["z"] = 2.1 * kind - 7.3, -1.5
        enemy["heading_x"], enemy["heading_z"] = 1.0, 0.3
        records["enemies"][0, kind] = enemy
    records["player"]["x"], records["player"]["z"] = 0.0, 1.5
    records["player"]["heading_x"], records["player"]["heading_z"] = 1.0, 0.0
    return records


def main() -> None:
    """Writes the picture."""
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/figures.png")
    arenas = Arenas(Settings(), count=1)
    arenas.reset(0, (1, 2))
    records, models = posed(arenas), arenas.loaded.models
    drawn = (Renderer(models, skin=name).compose(records)[0] for name in skins.names())
    parts = [frame[ROWS, PIXELS].repeat(LARGER, 0).repeat(LARGER, 1) for frame in drawn]
    parts += [np.zeros_like(parts[0])] * (-len(parts) % COLUMNS)
    rows = [parts[at : at + COLUMNS] for at in range(0, len(parts), COLUMNS)]
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
    file.parent.mkdir(parents=True, exist_ok=True)
    pygame.image.save(pygame.surfarray.make_surface(sheet.swapaxes(0, 1)), file)
    print(file)


if __name__ == "__main__":
    main()
