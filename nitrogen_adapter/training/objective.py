"""`TrainingObjective`: how wrong a model is about some examples, as a loss that it learns from.

Each example's share depends on the step and on its place in the step alone. So it does not matter
whether a step is taken in one piece or several, by one process or by several.

It is trained along and thrown away. A classification says at once what the flow to an action must
find out from noisy samples, and a distribution says more than the one action drawn from it; aims
are classes too, since the mean of two good directions may hit nothing.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nitrogen_adapter import gamepad
from nitrogen_adapter.config import PatchConfig
from nitrogen_adapter.data.examples import (
    PLAYER,
    AuxiliaryHead,
    AuxiliaryTargets,
    Batch,
    TeacherTargets,
    place_loss,
)
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.training.alignment import (
    Sight,
    alignment_loss,
    patch_loss,
    relative_error,
)
from nitrogen_adapter.training.config import TrainingConfig
from nitrogen_adapter.vision import Fovea, PatchTower, TowerView, normalise

DIRECTIONS = 32
"""Classes of aim, evenly around the circle; a true aim between two belongs to both by nearness."""

SENSES_WEIGHT = 5.0
"""How much the features count beside the two distributions. Our own value."""

AIMS_ABOVE = 0.3
"""Sticks shorter than this fire nothing and have no direction to learn."""

WITHOUT_TARGETS = "auxiliary_weight is above 0, but the examples come without auxiliary targets."

WITHOUT_SIGHT = (
    "alignment_weight is above 0, but the examples do not tell how another look is seen."
)


class StepNoise(NamedTuple):
    """What was drawn for n examples, each with K noises.

    Attributes:
        noise: (n, K, 18, 25) where the denoising begins.
        time: (n, K) in [0, 1) how far it has come.
        plain: (n,) bool, which are shown as they are where mirroring is on; else None.
        changes: (n, 8) how frames are augmented, or None.
    """

    noise: Tensor
    time: Tensor
    plain: Tensor | None = None
    changes: Tensor | None = None

    @classmethod
    def draw(
        cls, model: NitroGen, config: TrainingConfig, count: int, *, seed: int, frames: bool
    ) -> StepNoise:
        """Draw for `count` examples, on the model's device.

        Args:
            model: what is trained.
            config: what is left to chance.
            count: examples in the step.
            seed: of the step.
            frames: whether the examples are frames, or features that were computed ahead.
        """
        device = next(model.parameters()).device
        generator = torch.Generator(device).manual_seed(seed)
        plain = changes = None
        if frames and config.mirror:
            plain = torch.rand(count, generator=generator, device=device) < 0.5
        if frames and config.augment:
            changes = config.augment.draw(count, generator)
        noise_samples, sizes = (count, config.noise_samples), model.config
        shape = (*noise_samples, sizes.action_horizon, sizes.action_dim)
        noise = torch.randn(shape, generator=generator, device=device)
        time = model.draw_times(count * config.noise_samples, generator).reshape(noise_samples)
        return cls(noise, time, plain, changes)

    def part(self, first: int, end: int) -> StepNoise:
        """Return what is for the examples from `first` up to `end`."""
        return StepNoise(
            self.noise[first:end],
            self.time[first:end],
            None if self.plain is None else self.plain[first:end],
            None if self.changes is None else self.changes[first:end],
        )


class TeacherHead(nn.Module):
    """Three linear layers over all tokens of a frame."""

    def __init__(self, inputs: int, *, moves: int, senses: int) -> None:
        """Build the head.

        Args:
            inputs: numbers that are seen of a frame: tokens times features.
            moves: classes of moves.
            senses: features of the teacher.
        """
        super().__init__()
        self.move = nn.Linear(inputs, moves)
        self.aim = nn.Linear(inputs, DIRECTIONS)
        self.senses = nn.Linear(inputs, senses)

    def loss(self, features: Tensor, targets: TeacherTargets) -> Tensor:
        """Return how wrong the head is about (n, T, C) features: a scalar.

        The sum of two cross-entropies, of moves and of aims, and the mean squared error of the
        teacher's features.
        """
        flat = features.flatten(1)
        move_logits, stick, senses_seen = (
            torch.from_numpy(part).to(flat.device) for part in targets
        )
        wanted = move_logits.softmax(dim=1)
        move = -(wanted * self.move(flat).float().log_softmax(dim=1)).sum(dim=1).mean()
        score = (direction_shares(stick) * self.aim(flat).float().log_softmax(dim=1)).sum(1)
        aims = (stick.norm(dim=1) > AIMS_ABOVE).float()
        senses = relative_error(self.senses(flat), senses_seen, over=(0,))
        result: Tensor = move - (score * aims).mean() + SENSES_WEIGHT * senses
        return result


def direction_shares(aim: Tensor) -> Tensor:
    """Share (n, 2) sticks out between the two classes of direction that each lies between."""
    place = torch.atan2(aim[:, 1], aim[:, 0]) / (2.0 * math.pi) * DIRECTIONS
    lower = place.floor()
    upper_share = (place - lower)[:, None]
    first = lower.long()[:, None] % DIRECTIONS
    shares = torch.zeros(len(aim), DIRECTIONS, device=aim.device)
    shares.scatter_(1, first, 1.0 - upper_share)
    return shares.scatter_add_(1, (first + 1) % DIRECTIONS, upper_share)


class TrainingObjective:
    """A model, the heads that are trained along and thrown away, and what counts how much."""

    def __init__(
        self,
        model: NitroGen,
        config: TrainingConfig,
        *,
        teacher: TeacherTargets | None = None,
    ) -> None:
        """Prepare; the model's parameters that require no gradient are left alone.

        Args:
            model: what learns.
            config: how.
            teacher: targets of any frame, whose sizes a teacher's head is built for; needed where
                the configuration's `teacher_weight` is above 0.
        """
        self.model = model
        self.config = config
        self.device = next(model.parameters()).device
        self.weights = action_weights(model, config)
        self.auxiliary_head = self._auxiliary_head() if config.auxiliary_weight else None
        self.teacher_head = None if teacher is None else self._teacher_head(teacher)

    def learning(self) -> dict[str, torch.nn.Parameter]:
        """Return by name the parameters that learn."""
        found = self.model.learning()
        # Stored trainings call the auxiliary head "sight".
        for kind, head in (("sight", self.auxiliary_head), ("teacher", self.teacher_head)):
            if head is not None:
                found |= {f"{kind}.{name}": p for name, p in head.named_parameters()}
        return found

    def loss(self, batch: Batch, noise: StepNoise) -> Tensor:
        """Return a scalar: the mean over some examples.

        Args:
            batch: n examples: frames, the tower's tokens (n, F, tokens, C) or features (n, T, C).
            noise: what was drawn for them.

        Raises:
            ValueError: if auxiliary targets, a teacher or the sight of another look count and the
                examples come without.
        """
        if noise.plain is not None:
            batch = self._mirrored(batch, noise.plain)
        seen = self._seen(batch.inputs, noise.changes)
        loss = torch.zeros((), device=self.device)
        if self.config.action_weight:
            found = self.action_loss(seen.features, batch.actions, noise)
            loss = loss + self.config.action_weight * found
        if self.auxiliary_head is not None and batch.inputs.dtype == np.uint8:
            extra = self._auxiliary_loss(self.auxiliary_head, seen, batch)
            loss = loss + self.config.auxiliary_weight * extra
        if self.teacher_head is not None:
            if batch.teacher is None:
                raise ValueError("teacher_weight is above 0, but the examples come without one.")
            told = self.teacher_head.loss(seen.features, batch.teacher)
            loss = loss + self.config.teacher_weight * told
        if self.config.alignment_weight and batch.inputs.dtype == np.uint8:
            far = alignment_loss(seen, self._wanted(batch))
            loss = loss + self.config.alignment_weight * far
        return loss

    def patch_loss(self, batch: Batch, noise: StepNoise) -> Tensor:
        """Return a scalar: how far the patches of some examples are from what they are to be.

        Args:
            batch: n examples, frames of a model with a `PatchTower`.
            noise: what was drawn for them.

        Raises:
            ValueError: if the examples do not tell how another look is seen.
        """
        tower = self.model.vision_encoder
        assert isinstance(tower, PatchTower)
        newest = self._pixels(batch.inputs, noise.changes)[:, -1]
        return patch_loss(tower.glance(newest), self._wanted(batch))

    def features(self, inputs: NDArray[Any]) -> Tensor:
        """Return what the actions get to see of n examples' inputs, (n, T, C)."""
        return self._seen(inputs, None).features

    def action_loss(
        self, features: Tensor, actions: NDArray[np.float32], noise: StepNoise
    ) -> Tensor:
        """Return a scalar: how wrong the flow to (n, 18, 25) actions is, given (n, T, C)."""
        return self.model.loss(
            None,
            torch.from_numpy(actions).to(self.device),
            noise=noise.noise.flatten(0, 1),
            time=noise.time.flatten(),
            features=features,
            noise_samples=noise.time.shape[1],
            weights=self.weights,
        )

    def _seen(self, inputs: NDArray[Any], changes: Tensor | None) -> Sight:
        """Looks at n examples; `changes` (n, 8) says how frames are augmented."""
        if inputs.dtype != np.uint8:
            given = torch.from_numpy(inputs).to(self.device, torch.float32)
            return Sight(given if given.ndim == 3 else self._attended(given))
        pixels = self._pixels(inputs, changes)
        # Of what is frozen nothing is kept for a backward pass.
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.config.tower_is_frozen):
            view = self._looked_at(pixels)
        return Sight(self._attended(view.tokens), view.cells, view.near)

    def _pixels(self, inputs: NDArray[np.uint8], changes: Tensor | None) -> Tensor:
        """(n, F, 3, S, S) in [-1, 1], augmented as `changes` (n, 8) says."""
        # Bytes travel to the device, where they become numbers four times as long.
        frames = normalise(torch.from_numpy(inputs).to(self.device))
        pixels = frames[:, None] if inputs.ndim == 4 else frames
        return pixels if changes is None else self.config.augment.apply(pixels, changes)

    def _wanted(self, batch: Batch) -> Sight:
        if batch.sight is None:
            raise ValueError(WITHOUT_SIGHT)
        return Sight.wanted(batch.sight, self.device)

    def _looked_at(self, pixels: Tensor) -> TowerView:
        """The tower's tokens (n, F, tokens, C), and the newest frames' patches if it has any."""
        tower, shape = self.model.vision_encoder, pixels.shape[:2]
        if not isinstance(tower, PatchTower):
            return TowerView(self.model.see(pixels))
        whole = self.config.recentred_gradient
        tokens, *patches = tower.look(pixels.flatten(0, 1), recentred_gradient=whole)
        newest = (None if part is None else _in_rows(part, shape)[:, -1] for part in patches)
        return TowerView(_in_rows(tokens, shape), *newest)

    def _attended(self, tokens: Tensor) -> Tensor:
        with torch.set_grad_enabled(
            torch.is_grad_enabled() and not self.config.features_are_frozen
        ):
            return self.model.attend(tokens, self.config.game)

    def _auxiliary_loss(self, head: AuxiliaryHead, seen: Sight, batch: Batch) -> Tensor:
        if batch.auxiliary is None:
            raise ValueError(WITHOUT_TARGETS)
        parts = AuxiliaryTargets.of(batch.auxiliary)
        auxiliary = AuxiliaryTargets(*(part.to(self.device) for part in parts))
        if seen.cells is None:
            # Tokens padded on the left, and those of earlier frames, stand for no part of this one.
            return head.loss(seen.features[:, -(head.grid**2) :], auxiliary)
        loss = head.loss(seen.cells.flatten(2).transpose(1, 2), auxiliary)
        fovea = getattr(self.model.vision_encoder, "fovea", None)
        if isinstance(fovea, Fovea):
            loss = loss + place_loss(fovea, seen.cells, auxiliary.places[:, PLAYER])
        return loss

    def _mirrored(self, batch: Batch, plain: Tensor) -> Batch:
        mirror = batch.mirrored(old_layout=self.model.config.old_layout)
        for number in torch.nonzero(plain).flatten().tolist():
            for own, other in zip(mirror[:3], batch[:3], strict=True):
                if own is not None and other is not None:
                    own[number] = other[number]
        return mirror

    def _auxiliary_head(self) -> AuxiliaryHead:
        vision = self.model.config.vision
        width = vision.channels if isinstance(vision, PatchConfig) else vision.hidden_size
        with self._own_random():
            head = AuxiliaryHead(width, self.config.auxiliary_kinds, vision.grid)
        return head.to(self.device)

    def _teacher_head(self, teacher: TeacherTargets) -> TeacherHead:
        config = self.model.config
        inputs = config.max_sequence_length * config.vision.hidden_size
        moves, senses = teacher.move.shape[1], teacher.senses.shape[1]
        with self._own_random():
            head = TeacherHead(inputs, moves=moves, senses=senses)
        return head.to(self.device)

    @contextlib.contextmanager
    def _own_random(self) -> Iterator[None]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            yield


def _in_rows(flat: Tensor, shape: torch.Size) -> Tensor:
    """Divide the first dimension of (n * F, ...) into the two of a shape (n, F)."""
    return flat.reshape(*shape, *flat.shape[1:])


def action_weights(model: NitroGen, config: TrainingConfig) -> Tensor:
    """Return (18, 25) how much each number of each row counts, in the model's layout."""
    names = gamepad.layout(old_layout=model.config.old_layout).names
    device = next(model.parameters()).device
    numbers = torch.tensor([config.weights.get(name, 1.0) for name in names], device=device)
    rows = torch.arange(model.config.action_horizon, dtype=torch.float32, device=device)
    return config.action_discount ** rows[:, None] * numbers
