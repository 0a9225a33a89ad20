"""`Film`: episodes side by side in one video, which another process can make."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arena_breaker_gym._runtime.side_by_side import Report
from arena_breaker_gym.rollout import Episode
from arena_breaker_gym.rollout.replay import Layers
from arena_breaker_gym.rollout.video import export_side_by_side

SIZE = 384  # pixels of a side of each


@dataclass(frozen=True)
class Film:
    """What is shown and where it is kept; called, it is made.

    Attributes:
        episodes: By the words above each.
        path: The video to be.
    """

    episodes: Mapping[str, Episode]
    path: Path

    def __call__(self, report: Report) -> None:
        """Makes it; see `work_side_by_side`."""
        export_side_by_side(
            list(self.episodes.values()),
            self.path,
            labels=list(self.episodes),
            size=SIZE,
            layers=Layers(hud=True, gamepad=True, caption=True),
            progress=report,
        )
