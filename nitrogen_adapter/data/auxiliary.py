"""Teaching a model where things are: dense supervision from what a simulator knows.

This is for a base model that starts from nothing. Told for every token which kinds of things
stand in its part of the frame, and where they are as seen from the player, a small model learns
in minutes what would otherwise take it hours of play. The head that is trained along belongs to
the training and is thrown away after it; at play a student sees pixels only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from numpy.typing import NDArray
from torch import Tensor, nn

from nitrogen_adapter.vision import Fovea

ABSENT = -1
"""The kind of an empty row in a table of auxiliary targets."""

PLAYER = 0
"""The kind that others are located from."""

RARITY = 20.0
"""How much more a thing that is there counts than one that is not: most of a frame is floor."""

REACH = 4.0
"""Offsets from the player are learned in quarters of a frame, so that they are about 1 large."""

WHERE_SHARE = 0.3
"""How much the error of where things are counts beside the error of what they are."""


class AuxiliaryTargets(NamedTuple):
    """Where things stand in frames, as tensors.

    Attributes:
        places: (n, M, 2) column and row as shares of the frame, in [0, 1).
        kinds: (n, M) whole numbers; `ABSENT` where a row is empty.
    """

    places: Tensor
    kinds: Tensor

    @classmethod
    def of(cls, table: NDArray[np.float32]) -> AuxiliaryTargets:
        """Read a table (n, M, 3) of column, row, kind; the first row is the player's."""
        tensor = torch.from_numpy(np.ascontiguousarray(table))
        return cls(tensor[..., :2], tensor[..., 2].long())


def mirror_auxiliary(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a table (n, M, 3) of column, row, kind as a mirror shows it."""
    result = table.copy()
    result[..., 0] = 1.0 - result[..., 0]
    return result


class AuxiliaryHead(nn.Module):
    """Reads off a frame's tokens what stands where; its error teaches those who made the tokens."""

    def __init__(self, width: int, kinds: int, grid: int) -> None:
        """Build the head.

        Args:
            width: features of a token.
            kinds: how many kinds of things there are, the player among them.
            grid: tokens along one side of a frame.
        """
        super().__init__()
        self.kinds, self.grid = kinds, grid
        self.what = nn.Linear(width, kinds)
        self.where = nn.Linear(width, 2)

    def loss(self, features: Tensor, auxiliary: AuxiliaryTargets) -> Tensor:
        """Return how wrong the head is.

        Args:
            features: (n, grid * grid, C) what a model sees of a frame each.
            auxiliary: of the n frames.

        Returns:
            A scalar.
        """
        frame, row = torch.nonzero(auxiliary.kinds != ABSENT, as_tuple=True)
        column_row = (auxiliary.places[frame, row] * self.grid).long().clamp(0, self.grid - 1)
        cell = column_row[:, 1] * self.grid + column_row[:, 0]
        there = torch.zeros((*features.shape[:2], self.kinds), device=features.device)
        there[frame, cell, auxiliary.kinds[frame, row]] = 1.0
        rarity = torch.full((self.kinds,), RARITY, device=features.device)
        what = F.binary_cross_entropy_with_logits(self.what(features), there, pos_weight=rarity)
        from_player = auxiliary.places[frame, row] - auxiliary.places[frame, PLAYER]
        where = F.smooth_l1_loss(self.where(features[frame, cell]), REACH * from_player)
        return what + WHERE_SHARE * where


def place_loss(fovea: Fovea, cells: Tensor, place: Tensor) -> Tensor:
    """Return how wrong a fovea is about where the player is.

    Args:
        fovea: of the tower.
        cells: (n, C, grid, grid) the tower's cells of n frames.
        place: (n, 2) column and row as shares of the frame.

    Returns:
        A scalar: the cross-entropy of the cell, and the error of the place in cells.
    """
    grid = fovea.grid
    column_row = (place * grid).long().clamp(0, grid - 1)
    cell = F.cross_entropy(fovea.scores(cells), column_row[:, 1] * grid + column_row[:, 0])
    return cell + F.smooth_l1_loss(grid * fovea.place(cells), grid * place)
