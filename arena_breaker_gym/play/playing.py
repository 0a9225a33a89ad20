"""`play`: a session on a screen, at the pace of the clock, until the person leaves."""

import time
from collections.abc import Callable

import pygame

from arena_breaker_agents.human import HumanAgent
from arena_breaker_agents.inputs import InputRequest, Wish
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.play.screen import Screen
from arena_breaker_gym.play.session import Mode, Session
from arena_breaker_gym.play.sound import Sound, heard_between
from arena_breaker_gym.rollout.agent import Observations

MOST_STEPS = 3  # of one frame; where the machine is slower, the game is slower, too

FULL_SCREEN = pygame.K_F11
MUTE = pygame.K_n
CLIP = pygame.K_c
SKIP = pygame.K_SPACE  # besides Enter: ends the countdown

FRAMES_PER_SECOND = 60
_NOTHING = Observations()  # a person looks at the screen


class Pace:
    """Turns passing time into whole steps of the game and evenly spaced frames.

    The game never runs faster than its own clock. After a hitch it makes up for a few steps and
    leaves out the time beyond, so that a slow machine does not fall behind further and further.

    Attributes:
        share: How much of the next step's time has passed, 0 to 1: where between the last two
            states the eye is.
    """

    def __init__(
        self,
        *,
        step_s: float,
        frame_s: float,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begins now.

        Args:
            step_s: Seconds of a step.
            frame_s: Seconds of a frame.
            clock: Seconds that only grow.
            sleep: Waits for some seconds.
        """
        self.share = 0.0
        self._step_s = step_s
        self._frame_s = frame_s
        self._clock = clock
        self._sleep = sleep
        self._counted = self._next_frame = clock()

    def steps_due(self) -> int:
        """How many steps to play now, 0 to `MOST_STEPS`; moves `share` on."""
        now = self._clock()
        steps = self.share + (now - self._counted) / self._step_s
        self._counted = now
        whole = int(steps)
        self.share = steps - whole
        return min(whole, MOST_STEPS)

    def rest(self) -> None:
        """Lets time pass that belongs to no step, as in a pause."""
        self._counted = self._clock()

    def wait(self) -> None:
        """Waits until the next frame is due; a frame that is late is not made up for."""
        self._next_frame += self._frame_s
        left = self._next_frame - self._clock()
        if left > 0.0:
            self._sleep(left)
        else:
            self._next_frame -= left


def play(session: Session, screen: Screen, human: HumanAgent, sound: Sound | None = None) -> None:
    """Lets a person play until they leave; whatever ends it, what is under way is kept.

    Args:
        session: What is played.
        screen: Where it is seen, prepared.
        human: Who plays.
        sound: How it is heard; None: not at all.

    Raises:
        OSError: If an episode could not be kept.
    """
    step_s = session.terms.settings.frame_skip / TICKS_PER_SECOND
    pace = Pace(step_s=step_s, frame_s=1.0 / FRAMES_PER_SECOND)
    heard = sound or Sound(wanted=False)
    count = 0
    try:
        while session.running:
            _listen(session, screen, human, heard)
            count = _count_down(session, human, heard, count)
            _move(session, screen, human, pace, heard)
            screen.show(session, human, pace.share)
            pace.wait()
    finally:
        session.close()


def _listen(session: Session, screen: Screen, human: HumanAgent, sound: Sound) -> None:
    for event in pygame.event.get():
        halted = session.mode is not Mode.PLAYING
        request = human.handle(event)
        if request is not None:
            session.obey(_pointed(request, session, screen))
        if event.type == pygame.KEYDOWN:
            _press(event.key, session, screen, sound)
        if halted and session.mode is Mode.PLAYING:
            human.reset([0], None)


def _press(key: int, session: Session, screen: Screen, sound: Sound) -> None:
    """Does what a key asks of the window rather than of the game."""
    if key == FULL_SCREEN:
        screen.turn()
    elif key == MUTE:
        sound.turn()
    elif key == CLIP:
        session.film()
    elif key == SKIP and session.mode is Mode.READY:
        session.obey(InputRequest(Wish.CONFIRM))


def _pointed(request: InputRequest, session: Session, screen: Screen) -> InputRequest:
    """The request, where it is a click in the menu turned into what was clicked."""
    if request.wish is Wish.POINT and session.mode is Mode.MENU:
        return InputRequest(Wish.STAGE, stage=screen.stage_at(request.at))
    return request


def _count_down(session: Session, human: HumanAgent, sound: Sound, before: int) -> int:
    """Lets the countdown pass and be heard; returns its seconds left."""
    session.count_down()
    if session.count not in (before, 0):
        sound.play(["count"])
    elif before and not session.count and session.mode is Mode.PLAYING:
        sound.play(["go"])
        human.reset([0], None)  # a dash or click of the wait is no dash or click of the game
    return session.count


def _move(session: Session, screen: Screen, human: HumanAgent, pace: Pace, sound: Sound) -> None:
    if session.mode is not Mode.PLAYING:
        pace.rest()
        return
    for _ in range(pace.steps_due()):
        if session.game is None or session.mode is not Mode.PLAYING:
            return
        human.player_at = screen.player_at(session.game.arenas.records)
        session.step(human.act(_NOTHING, [0])[0])
        if session.before is not None:
            sound.play(heard_between(session.before, session.game.arenas.records))
