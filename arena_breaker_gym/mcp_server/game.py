"""`Game`: one episode that somebody outside plays, a batch of one arena."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.mcp_server.answers import Moment, Turn
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.rollout.batch import Batch
from arena_breaker_gym.rollout.episode import AGENT_FAILED, Episode
from arena_breaker_gym.rollout.layers import Layers
from arena_breaker_gym.rollout.plan import Plan

_COUNTED = ("kills", "damage_taken")


class Game:
    """An episode under way.

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
    def steps(self) -> int:
        """Steps played so far."""
        return int(self._batch.steps[0])

    def moment(self) -> Moment:
        """The game as it stands."""
        return Moment(**self._now())

    def frame(self, *, size: int, hud: bool) -> NDArray[np.uint8]:
        """The picture: (size, size, 3) uint8, RGB.

        Args:
            size: Side in pixels, 32 to 1024.
            hud: Whether hit points, score, stage and wave are drawn over it; students see none.
        """
        arenas = self._batch.arenas
        renderer = Renderer(arenas.loaded.models, size=size, skin=arenas.settings.skin)
        return Layers(hud=hud).over(renderer.compose(arenas.records)[0], arenas)

    def act(self, action: NDArray[np.float32], steps: int) -> Turn:
        """Plays one action for some steps, or until the episode ends.

        Args:
            action: (5,) move_x, move_z, aim_x, aim_z, dash.
            steps: How many, at least 1.

        Raises:
            ValueError: If the game is over or the action not finite; nothing has been played
                then.
        """
        if self.over:
            raise ValueError("The episode is over but could not be kept yet: end it.")
        batch = self._batch
        before = batch.arenas.summary(0)
        begun, reward = self.steps, 0.0
        while not self.over and self.steps < begun + steps:
            self.over = batch.move(action[np.newaxis], [0]).size > 0
            reward += float(batch.arenas.rewards[0])
        after = batch.arenas.summary(0)
        kills, hp_lost = (after[name] - before[name] for name in _COUNTED)
        return Turn(
            **self._now(),
            played=self.steps - begun,
            reward=reward,
            hp_lost=hp_lost,
            kills=kills,
            ended=None,
        )

    def result(self, unfinished: str) -> Episode:
        """The episode, to be kept; it is played no further.

        Args:
            unfinished: Why it ends here if it is not over: such an episode is marked as failed,
                so that nobody takes it for play.
        """
        reason = f"{unfinished} after {self.steps} steps"
        return self._batch.finish(0, failure=None if self.over else (AGENT_FAILED, reason))

    def _now(self) -> dict[str, Any]:
        return {
            "step": self.steps,
            "steps_left": self.plan.max_steps - self.steps,
            "snapshot": self._batch.arenas.snapshot(0),
        }
