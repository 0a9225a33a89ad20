"""Measures the window of `arena-breaker play`: frames a second, and how evenly they come.

Run `python examples/play_speed.py [SECONDS] [SIZE]`. The scripted player holds the controls on
stage 2, with the gamepad shown, and starts again when it loses.
"""

import os
import sys
import time

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import numpy as np

from arena_breaker_agents.human import HumanAgent
from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_gym.play.playing import play
from arena_breaker_gym.play.screen import Screen
from arena_breaker_gym.play.session import Mode, PlayConfig, Session
from arena_breaker_gym.play.window import USUAL
from arena_breaker_gym.rollout import Observations
from arena_breaker_gym.settings import Settings


class Stopwatch(Screen):
    """The window, with a note of when each frame was shown."""

    def __init__(self, seconds: float, size: int) -> None:
        """Opens the window."""
        super().__init__(Settings(), size=size, hud=True, gamepad=True)
        self.seconds = seconds
        self.times: list[float] = []

    def show(self, session: Session, human: HumanAgent, share: float) -> None:
        """Shows a frame, and ends the session when the time is up."""
        super().show(session, human, share)
        self.times.append(time.perf_counter())
        if session.mode is Mode.OVER:
            session.begin(2)
        session.running = self.times[-1] - self.times[0] < self.seconds


class ScriptedHands(HumanAgent):
    """The scripted player at the controls."""

    def __init__(self, session: Session) -> None:
        """Plays a session."""
        super().__init__()
        self.session = session
        self.steps = 0
        self.scripted = ScriptedBaseline()
        self.scripted.reset([0], 0)

    def act(self, observations: Observations, arenas: list[int]) -> np.ndarray:
        """What the scripted player does."""
        self.steps += 1
        snapshots = [self.session.game.arenas.snapshot(0)]
        return self.scripted.act(Observations(snapshots=snapshots), arenas)


def main() -> None:
    """Prints frames and steps a second and the slowest frames."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    size = int(sys.argv[2]) if len(sys.argv) > 2 else USUAL
    screen = Stopwatch(seconds, size)
    screen.prepare()
    session = Session(PlayConfig(settings=Settings(), seed=0))
    session.begin(2)
    hands = ScriptedHands(session)
    play(session, screen, hands)
    gaps = np.diff(screen.times)
    print(f"{size} pixels: {1 / gaps.mean():.1f} frames and {hands.steps / gaps.sum():.1f} steps/s")
    late, worst = 1e3 * np.quantile(gaps, 0.99), 1e3 * gaps.max()
    print(f"99 % of frames within {late:.1f} ms, the slowest {worst:.1f} ms")


if __name__ == "__main__":
    main()
