"""`FeatureAlignment`: a frame is to be seen as the same moment was seen in a look that is known.

Who plays well in one look and is blind in another lacks sight, not skill. Frames of one moment in
both looks tell sight alone, and densely: each part of the new frame has its counterpart. So was
depth learned from colour pictures (Gupta et al. 2016, "Cross Modal Distillation for Supervision
Transfer", arXiv 1507.00448).
"""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import torch
from torch import Tensor

from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.vision import PatchTower

CELLS_SHARE = 0.3
"""How much patches, those of the frame and those about the player, count beside the features that
the actions get to see. Our own value."""

LEAST_VARIANCE = 1e-3
"""Numbers that vary less in a batch are taken for constant."""


class Sight(NamedTuple):
    """What a model sees of n frames.

    Attributes:
        features: (n, T, C) what the actions get to see.
        cells: (n, C, grid, grid) patches of the newest frames; None for a tower without.
        near: (n, C, side, side) patches about the player; None without a fovea.
    """

    features: Tensor
    cells: Tensor | None = None
    near: Tensor | None = None


class FeatureAlignment:
    """A model as it was, and how far another is from seeing as it did."""

    def __init__(self, reference: NitroGen, game: str | int | None = None) -> None:
        """Copy what sees.

        Args:
            reference: the model that plays well in a look of its own.
            game: what it is told that it plays, where it tells games apart.
        """
        self._reference = copy.deepcopy(reference).eval().requires_grad_(requires_grad=False)
        self._game = game

    def loss(self, sight: Sight, paired: Tensor) -> Tensor:
        """Return how far a model is from seeing as the reference does: a scalar, 0 or more.

        Args:
            sight: what is seen of n frames.
            paired: (n, 3, S, S) in [-1, 1], the same moments in the look that the reference knows.
        """
        wanted = self._seen(paired)
        loss = relative_error(sight.features, wanted.features, over=(0,))
        for own, other in ((sight.cells, wanted.cells), (sight.near, wanted.near)):
            if own is not None and other is not None:
                loss = loss + CELLS_SHARE * relative_error(own, other, over=(0, 2, 3))
        return loss

    @torch.no_grad()
    def _seen(self, paired: Tensor) -> Sight:
        model, tower = self._reference, self._reference.vision_encoder
        if not isinstance(tower, PatchTower):
            return Sight(model.encode(paired[:, None], self._game))
        view = tower.look(paired)
        return Sight(model.attend(view.tokens[:, None], self._game), view.cells, view.near)


def relative_error(seen: Tensor, wanted: Tensor, *, over: tuple[int, ...]) -> Tensor:
    """Return the squared error as a share of each number's variance; the mean of all: a scalar.

    Numbers that are the same in all rows, such as those that a teacher does not use, are left out;
    so is everything where there is only one, as in the last step of a pass.

    Args:
        seen: of any shape, rows first.
        wanted: of the same shape.
        over: the dimensions in which a number varies.
    """
    seen, wanted = seen.float(), wanted.float()
    count = math.prod(wanted.shape[axis] for axis in over)
    variance = wanted.var(dim=over, correction=min(1, count - 1))
    varied = (variance > LEAST_VARIANCE).float()
    errors = (seen - wanted).square().mean(dim=over) / variance.clamp_min(LEAST_VARIANCE)
    return (errors * varied).sum() / varied.sum().clamp_min(1.0)
