"""Draws docs/images/play.png: the window of `arena-breaker play`, with its menu beside it.

Run `python examples/draw_play.py [FILE] [SCREEN ...]`, screens being menu, playing, paused and
over. The scripted player plays from a fixed seed, so the picture is the same on every run.
"""

import os
import sys
from pathlib import Path

os.environ["SDL_VIDEODRIVER"] = "dummy"
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import numpy as np
import pygame

from agents.human import HumanAgent
from agents.inputs.request import Request, Wish
from agents.scripted import ScriptedBaseline
from arena_breaker_gym.play.screen import Screen
from arena_breaker_gym.play.session import Mode, Session, Terms
from arena_breaker_gym.rollout import Observations
from arena_breaker_gym.settings import Settings

MOMENT = 330  # steps into stage 2
SIZE = 640
SEED = 7


def played(session: Session, steps: int) -> np.ndarray:
    """Plays some steps as the scripted player does; returns its last action."""
    agent = ScriptedBaseline()
    agent.reset([0], SEED)
    action = np.zeros(5, dtype=np.float32)
    for _ in range(steps):
        if session.mode is Mode.PLAYING and session.game is not None:
            snapshot = session.game.arenas.snapshot(0)
            action = agent.act(Observations(snapshots=[snapshot]), [0])[0]
            session.step(action)
    return action


def picture_of(name: str) -> np.ndarray:
    """One screen, (height, SIZE, 3) uint8."""
    settings = Settings(start_stage=2)
    screen = Screen(settings, size=SIZE, hud=True, gamepad=False)
    screen.prepare()
    session = Session(Terms(settings=settings, seed=SEED))
    human = HumanAgent()
    if name != "menu":
        session.begin(2)
        assert session.game is not None
        aim = played(session, 100_000 if name == "over" else MOMENT)[2:4]
        x, y = screen.player_at(session.game.arenas.records)
        at = (round(x + 0.2 * SIZE * aim[0]), round(y + 0.2 * SIZE * aim[1]))
        human.heed(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=at))
    if name == "paused":
        session.obey(Request(Wish.PAUSE))
    screen.draw(session, human, 1.0)
    return pygame.surfarray.array3d(screen.surface).swapaxes(0, 1)


def main() -> None:
    """Writes the picture."""
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/play.png")
    file.parent.mkdir(parents=True, exist_ok=True)
    screens = sys.argv[2:] or ["playing", "menu"]
    wide = np.concatenate([picture_of(name) for name in screens], axis=1)
    pygame.image.save(pygame.surfarray.make_surface(wide.swapaxes(0, 1)), file)
    print(file)


if __name__ == "__main__":
    main()
