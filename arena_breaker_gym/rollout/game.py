"""`Game`: one episode that somebody outside plays step by step, a batch of one arena."""

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.rollout.batch import Batch
from arena_breaker_gym.rollout.episode import AGENT_FAILED, Episode
from arena_breaker_gym.rollout.plan import Plan


class Game:
    """An episode under way, whose player comes and goes as he likes.

    Attributes:
        plan: What is played: a plan of one episode.
        over: Whether the game itself has ended, by victory, defeat or the step limit.
    """

    def __init__(self, plan: Plan) -> None:
        """Begins the plan's first episode.

        Raises:
            ValueError: If the plan's settings cannot be met.
        """
        self.plan = plan
        self.over = False
        self._batch = Batch(plan, count=1)
        self._batch.begin(0, 0)

    @property
    def arenas(self) -> Arenas:
        """The arena, a batch of one; to be read only."""
        return self._batch.arenas

    @property
    def steps(self) -> int:
        """Steps played so far."""
        return int(self._batch.steps[0])

    def step(self, action: NDArray[np.float32]) -> None:
        """Plays one step.

        Args:
            action: (5,) move_x, move_z, aim_x, aim_z, dash.

        Raises:
            ValueError: If the action is not finite; nothing has been played then.
        """
        self.over = self._batch.move(action[np.newaxis], [0]).size > 0

    def result(self, unfinished: str) -> Episode:
        """The episode, to be kept; it is played no further.

        Args:
            unfinished: Why it ends here if it is not over: such an episode is marked as failed,
                so that nobody takes it for play.
        """
        reason = f"{unfinished} after {self.steps} steps"
        return self._batch.finish(0, failure=None if self.over else (AGENT_FAILED, reason))
