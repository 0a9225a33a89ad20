"""Outlines: closed rows of corners (x, z), their area, crossings, and cutting into triangles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

Point = tuple[float, float]


def edges_of(outline: Sequence[Point]) -> list[tuple[Point, Point]]:
    """The edges in order, the last one back to the first corner."""
    return list(zip(outline, [*outline[1:], outline[0]], strict=True))


def area_of(outline: Sequence[Point]) -> float:
    """Signed area, positive when wound from +x towards +z."""
    return 0.5 * sum(ax * bz - bx * az for (ax, az), (bx, bz) in edges_of(outline))


def crossing_edges(outline: Sequence[Point]) -> tuple[int, int] | None:
    """The first two edges that meet anywhere but in the corner between neighbours, by index."""
    edges = edges_of(outline)
    for first, second in combinations(range(len(edges)), 2):
        if second - first == 1 or (first, second) == (0, len(edges) - 1):
            if _folds_back(edges, first, second):
                return first, second
        elif _meet(edges[first], edges[second]):
            return first, second
    return None


def triangles_of(outline: Sequence[Point]) -> list[list[Point]]:
    """Cuts a simple outline, wound either way, into triangles by clipping its ears.

    Chipmunk has a convex decomposition of its own, but that crashes the process on some
    simple outlines.
    """
    corners = list(outline) if area_of(outline) > 0.0 else list(reversed(outline))
    triangles = []
    while len(corners) > 3:
        index = _ear(corners)
        before, corner, after = corners[index - 1], corners[index], _after(corners, index)
        if _side(before, corner, after) > 0.0:  # else a corner on a straight edge, which goes too
            triangles.append([before, corner, after])
        del corners[index]
    return [*triangles, corners]


def _ear(corners: list[Point]) -> int:
    """Index of a corner that can be cut off without touching the rest of the outline."""
    turns = [
        _side(corners[index - 1], corner, _after(corners, index))
        for index, corner in enumerate(corners)
    ]
    for index, turn in enumerate(turns):
        if turn == 0.0 or (turn > 0.0 and _is_free(corners, index)):
            return index
    # Only rounding leaves no ear; the flattest corner is then as thin as the rounding.
    return min(range(len(turns)), key=lambda index: abs(turns[index]))


def _is_free(corners: list[Point], index: int) -> bool:
    """Whether the triangle of a corner and its neighbours holds no other corner."""
    a, b, c = corners[index - 1], corners[index], _after(corners, index)
    return not any(
        _side(a, b, point) >= 0.0 and _side(b, c, point) >= 0.0 and _side(c, a, point) >= 0.0
        for point in corners
        if point not in (a, b, c)
    )


def _after(corners: list[Point], index: int) -> Point:
    return corners[(index + 1) % len(corners)]


def _folds_back(edges: list[tuple[Point, Point]], first: int, second: int) -> bool:
    """Whether two neighbouring edges lie upon each other."""
    if second - first != 1:
        first, second = second, first
    (before, corner), (_, after) = edges[first], edges[second]
    ahead = (after[0] - corner[0]) * (corner[0] - before[0])
    ahead += (after[1] - corner[1]) * (corner[1] - before[1])
    return _side(before, corner, after) == 0.0 and ahead < 0.0


def _meet(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    (a, b), (c, d) = one, other
    sides = _side(a, b, c), _side(a, b, d), _side(c, d, a), _side(c, d, b)
    if sides[0] * sides[1] > 0.0 or sides[2] * sides[3] > 0.0:
        return False
    if any(side != 0.0 for side in sides):
        return True
    # All four in one line: they meet if their boxes do.
    return all(
        max(min(a[axis], b[axis]), min(c[axis], d[axis]))
        <= min(max(a[axis], b[axis]), max(c[axis], d[axis]))
        for axis in (0, 1)
    )


def _side(a: Point, b: Point, point: Point) -> float:
    """Which side of the line through a and b a point lies on: the sign; 0 on the line."""
    return (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])
