"""Draws docs/images/ten_frames.png: ten frames picked at random, enlarged, to name the enemies.

Run `python examples/draw_frames.py [FILE] [--seed N]`, one or two minutes. The planner plays each
stage; from all their frames with an enemy chance picks ten. If not every type of enemy is on them,
the next seed picks. The frames are 256×256, as a student gets them, each pixel twice as wide and
high; what really is on each is printed, not drawn.
"""

import argparse
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import pygame

from arena_breaker_agents.planner import PlannerAgent
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.rollout import rollout
from arena_breaker_gym.rollout.replay import resimulate
from arena_breaker_gym.stages.loader import load_campaign
from arena_breaker_gym.stages.table import ENEMY_TYPES

STAGES, PLAYED_WITH = (1, 2, 3), 7  # the seed of the episodes
LONGEST = 2_400  # steps of an episode
FRAMES, COLUMNS = 10, 5
SIZE, LARGER, BAR = 256, 2, 22  # a frame's side, how many times as large, pixels for its number


class Moment(NamedTuple):
    """A frame to be drawn."""

    stage: int
    step: int
    record: NDArray[np.void]

    def enemies(self) -> Counter[str]:
        """How many of each type are alive."""
        kinds = self.record["enemies"]["kind"][0]
        return Counter(ENEMY_TYPES[kind] for kind in kinds[kinds != 0])


def moments_of(stage: int) -> list[Moment]:
    """Every moment of the planner's episode, still on that stage, with an enemy alive."""
    (episode,) = rollout(
        PlannerAgent(),
        episodes=1,
        seed=PLAYED_WITH,
        stage=stage,
        max_steps=LONGEST,
        env={"observation": "state"},
    )
    return [
        Moment(stage, step, arenas.records.copy())
        for step, arenas in resimulate(episode)
        if arenas.records["stage"][0] == stage - 1 and arenas.records["enemies"]["kind"].any()
    ]


def picked(moments: list[Moment], seed: int) -> tuple[int, list[Moment]]:
    """Ten moments by chance in the order of play, with every type among them, and their seed."""
    while True:
        places = np.random.default_rng(seed).choice(len(moments), FRAMES, replace=False)
        chosen = [moments[place] for place in sorted(places)]
        if len({name for one in chosen for name in one.enemies()}) == len(ENEMY_TYPES) - 1:
            return seed, chosen
        seed += 1


def sheet_of(chosen: list[Moment]) -> pygame.Surface:
    """The frames with their numbers."""
    renderer, side = Renderer(load_campaign().models, size=SIZE), SIZE * LARGER
    pygame.font.init()
    font = pygame.font.Font(None, 24)
    sheet = pygame.Surface((COLUMNS * side, -(-len(chosen) // COLUMNS) * (side + BAR)))
    sheet.fill((250, 250, 250))
    for place, one in enumerate(chosen):
        x, y = place % COLUMNS * side, place // COLUMNS * (side + BAR)
        frame = renderer.compose(one.record)[0].repeat(LARGER, 0).repeat(LARGER, 1)
        sheet.blit(pygame.surfarray.make_surface(frame.swapaxes(0, 1)), (x, y + BAR))
        words = f"{place + 1}: stage {one.stage}, step {one.step}"
        sheet.blit(font.render(words, True, (20, 20, 30)), (x + 8, y + 3))
    return sheet


def main() -> None:
    """Writes the sheet and prints what is on it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("docs/images/ten_frames.png"))
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    options = parser.parse_args()
    moments = [moment for stage in STAGES for moment in moments_of(stage)]
    seed, chosen = picked(moments, options.seed)
    options.file.parent.mkdir(parents=True, exist_ok=True)
    pygame.image.save(sheet_of(chosen), options.file)
    print(f"{options.file}: picked with seed {seed} from {len(moments)} frames")
    for place, one in enumerate(chosen):
        there = ", ".join(f"{count} {name}" for name, count in sorted(one.enemies().items()))
        print(f"{place + 1}: stage {one.stage}, step {one.step}: {there}")


if __name__ == "__main__":
    main()
