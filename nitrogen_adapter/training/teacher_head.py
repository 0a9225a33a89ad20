"""`TeacherHead`: reads a teacher's move, aim and features off what a student sees of a frame.

It is trained along and thrown away. A classification says at once what the flow to an action must
find out from noisy samples, and a distribution says more than the one action drawn from it; aims
are classes too, since the mean of two good directions may hit nothing.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from nitrogen_adapter.data.examples import TeacherTargets

DIRECTIONS = 32
"""Classes of aim, evenly around the circle; a true aim between two belongs to both by nearness."""

SENSES_WEIGHT = 5.0
"""How much the features count beside the two distributions. Our own value."""

LEAST_VARIANCE = 1e-3
"""Features that vary less in a batch are taken for constant."""

AIMS_ABOVE = 0.3
"""Sticks shorter than this fire nothing and have no direction to learn."""


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
        senses = _relative_error(self.senses(flat).float(), senses_seen)
        return cast("Tensor", move - (score * aims).mean() + SENSES_WEIGHT * senses)


def _relative_error(seen: Tensor, wanted: Tensor) -> Tensor:
    """The squared error of (n, numbers) as a share of each number's variance; the mean of all.

    Numbers that are the same in all rows, such as those that a teacher does not use, are left out.
    """
    variance = wanted.var(dim=0)
    varied = (variance > LEAST_VARIANCE).float()
    errors = (seen - wanted).square().mean(dim=0) / variance.clamp_min(LEAST_VARIANCE)
    return (errors * varied).sum() / varied.sum().clamp_min(1.0)


def direction_shares(aim: Tensor) -> Tensor:
    """Share (n, 2) sticks out between the two classes of direction that each lies between."""
    place = torch.atan2(aim[:, 1], aim[:, 0]) / (2.0 * math.pi) * DIRECTIONS
    lower = place.floor()
    upper_share = (place - lower)[:, None]
    first = lower.long()[:, None] % DIRECTIONS
    shares = torch.zeros(len(aim), DIRECTIONS, device=aim.device)
    shares.scatter_(1, first, 1.0 - upper_share)
    return shares.scatter_add_(1, (first + 1) % DIRECTIONS, upper_share)
