"""Draws the pictures of docs/play.md: the window of `arena-breaker play`, screen by screen.

Run `python examples/draw_play.py [FILE SCREEN ...]`, screens being menu, countdown, playing,
paused, defeat and victory; without any, docs/images/play.png and docs/images/play_end.png are
drawn. The scripted player plays from a fixed seed, so the pictures are the same on every run.
"""

import os
import sys
import tempfile
from datetime import date
from pathlib import Path

os.environ["SDL_VIDEODRIVER"] = "dummy"
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import numpy as np
import pygame

from arena_breaker_agents.human import HumanAgent
from arena_breaker_agents.inputs import InputRequest, Wish
from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_gym.play.scores import Score, Scores, board_name
from arena_breaker_gym.play.screen import Screen
from arena_breaker_gym.play.session import Mode, PlayConfig, Session
from arena_breaker_gym.rollout import EpisodeStore, Observations
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.stages.loader import load_campaign

MOMENT = 330  # steps into stage 2
SIZE = 608
SEED = 7
PICTURES = {
    "docs/images/play.png": ["playing", "menu"],
    "docs/images/play_end.png": ["countdown", "defeat"],
}
OTHERS = (("ann", 940, 71, 83), ("bob", 610, 47, 52), ("ann", 380, 30, 33), ("eve", 150, 13, 21))


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


def won(session: Session) -> None:
    """Plays on as if no enemy were left: each that comes is gone at once."""
    while session.mode is Mode.PLAYING and session.game is not None:
        session.game.arenas.records["enemies"]["kind"] = 0
        session.game.arenas.records["player"]["hp"] = 5
        session.step(np.zeros(5, dtype=np.float32))


def scores_in(folder: Path) -> Scores:
    """A list with some games of others on it."""
    scores = Scores(folder / "best_scores.json")
    digest = load_campaign(None).digest
    for stage in (1, 2):
        for name, points, kills, seconds in OTHERS:
            score = Score(
                name=name,
                score=points,
                kills=kills,
                seconds=seconds,
                end="killed by saw",
                day="2026-01-31",
            )
            scores.add(board_name(digest, stage, fix=True), score)
    return scores


def session_at(name: str, folder: Path) -> Session:
    """A session that shows a screen."""
    terms = PlayConfig(
        settings=Settings(start_stage=2),
        seed=SEED,
        store=EpisodeStore("runs/mine"),
        countdown_s=3.0 if name == "countdown" else 0.0,
        scores=scores_in(folder),
        agent="you",
    )
    session = Session(terms, today=lambda: date(2026, 2, 1))
    if name == "menu":
        return session
    session.begin(3 if name == "victory" else 2)
    if name in ("playing", "paused"):
        played(session, MOMENT)
    elif name == "defeat":
        played(session, 100_000)
    elif name == "victory":
        won(session)
    if name == "paused":
        session.obey(InputRequest(Wish.PAUSE))
    return session


def picture_of(name: str, screen: Screen) -> np.ndarray:
    """One screen, (height, SIZE, 3) uint8."""
    human = HumanAgent()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # where games are kept
        session = session_at(name, Path(folder))
        if name in ("playing", "countdown") and session.game is not None:
            aim = session.action[2:4] if session.action[2:4].any() else (0.6, -0.8)
            x, y = screen.player_at(session.game.arenas.records)
            at = (round(x + 0.2 * SIZE * aim[0]), round(y + 0.2 * SIZE * aim[1]))
            human.handle(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=at))
        screen.draw(session, human, 1.0)
    return pygame.surfarray.array3d(screen.surface).swapaxes(0, 1)


def main() -> None:
    """Writes the pictures."""
    asked = {sys.argv[1]: sys.argv[2:]} if len(sys.argv) > 1 else PICTURES
    screen = Screen(Settings(start_stage=2), size=SIZE, hud=True, gamepad=False)
    screen.prepare()
    here = Path.cwd()
    for name, screens in asked.items():
        file = here / name
        file.parent.mkdir(parents=True, exist_ok=True)
        wide = np.concatenate([picture_of(one, screen) for one in screens], axis=1)
        pygame.image.save(pygame.surfarray.make_surface(wide.swapaxes(0, 1)), file)
        os.chdir(here)
        print(name)


if __name__ == "__main__":
    main()
