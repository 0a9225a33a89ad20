"""Room to move: compiled look-ups in a stage's baked distance and flow fields.

Separations, sweeps, sight lines and walks. Only the four operations, square roots and
comparisons are used, so results are the same on every machine. `stages.table` says what the
fields hold.
"""

import math

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.stages.table import DISTANCE_NODES, FLOW_CELLS, StageRecord

INTERVALS = DISTANCE_NODES - 1
SLACK = 1e-3  # m; a circle no deeper in a wall than this touches it, but is not stopped by it
SEPARATIONS = 8  # rounds of `push_out`; a corner between two walls takes three
SHORTEST_LOOK = 0.1  # m between two looks along a line of sight
NEVER = 2.0  # the share of a displacement at which a sweep that meets nothing meets it


@compiled
def _node(position: float, per_metre: float) -> tuple[int, float]:
    """Grid node below a coordinate, and the share of the way to the next, clamped to the floor."""
    place = position * per_metre + 0.5 * INTERVALS
    # Written so that even NaN gives a valid index.
    if not place > 0.0:
        return 0, 0.0
    if place >= INTERVALS:
        return INTERVALS - 1, 1.0
    node = int(place)
    return node, place - node


@compiled
def distance_at(stage: StageRecord, x: float, z: float) -> float:
    """Metres from a point to the nearest wall or obstacle, negative inside one (bilinear)."""
    column, right = _node(x, stage.columns_per_metre)
    row, down = _node(z, stage.rows_per_metre)
    left = 1.0 - right
    upper = stage.distance[row, column] * left + stage.distance[row, column + 1] * right
    lower = stage.distance[row + 1, column] * left + stage.distance[row + 1, column + 1] * right
    value: float = upper * (1.0 - down) + lower * down
    return value


@compiled
def _far_from_walls(stage: StageRecord, x: float, z: float, reach: float) -> bool:
    """Whether no wall can be within `reach`, by one look at the node beside the point.

    Neighbouring nodes differ by no more than the cell's diagonal, so False means: look closer.
    """
    column, _ = _node(x, stage.columns_per_metre)
    row, _ = _node(z, stage.rows_per_metre)
    far: bool = stage.distance[row, column] - stage.cell_diagonal >= reach
    return far


@compiled
def _slope(stage: StageRecord, x: float, z: float) -> tuple[float, float, float]:
    """Distance at a point and its unit gradient; a gradient of (0, 0) where there is none."""
    column, right = _node(x, stage.columns_per_metre)
    row, down = _node(z, stage.rows_per_metre)
    left, up = 1.0 - right, 1.0 - down
    d00, d01 = stage.distance[row, column], stage.distance[row, column + 1]
    d10, d11 = stage.distance[row + 1, column], stage.distance[row + 1, column + 1]
    value = (d00 * left + d01 * right) * up + (d10 * left + d11 * right) * down
    slope_x = ((d01 - d00) * up + (d11 - d10) * down) * stage.columns_per_metre
    slope_z = ((d10 - d00) * left + (d11 - d01) * right) * stage.rows_per_metre
    length = math.sqrt(slope_x * slope_x + slope_z * slope_z)
    if length < 1e-9:
        return value, 0.0, 0.0
    return value, slope_x / length, slope_z / length


@compiled
def normal_at(stage: StageRecord, x: float, z: float) -> tuple[float, float]:
    """Unit vector (x, z) away from the nearest wall; (0, 0) where there is none."""
    _, normal_x, normal_z = _slope(stage, x, z)
    return normal_x, normal_z


@compiled
def _inside(position: float, length: float, radius: float) -> float:
    """A circle's coordinate, moved between the two outer walls `length` apart."""
    room = 0.5 * length - radius
    return max(-room, min(room, position))


@compiled
def push_out(stage: StageRecord, x: float, z: float, radius: float) -> tuple[float, float]:
    """Moves a circle out of walls and obstacles by the shortest way; returns its centre (x, z).

    The result keeps to the floor. In a gap narrower than the circle it ends between the walls.
    """
    if _far_from_walls(stage, x, z, radius):
        return x, z
    x = _inside(x, stage.width, radius)
    z = _inside(z, stage.depth, radius)
    for _ in range(SEPARATIONS):
        gap, normal_x, normal_z = _slope(stage, x, z)
        overlap = radius - gap
        if overlap <= 0.0:
            break
        x = _inside(x + normal_x * overlap, stage.width, radius)
        z = _inside(z + normal_z * overlap, stage.depth, radius)
    return x, z


