"""`ServedGame`: one episode that a client plays, in the words of the tools' answers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.mcp_server.answers import Moment, Turn
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.rollout.game import Game
from arena_breaker_gym.rollout.layers import Layers

_COUNTED = ("kills", "damage_taken")


class ServedGame(Game):
    """An episode under way that is looked at between calls."""

    def moment(self) -> Moment:
        """The game as it stands."""
        return Moment(**self._now())

    def frame(self, *, size: int, hud: bool) -> NDArray[np.uint8]:
        """The picture: (size, size, 3) uint8, RGB.

        Args:
            size: Side in pixels, 32 to 1024.
            hud: Whether hit points, score, stage and wave are drawn over it; students see none.
        """
        arenas = self.arenas
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
        before = self.arenas.summary(0)
        begun, reward = self.steps, 0.0
        while not self.over and self.steps < begun + steps:
            self.step(action)
            reward += float(self.arenas.rewards[0])
        after = self.arenas.summary(0)
        kills, hp_lost = (after[name] - before[name] for name in _COUNTED)
        return Turn(
            **self._now(),
            played=self.steps - begun,
            reward=reward,
            hp_lost=hp_lost,
            kills=kills,
            ended=None,
        )

    def _now(self) -> dict[str, Any]:
        return {
            "step": self.steps,
            "steps_left": self.plan.max_steps - self.steps,
            "snapshot": self.arenas.snapshot(0),
        }
