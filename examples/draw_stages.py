"""Draws docs/images/stages.png: the three stages in play, as a student sees them, side by side.

Run `python examples/draw_stages.py [FILE]`. The scripted player plays each stage for some
seconds from a fixed seed, so the picture is the same on every run.
"""

import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import pygame

from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_gym.rendering.layers import draw_hud, hud_state_of
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.rollout import rollout
from arena_breaker_gym.rollout.replay import resimulate

MOMENTS = {1: 240, 2: 330, 3: 400}  # steps into each stage
SIZE = 512


def picture_of(stage: int) -> np.ndarray:
    """One stage at its moment, (SIZE, SIZE, 3) uint8."""
    (episode,) = rollout(
        ScriptedBaseline(), episodes=1, seed=7, stage=stage, env={"observation": "state"}
    )
    for step, arenas in resimulate(episode):
        if step == MOMENTS[stage]:
            renderer = Renderer(arenas.loaded.models, size=SIZE)
            frame = renderer.compose(arenas.records)[0]
            return draw_hud(frame, hud_state_of(arenas.records, 0))
    raise ValueError(f"The episode on stage {stage} ended before step {MOMENTS[stage]}.")


def main() -> None:
    """Writes the picture."""
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/stages.png")
    file.parent.mkdir(parents=True, exist_ok=True)
    wide = np.concatenate([picture_of(stage) for stage in MOMENTS], axis=1)
    pygame.image.save(pygame.surfarray.make_surface(wide.swapaxes(0, 1)), file)
    print(file)


if __name__ == "__main__":
    main()
