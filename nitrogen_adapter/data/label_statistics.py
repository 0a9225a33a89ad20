"""`LabelStatistics`: how often each button and stick is used in the examples: rare ones show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nitrogen_adapter.data.windows import ChunkSettings, chunk_starts, chunk_sums, in_use
from nitrogen_adapter.gamepad import BUTTONS

STICK_NAMES = ("LEFT_STICK", "RIGHT_STICK")
"""What a stick pushed beyond the idle threshold is called in a report."""

MOST_WEIGHT = 30.0
"""The bound of suggested weights: our own value, that of `config.PLAYED_WEIGHT`."""


class Track(NamedTuple):
    """One sequence of steps, as the statistics count it.

    Attributes:
        rows: (T, 25) gamepad rows.
        starts: (n,) the moments that were kept.
        groups: what the sequence belongs to, such as {"agent": "scripted"}.
    """

    rows: NDArray[np.float32]
    starts: NDArray[np.int64]
    groups: Mapping[str, str]


@dataclass(frozen=True)
class Share:
    """How often one button or stick is used.

    Attributes:
        steps: share of the steps of all kept chunks.
        chunks: share of the kept chunks that use it at all.
        presses: how many times it was pressed in the episodes, however long it was held.
    """

    steps: float
    chunks: float
    presses: int


@dataclass(frozen=True)
class LabelGroup:
    """How much of the data comes from one stage, agent or source.

    Attributes:
        episodes: sequences of steps.
        steps: their steps.
        kept: examples kept.
        dashing: share of the steps of their chunks with the dash pressed.
    """

    episodes: int
    steps: int
    kept: int
    dashing: float


@dataclass(frozen=True)
class LabelStatistics:
    """What the kept chunks hold: a rare action is easily lost in training.

    Attributes:
        moments: moments looked at, one every `stride` steps with a whole chunk after it.
        kept: examples kept by the idle rule.
        dash: the button that dashes, or None where none is known.
        shares: how often each of the 21 buttons and two sticks is used, by name.
        groups: how much comes from where: by "stage" (the one that an episode began on) and by
            "agent" for Arena Breaker's episodes.
    """

    moments: int
    kept: int
    dash: str | None = None
    shares: Mapping[str, Share] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, LabelGroup]] = field(default_factory=dict)

    @property
    def moving(self) -> float:
        """Share of the chunks' steps with the left stick beyond the idle threshold."""
        return self.shares[STICK_NAMES[0]].steps

    @property
    def aiming(self) -> float:
        """Share of the chunks' steps with the right stick beyond it."""
        return self.shares[STICK_NAMES[1]].steps

    @property
    def dashing(self) -> float:
        """Share of the chunks' steps with the dash pressed; 0 where no button dashes."""
        return 0.0 if self.dash is None else self.shares[self.dash].steps

    def weights(self, *, most: float = MOST_WEIGHT) -> dict[str, float]:
        """Suggest how much each button that is used should count in training.

        A weight is 0.5 / min(p, 1 - p), p being the button's share of steps, and `most` at the
        most: the inverse frequency of what is rarer, pressing the button or leaving it, so that
        1 stands for a button pressed in half of the steps. Buttons that are never pressed, or
        always, teach nothing and are left out. The names are those of a gamepad row, as
        `TrainingConfig.weights` takes them.

        Args:
            most: the bound, at least 1.

        Raises:
            ValueError: if the bound is less.
        """
        if most < 1.0:
            raise ValueError(f"The largest weight is {most}; expected at least 1.")
        rare = {
            name: min(self.shares[name].steps, 1.0 - self.shares[name].steps)
            for name in BUTTONS
            if name in self.shares
        }
        return {name: min(most, 0.5 / share) for name, share in rare.items() if share > 0.0}

    def to_dict(self) -> dict[str, Any]:
        """Return all of it in plain values, the suggested weights included."""
        short = {"moving": self.moving, "aiming": self.aiming, "dashing": self.dashing}
        return {**asdict(self), **short, "weights": self.weights()}

    def __str__(self) -> str:
        """Return the report as a table to read."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        kept = self.kept / self.moments
        yield f"{self.kept:,} of {self.moments:,} moments kept ({kept:.1%})"
        yield ""
        yield f"{'used':16}{'steps':>9}{'chunks':>9}{'presses':>9}{'weight':>9}"
        weights = self.weights()
        for name, share in self.shares.items():
            if share.presses == 0 and share.chunks == 0.0:
                continue
            weight = f"{weights[name]:9.1f}" if name in weights else f"{'':9}"
            title = f"{name} *" if name == self.dash else name
            line = f"{title:16}{share.steps:9.1%}{share.chunks:9.1%}{share.presses:9,}{weight}"
            yield line.rstrip()
        if self.dash is not None:
            yield "* the dash"
        for kind, groups in self.groups.items():
            yield ""
            yield f"{kind:16}{'episodes':>9}{'steps':>9}{'kept':>9}{'dash':>9}"
            for name, group in groups.items():
                counts = f"{group.episodes:9,}{group.steps:9,}{group.kept:9,}"
                yield f"{name:16}{counts}{group.dashing:9.1%}"


def label_statistics(
    tracks: Iterable[Track],
    settings: ChunkSettings,
    *,
    old_layout: bool = False,
    dash: str | None = None,
) -> LabelStatistics:
    """Count what the kept chunks of some sequences hold.

    Args:
        tracks: the sequences; they are looked at one by one.
        settings: which moments were taken.
        old_layout: whether rows have their sticks first.
        dash: the button that dashes, if one does.

    Raises:
        ValueError: if no chunk was kept.
    """
    total, moments = _Counts(), 0
    groups: dict[str, dict[str, _Counts]] = {}
    for track in tracks:
        counts = _counts(track, settings, old_layout=old_layout)
        total.add(counts)
        moments += len(chunk_starts(len(track.rows), settings))
        for kind, name in track.groups.items():
            groups.setdefault(kind, {}).setdefault(name, _Counts()).add(counts)
    if total.kept == 0:
        raise ValueError(
            "No chunk is busy enough to be kept, so there are no statistics to report."
        )
    names = (*BUTTONS, *STICK_NAMES)
    column = None if dash is None else BUTTONS.index(dash)
    return LabelStatistics(
        moments=moments,
        kept=total.kept,
        dash=dash,
        shares={name: total.share(i, settings.horizon) for i, name in enumerate(names)},
        groups={
            kind: {name: by_name[name].group(column, settings.horizon) for name in sorted(by_name)}
            for kind, by_name in groups.items()
        },
    )


def _zeros() -> NDArray[np.int64]:
    return np.zeros(len(BUTTONS) + len(STICK_NAMES), dtype=np.int64)


@dataclass
class _Counts:
    """Counts that add up; arrays are (23,), by button and stick."""

    episodes: int = 0
    steps: int = 0
    kept: int = 0
    used_steps: NDArray[np.int64] = field(default_factory=_zeros)
    used_chunks: NDArray[np.int64] = field(default_factory=_zeros)
    presses: NDArray[np.int64] = field(default_factory=_zeros)

    def add(self, other: _Counts) -> None:
        self.episodes += other.episodes
        self.steps += other.steps
        self.kept += other.kept
        self.used_steps += other.used_steps
        self.used_chunks += other.used_chunks
        self.presses += other.presses

    def share(self, column: int, horizon: int) -> Share:
        return Share(
            steps=float(self.used_steps[column] / (self.kept * horizon)),
            chunks=float(self.used_chunks[column] / self.kept),
            presses=int(self.presses[column]),
        )

    def group(self, dash: int | None, horizon: int) -> LabelGroup:
        used = 0 if dash is None else int(self.used_steps[dash])
        return LabelGroup(self.episodes, self.steps, self.kept, used / max(self.kept * horizon, 1))


def _counts(track: Track, settings: ChunkSettings, *, old_layout: bool) -> _Counts:
    used = in_use(track.rows, settings, old_layout=old_layout)
    sums = chunk_sums(used, track.starts, settings)
    rising = used & ~np.concatenate([np.zeros_like(used[:1]), used[:-1]])
    return _Counts(
        episodes=1,
        steps=len(track.rows),
        kept=len(track.starts),
        used_steps=sums.sum(axis=0),
        used_chunks=(sums > 0).sum(axis=0),
        presses=rising.sum(axis=0),
    )
