"""`Report`: what a run's page is to tell; every part but the title may be empty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.metrics import Row


@dataclass(frozen=True, kw_only=True)
class CurveLine:
    """One line of a chart, perhaps with a band about it.

    Attributes:
        name: Its name in the legend; an agent's name gets that agent's colour.
        x: Where its n points stand.
        y: Their values; NaN leaves a gap.
        low: Lower ends of the band; None: no band.
        high: Upper ends; given if and only if `low` is.

    Raises:
        ValueError: If these are not equally long, or only one end of the band is given.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None

    def __post_init__(self) -> None:
        """Checks that every point is whole."""
        if (self.low is None) != (self.high is None):
            raise ValueError(f"The line {self.name!r} needs both ends of its band, or neither.")
        lengths = [len(one) for one in (self.x, self.y, self.low, self.high) if one is not None]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"The line {self.name!r} needs as many values as points, got lengths "
                f"{', '.join(map(str, lengths))}."
            )


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A chart of lines, such as a loss over the steps of a training.

    Attributes:
        title: Its heading.
        x_label: What runs to the right, with its unit.
        y_label: What runs upwards, with its unit.
        lines: At least one.
    """

    title: str
    x_label: str
    y_label: str
    lines: Sequence[CurveLine]


@dataclass(frozen=True, kw_only=True)
class VideoPanel:
    """A film and the words under it.

    Attributes:
        caption: The words.
        path: An MP4 file.
    """

    caption: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that a page says of one run.

    Attributes:
        title: The page's heading.
        verdict: Sentences that say what was found.
        rows: As `metrics.row_of` makes them.
        episodes: By name, the episodes whose aim sticks, survival and deaths are shown. What is
            to be told apart has a name of its own; "student, bug" has the colour of the
            agent "student" and other dashes.
        curves: Learning curves.
        videos: Films, shown side by side in this order.
        settings: What was played: names and plain JSON values.
        timings_s: Seconds that each part of the work took.
        command: How to run it again.
    """

    title: str
    verdict: Sequence[str] = ()
    rows: Sequence[Row] = ()
    episodes: Mapping[str, Sequence[Episode]] = field(default_factory=dict)
    curves: Sequence[Curve] = ()
    videos: Sequence[VideoPanel] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    timings_s: Mapping[str, float] = field(default_factory=dict)
    command: str = ""
