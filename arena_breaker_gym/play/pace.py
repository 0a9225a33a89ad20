"""`Pace`: the clock by which steps and frames are due."""

import time
from collections.abc import Callable

MOST_STEPS = 3  # of one frame; where the machine is slower, the game is slower, too


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
