"""Draws docs/images/skins.png: one moment of each stage in every skin, named, on one sheet.

Run `python examples/draw_skins.py [FILE]`. The scripted player plays each stage for some seconds
from a fixed seed, so the sheet is the same on every run.
"""

import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import pygame

from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_gym.rendering import skins
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.rollout import rollout
from arena_breaker_gym.rollout.replay import resimulate
from arena_breaker_gym.stages.loader import load_campaign

MOMENTS = {1: 240, 2: 330, 3: 400}  # steps into each stage
SIZE, COLUMNS, BAR = 256, 4, 24  # pixels of a picture, pictures in a row, pixels for a name


def moment_of(stage: int) -> np.ndarray:
    """The record of an arena on a stage at its moment, (1,)."""
    (episode,) = rollout(
        ScriptedBaseline(), episodes=1, seed=7, stage=stage, env={"observation": "state"}
    )
    moments = resimulate(episode)
    return next(arenas.records.copy() for step, arenas in moments if step == MOMENTS[stage])


def main() -> None:
    """Writes the sheet."""
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/skins.png")
    pygame.font.init()
    font = pygame.font.Font(None, 22)
    models = load_campaign().models
    scenes = [moment_of(stage) for stage in MOMENTS]
    rows = -(-len(skins.names()) // COLUMNS)
    sheet = pygame.Surface((COLUMNS * SIZE, rows * (SIZE + BAR)))
    sheet.fill((250, 250, 250))
    for place, name in enumerate(skins.names()):
        frame = Renderer(models, size=SIZE, skin=name).compose(scenes[place % len(scenes)])[0]
        x, y = place % COLUMNS * SIZE, place // COLUMNS * (SIZE + BAR)
        sheet.blit(pygame.surfarray.make_surface(frame.swapaxes(0, 1)), (x, y + BAR))
        words = font.render(name, True, (20, 20, 30))
        sheet.blit(words, (x + (SIZE - words.get_width()) // 2, y + 5))
    file.parent.mkdir(parents=True, exist_ok=True)
    pygame.image.save(sheet, file)
    print(file)


if __name__ == "__main__":
    main()