@compiled
def sweep_walls(
    stage: StageRecord,
    x: float,
    z: float,
    dx: float,
    dz: float,
    radius: float,
) -> float:
    """Share in [0, 1] of a displacement that a circle may go before a wall stops it; 1.0: free.

    Sphere tracing. A circle that already touches a wall is stopped at once if it moves
    deeper in, and is free to move along the wall or away from it.
    """
    length = math.sqrt(dx * dx + dz * dz)
    if length == 0.0 or _far_from_walls(stage, x, z, radius + length):
        return 1.0
    radius -= SLACK
    gap = distance_at(stage, x, z) - radius
    if gap >= length:
        return 1.0
    ux, uz = dx / length, dz / length
    # Steps of at least a quarter of a grid interval bound their number; what such a step
    # could jump over is thinner than the grid resolves.
    shortest = 0.25 * stage.width / INTERVALS
    gone = 0.0
    while gone < length:
        reached = min(gone + max(gap, shortest), length)
        next_gap = distance_at(stage, x + ux * reached, z + uz * reached) - radius
        if next_gap < 0.0 and next_gap < gap:
            room = gap if gap > 0.0 else 0.0
            share: float = (gone + (reached - gone) * room / (room - next_gap)) / length
            return share
        gone = reached
        gap = next_gap
    return 1.0


@compiled
def sweep_circle(
    x: float, z: float, dx: float, dz: float, cx: float, cz: float, reach: float
) -> float:
    """Share in [0, 1] of a displacement at which a point first comes within `reach` of (cx, cz).

    0.0 if it begins within, 2.0 if it never does. For two circles, reach is the sum of radii.
    """
    px, pz = x - cx, z - cz
    outside = px * px + pz * pz - reach * reach
    if outside <= 0.0:
        return 0.0
    closing = -(px * dx + pz * dz)
    if closing <= 0.0:
        return NEVER
    root = closing * closing - (dx * dx + dz * dz) * outside
    if root < 0.0:
        return NEVER
    share = outside / (closing + math.sqrt(root))
    return share if share <= 1.0 else NEVER


@compiled
def in_sight(
    stage: StageRecord,
    x0: float,
    z0: float,
    x1: float,
    z1: float,
    radius: float,
) -> bool:
    """Whether a circle of that radius may go straight from (x0, z0) to (x1, z1).

    Cheaper than `sweep_walls` and a little less exact: steps are at least 0.1 m long, so a
    corner that reaches less far into the way may be missed.
    """
    dx, dz = x1 - x0, z1 - z0
    length = math.sqrt(dx * dx + dz * dz)
    gone = 0.0
    while gone < length:
        share = gone / length
        gap = distance_at(stage, x0 + dx * share, z0 + dz * share) - radius + SLACK
        if gap < 0.0:
            return False
        gone += max(gap, SHORTEST_LOOK)
    return distance_at(stage, x1, z1) - radius + SLACK >= 0.0


@compiled
def _cell(position: float, length: float) -> int:
    place = (position / length + 0.5) * FLOW_CELLS
    if not place > 0.0:
        return 0
    return min(int(place), FLOW_CELLS - 1)


@compiled
def walk(
    stage: StageRecord,
    x: float,
    z: float,
    target_x: float,
    target_z: float,
) -> tuple[float, float]:
    """Unit vector (x, z) of the first step of a shortest walk; (0, 0) where there is none.

    It heads for the middle of the next cell, or for the target itself once that is the next
    cell or this one, so that a walk cuts no corner that the field did not allow.
    """
    row, column = _cell(z, stage.depth), _cell(x, stage.width)
    target_row, target_column = _cell(target_z, stage.depth), _cell(target_x, stage.width)
    if row != target_row or column != target_column:
        code = int(stage.flow[target_row * FLOW_CELLS + target_column, row * FLOW_CELLS + column])
        if code < 0:
            return 0.0, 0.0
        # Directions run from +x (0) by way of +z (2) to -x (4) and -z (6).
        column += (code <= 1 or code == 7) - (3 <= code <= 5)
        row += (1 <= code <= 3) - (code >= 5)
        if row != target_row or column != target_column:
            target_x = ((column + 0.5) / FLOW_CELLS - 0.5) * stage.width
            target_z = ((row + 0.5) / FLOW_CELLS - 0.5) * stage.depth
    dx, dz = target_x - x, target_z - z
    length = math.sqrt(dx * dx + dz * dz)
    if length < 1e-9:
        return 0.0, 0.0
    return dx / length, dz / length
