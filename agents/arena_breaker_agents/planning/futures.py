"""`Futures`: sequences of held moves, and how a search comes by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = 16
STAND = DIRECTIONS  # the move that goes nowhere
_ANGLES = 2.0 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
# (17, 2) stick positions: a ring of full sticks, and the stick at rest.
STICKS = np.vstack([np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1), np.zeros((1, 2))])

_KEPT = 0.6  # chance that a drawn future goes on as before in its next segment
_DASHES = 0.06  # chance of a dash in a drawn segment
_CHANGED = 0.3  # chance that a varied future has a segment drawn anew


@dataclass(frozen=True)
class Futures:
    """What the player might do from now on, n ways of it.

    Attributes:
        moves: (n, segments) indices into `STICKS`.
        dashes: (n, segments) bool, whether the segment begins with a dash.
    """

    moves: NDArray[np.int64]
    dashes: NDArray[np.bool_]

    def __len__(self) -> int:
        """The number of futures."""
        return len(self.moves)

    def __getitem__(self, rows: NDArray[np.integer] | slice) -> Futures:
        """Some of the futures."""
        return Futures(self.moves[rows], self.dashes[rows])

    def then(self, others: Futures) -> Futures:
        """These, followed by others."""
        return Futures(
            np.concatenate([self.moves, others.moves]),
            np.concatenate([self.dashes, others.dashes]),
        )

    def later(self) -> Futures:
        """What is left of them a segment later; the last move goes on."""
        moves, dashes = np.roll(self.moves, -1, axis=1), np.roll(self.dashes, -1, axis=1)
        moves[:, -1] = self.moves[:, -1]
        dashes[:, -1] = False
        return Futures(moves, dashes)


def straight(segments: int) -> Futures:
    """Every move held all the time, (17, segments), then every direction begun with a dash."""
    walks = np.repeat(np.arange(STAND + 1)[:, None], segments, axis=1)
    leaps = walks[:STAND]
    dashes = np.zeros((len(walks) + len(leaps), segments), dtype=np.bool_)
    dashes[len(walks) :, 0] = True
    return Futures(np.concatenate([walks, leaps]), dashes)


def drawn(count: int, segments: int, generator: np.random.Generator) -> Futures:
    """Futures that keep a direction for a while, then take any other."""
    moves = generator.integers(0, STAND + 1, (count, segments))
    kept = generator.random((count, segments)) < _KEPT
    for segment in range(1, segments):
        moves[:, segment] = np.where(kept[:, segment], moves[:, segment - 1], moves[:, segment])
    return Futures(moves, generator.random((count, segments)) < _DASHES)


def varied(best: Futures, count: int, generator: np.random.Generator) -> Futures:
    """Futures like some good ones: each takes one of them and draws a few segments anew."""
    parents = best[generator.integers(0, len(best), count)]
    fresh = drawn(count, parents.moves.shape[1], generator)
    changed = generator.random(parents.moves.shape) < _CHANGED
    return Futures(
        np.where(changed, fresh.moves, parents.moves),
        np.where(changed, fresh.dashes, parents.dashes),
    )
