"""Like work: which of our figures a peer's is compared with, and how many times it is."""

import math
from collections.abc import Sequence

from arena_breaker_gym.throughput.rows import Row, Spread

PARTS = ("environment", "batch", "threads")


def like(peer: Row, rows: Sequence[Row]) -> Row | None:
    """Our figure of the same kind: alone or a batch, state or pixels.

    Among those the nearest picture counts first, then threads, then whether arrays are
    copied, then the number of arenas.

    Args:
        peer: A peer's figure.
        rows: All figures.

    Returns:
        None if nothing of the kind was measured.
    """
    alike = [row for row in rows if _same_kind(row, peer)]
    return min(alike, key=lambda row: _distance(row, peer), default=None)


def times_as_fast(peer: Row, ours: Row) -> Spread:
    """Our steps a second for each of the peer's, round by round."""
    pairs = zip(ours.values, peer.values, strict=False)  # a peer that broke has fewer rounds
    return Spread.of([own / other for own, other in pairs])


def _same_kind(row: Row, peer: Row) -> bool:
    kind = (row.observation, row.arenas > 1)
    return not row.peer and row.part in PARTS and kind == (peer.observation, peer.arenas > 1)


def _distance(row: Row, peer: Row) -> tuple[float, ...]:
    pictures = 0.0
    if row.size and peer.size:
        pictures = abs(math.log(math.prod(row.size) / math.prod(peer.size)))
    arenas = abs(math.log(row.arenas / peer.arenas))
    return (pictures, abs(row.threads - peer.threads), row.copies != peer.copies, arenas)
