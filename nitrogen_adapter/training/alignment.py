"""Feature alignment: a frame is to be seen as the same moment was seen in a look that is known.

Who plays well in one look and is blind in another lacks sight, not skill. Frames of one moment in
both looks tell sight alone, and densely: each part of the new frame has its counterpart. So was
depth learned from colour pictures (Gupta et al. 2016, "Cross Modal Distillation for Supervision
Transfer", arXiv 1507.00448).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nitrogen_adapter.data.examples import SightTargets
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.vision import Glance, PatchTower, normalise

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

    @classmethod
    def of(cls, model: NitroGen, pixels: Tensor, game: str | int | None = None) -> Self:
        """Return what a model sees of (n, 3, S, S) pixels in [-1, 1].

        Args:
            model: who looks.
            pixels: the frames.
            game: what it is told that it plays, where it tells games apart.
        """
        tower = model.vision_encoder
        if not isinstance(tower, PatchTower):
            return cls(model.encode(pixels[:, None], game))
        view = tower.look(pixels)
        return cls(model.attend(view.tokens[:, None], game), view.cells, view.near)

    @classmethod
    def wanted(cls, targets: SightTargets, device: torch.device) -> Self:
        """Return what is to be seen, as numbers of single precision on a device."""
        features, *patches = (
            None if part is None else torch.from_numpy(part).to(device).float() for part in targets
        )
        assert features is not None
        # A view: the channels stay last in memory, as they are in what is compared with it.
        return cls(features, *(None if part is None else part.movedim(-1, 1) for part in patches))

    def targets(self) -> SightTargets:
        """Return the same as arrays, to be learned from."""
        patches = (None if part is None else _stored(part.movedim(1, -1)) for part in self[1:])
        return SightTargets(_stored(self.features), *patches)


@torch.no_grad()
def look_ahead(
    model: NitroGen,
    frames: Iterable[NDArray[np.uint8]],
    *,
    game: str | int | None = None,
    bfloat16: bool = False,
) -> SightTargets:
    """Look once at the moments that a training passes over again and again.

    Args:
        model: who knows the frames' look, in evaluation mode.
        frames: (n, S, S, 3) each, at least one; all in the order of the examples. The same frames
            in other pieces are seen otherwise by rounding.
        game: what it is told that it plays, where it tells games apart.
        bfloat16: whether products are computed in it.
    """
    device = next(model.parameters()).device
    seen = []
    for some in frames:
        pixels = normalise(torch.from_numpy(some).to(device))
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            seen.append(Sight.of(model, pixels, game).targets())
    features, *patches = zip(*seen, strict=True)
    joined = (None if parts[0] is None else np.concatenate(parts) for parts in patches)
    return SightTargets(np.concatenate(features), *joined)


def alignment_loss(sight: Sight, wanted: Sight) -> Tensor:
    """Return how far a model is from seeing as it is wanted: a scalar, 0 or more.

    Args:
        sight: what is seen of n frames.
        wanted: what another model saw of the same moments in a look that it knows.
    """
    loss = relative_error(sight.features, wanted.features, over=(0,))
    return loss + CELLS_SHARE * patch_loss(sight, wanted)


def patch_loss(seen: Sight | Glance, wanted: Sight) -> Tensor:
    """Return how far patches are from those that are wanted: a scalar, 0 where there are none."""
    loss = torch.zeros((), device=wanted.features.device)
    for own, other in ((seen.cells, wanted.cells), (seen.near, wanted.near)):
        if own is not None and other is not None:
            loss = loss + relative_error(own, other, over=(0, 2, 3))
    return loss


def _stored(part: Tensor) -> NDArray[np.float16]:
    array: NDArray[np.float16] = part.half().contiguous().cpu().numpy()
    return array


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
    # Not torch's `var`, which took nine times as long over dimensions that lie apart in memory.
    spread = (wanted - wanted.mean(dim=over, keepdim=True)).square().sum(dim=over)
    variance = spread / max(1, count - 1)
    varied = (variance > LEAST_VARIANCE).float()
    errors = (seen - wanted).square().mean(dim=over) / variance.clamp_min(LEAST_VARIANCE)
    return (errors * varied).sum() / varied.sum().clamp_min(1.0)
