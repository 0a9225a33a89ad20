"""`StateExamples`: examples that are kept as states of the game and drawn when they are asked for.

A state is drawn in another skin each time, with the same labels: one moment teaches what all looks
have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.pools import ThreadPool
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.stages.loader import load_campaign
from nitrogen_adapter import gamepad
from nitrogen_adapter.data.dataset import auxiliary_targets_of
from nitrogen_adapter.data.examples import Batch, TeacherTargets


class LabelledStates(NamedTuple):
    """States of the game with what a teacher would do there.

    Attributes:
        records: (n,) of dtype `engine.arena.ARENA`.
        actions: (n, 18, 5) the teacher's actions from there on.
        teacher: what else it thinks of the states; None if it says only what it would do.
    """

    records: NDArray[np.void]
    actions: NDArray[np.float32]
    teacher: TeacherTargets | None

    @classmethod
    def joined(cls, parts: Sequence[LabelledStates]) -> Self:
        """All states of some parts, which either all have a teacher's targets or none."""
        first = parts[0].teacher
        teacher = None
        if first is not None:
            columns = zip(*(one.teacher for one in parts if one.teacher), strict=True)
            teacher = TeacherTargets(*(np.concatenate(column) for column in columns))
        records = np.concatenate([one.records for one in parts])
        return cls(records, np.concatenate([one.actions for one in parts]), teacher)


class Looks:
    """Draws states in several skins."""

    def __init__(self, settings: Settings, skins: Sequence[str], *, num_threads: int = 1) -> None:
        """Prepares to draw.

        Args:
            settings: Of the game; its stages and pixel size count.
            skins: Their names.
            num_threads: That draw; they change no pixel.
        """
        models = load_campaign(settings.stages).models
        self.size = settings.pixel_size
        self.cameras = [Camera.over(m.size.width, m.size.depth, self.size) for m in models]
        self._renderers = [Renderer(models, size=self.size, skin=skin) for skin in skins]
        self._pool = ThreadPool(num_threads)

    def __len__(self) -> int:
        """The number of skins."""
        return len(self._renderers)

    def draw(self, records: NDArray[np.void], skins: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Frames (n, size, size, 3) of n states, each in the skin of its number."""
        frames = np.empty((len(records), self.size, self.size, 3), dtype=np.uint8)
        for number in np.unique(skins).tolist():
            rows = np.flatnonzero(skins == number)
            renderer = self._renderers[number]
            frames[rows] = renderer.compose(records[rows], pool=self._pool)
        return frames


class StateExamples:
    """Labelled states as examples (see `nitrogen_adapter.data.examples.Examples`)."""

    def __init__(self, states: LabelledStates, looks: Looks, *, seed: int) -> None:
        """Takes over states; nothing is drawn yet.

        Args:
            states: They and their labels.
            looks: What they are drawn in.
            seed: Of the choice of skins.
        """
        self._states = states
        self._looks = looks
        self._seed = seed
        self._rows = gamepad.pack(states.actions)

    def __len__(self) -> int:
        """The number of states."""
        return len(self._states.records)

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """The examples of these numbers, drawn anew."""
        states, looks = self._states, self._looks
        records = states.records[rows]
        # Another order of the same states, another choice of skins.
        rng = np.random.default_rng([self._seed, *rows[:4].tolist()])
        frames = looks.draw(records, rng.integers(len(looks), size=len(rows)))
        auxiliary = np.stack(
            [auxiliary_targets_of(one, looks.cameras[one["stage"]]) for one in records]
        )
        teacher = None if states.teacher is None else states.teacher.rows(rows)
        return Batch(frames, self._rows[rows], auxiliary, teacher)
