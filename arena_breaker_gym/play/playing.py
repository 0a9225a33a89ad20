"""`play`: a session on a screen, at the pace of the clock, until the person leaves."""

import pygame

from agents.human import HumanAgent
from agents.inputs.request import Request, Wish
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.play.pace import Pace
from arena_breaker_gym.play.screen import Screen
from arena_breaker_gym.play.session import Mode, Session
from arena_breaker_gym.rollout.agent import Observations

FRAMES_PER_SECOND = 60
_NOTHING = Observations()  # a person looks at the screen


def play(session: Session, screen: Screen, human: HumanAgent) -> None:
    """Lets a person play until he leaves; whatever ends it, what is under way is kept.

    Args:
        session: What is played.
        screen: Where it is seen, prepared.
        human: Who plays.

    Raises:
        OSError: If an episode could not be kept.
    """
    step_s = session.terms.settings.frame_skip / TICKS_PER_SECOND
    pace = Pace(step_s=step_s, frame_s=1.0 / FRAMES_PER_SECOND)
    try:
        while session.running:
            _listen(session, screen, human)
            _move(session, screen, human, pace)
            screen.show(session, human, pace.share)
            pace.wait()
    finally:
        session.close()


def _listen(session: Session, screen: Screen, human: HumanAgent) -> None:
    for event in pygame.event.get():
        request = human.heed(event)
        if request is None:
            continue
        halted = session.mode is not Mode.PLAYING
        session.obey(_pointed(request, session, screen))
        if halted and session.mode is Mode.PLAYING:
            human.reset([0], None)


def _pointed(request: Request, session: Session, screen: Screen) -> Request:
    """The request, where it is a click in the menu turned into what was clicked."""
    if request.wish is Wish.POINT and session.mode is Mode.MENU:
        return Request(Wish.STAGE, stage=screen.stage_at(request.at))
    return request


def _move(session: Session, screen: Screen, human: HumanAgent, pace: Pace) -> None:
    if session.mode is not Mode.PLAYING:
        pace.rest()
        return
    for _ in range(pace.steps_due()):
        if session.game is None or session.mode is not Mode.PLAYING:
            return
        human.player_at = screen.player_at(session.game.arenas.records)
        session.step(human.act(_NOTHING, [0])[0])
