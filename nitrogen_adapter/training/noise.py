"""`StepNoise`: all that a training step leaves to chance but dropout, drawn at once.

Each example's share depends on the step and on its place in the step alone. So it does not matter
whether a step is taken in one piece or several, by one process or by several.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.training.config import TrainingConfig


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
        draws, sizes = (count, config.draws), model.config
        shape = (*draws, sizes.action_horizon, sizes.action_dim)
        noise = torch.randn(shape, generator=generator, device=device)
        time = model.draw_times(count * config.draws, generator).reshape(draws)
        return cls(noise, time, plain, changes)

    def part(self, first: int, end: int) -> StepNoise:
        """Return what is for the examples from `first` up to `end`."""
        return StepNoise(
            self.noise[first:end],
            self.time[first:end],
            None if self.plain is None else self.plain[first:end],
            None if self.changes is None else self.changes[first:end],
        )
