"""What a stage must fulfil beyond its schema, to be playable; each breach is a `Fault`.

The plan's own words (zones, waves, outlines, tracks) need no geometry; places are held
against pymunk's space, and walks against the flow field.

Everything is read off the baked distance field, which is all that the rules know of walls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.json_file import Fault, one_of, quoted
from arena_breaker_gym.stages.model import (
    MAX_ALIVE,
    Corner,
    Polygon,
    Saw,
    Spikes,
    Stage,
    Wave,
    Zone,
    area_of,
    crossing_edges,
    edges_of,
)
from arena_breaker_gym.stages.table import DISTANCE_NODES, FLOW_CELLS, RADII

if TYPE_CHECKING:
    import pymunk

Coordinates = NDArray[np.float64]

PLAYER_ROOM = 0.4  # m: the player's radius
SMALLEST_AREA = 0.01  # m², of a polygon
_ALIVE_AFTER = {"splitter": 3}  # a dead one leaves three swarmers
_TOUCH = 0.01  # m: closer than that counts as touching

_BROOD = {"splitter": "swarmer"}
_NODES = (DISTANCE_NODES - 1) // FLOW_CELLS  # grid intervals a flow cell
_SEEP = 0.05  # m: what is nearer to a wall counts as wall where floors are told apart
_FLAT = 0.5  # slope of the distance below which walls stand on both sides, under 60 degrees
_OVERLAP = 0.1  # of a radius: so far one may stand in a wall

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]


def word_faults(stage: Stage) -> list[Fault]:
    """What is wrong with zones' names and waves' totals, which need no geometry."""
    zones = [zone.name for zone in stage.zones]
    waves = (_wave(wave, zones, f"waves[{index}]") for index, wave in enumerate(stage.waves))
    return [*_zone_names(zones), *(fault for wave in waves for fault in wave)]


def shape_faults(stage: Stage) -> list[Fault]:
    """What is wrong with outlines and tracks in themselves; with any, nothing can be built."""
    faults: list[Fault] = []
    for index, obstacle in enumerate(stage.obstacles):
        if isinstance(obstacle, Polygon):
            faults += _outline(obstacle, f"obstacles[{index}].points")
    for index, hazard in enumerate(stage.hazards):
        if isinstance(hazard, Saw):
            faults += _track(hazard, f"hazards[{index}].track")
    return faults


def _zone_names(names: list[str]) -> Iterator[Fault]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Fault(
                f"zones[{index}].name",
                f"a second {quoted(name)}",
                "a name of its own for each zone",
            )


def _wave(wave: Wave, zones: list[str], path: str) -> Iterator[Fault]:
    for index, group in enumerate(wave.groups):
        if group.zone not in zones:
            yield Fault(
                f"{path}.groups[{index}].zone",
                quoted(group.zone),
                f"the name of a zone: {one_of(zones, not_=group.zone)}",
            )
    alive = sum(group.count * _ALIVE_AFTER.get(group.type, 1) for group in wave.groups)
    if alive > MAX_ALIVE:
        yield Fault(
            f"{path}.groups",
            f"{alive} enemies that may be alive at once (a splitter becomes 3)",
            f"at most {MAX_ALIVE}",
        )


def _outline(polygon: Polygon, path: str) -> list[Fault]:
    """The first fault of an outline: of one that is bent, each further one would be an echo."""
    for index, (corner, following) in enumerate(edges_of(polygon.points)):
        if corner == following:
            wanted = "corners that differ (the last one joins the first by itself)"
            return [Fault(f"{path}[{index}]", f"{quoted(corner)} twice in a row", wanted)]
    crossing = crossing_edges(polygon.points)
    if crossing:
        found = f"an outline that crosses itself (edges {crossing[0]} and {crossing[1]})"
        return [Fault(path, found, "a simple polygon")]
    if abs(area_of(polygon.points)) < SMALLEST_AREA:
        return [Fault(path, "an outline with hardly any area", "at least 0.01 m²")]
    return []


def _track(saw: Saw, path: str) -> Iterator[Fault]:
    if saw.closed and len(saw.track) < 3:
        yield Fault(path, "2 corners of a closed track", "at least 3, or an open track")
        return
    for index, (corner, following) in enumerate(_legs(saw)):
        if corner == following:
            found = f"{quoted(corner)} twice in a row"
            yield Fault(f"{path}[{index}]", found, "corners that differ")


def _legs(saw: Saw) -> list[tuple[Corner, Corner]]:
    """The straight legs of a saw's track, the one that closes it included."""
    return edges_of(saw.track)[: None if saw.closed else -1]


def place_faults(stage: Stage, space: pymunk.Space) -> list[Fault]:
    """Where start, zones and hazards do not stand clear of walls and obstacles.

    Args:
        stage: A stage without `shape_faults`.
        space: What `fields.build_space` made of it.
    """
    faults = list(_start(stage, space))
    for index, zone in enumerate(stage.zones):
        faults += _zone(stage, zone, space, f"zones[{index}]")
    for index, hazard in enumerate(stage.hazards):
        places = hazard.track if isinstance(hazard, Saw) else [(hazard.x, hazard.z)]
        for place in places:
            faults += _on_floor(stage, place, f"hazards[{index}]")
        if isinstance(hazard, Saw):
            faults += _course(hazard, space, f"hazards[{index}].track")
        else:
            faults += _spikes(stage, hazard, space, f"hazards[{index}]")
    return faults


def _on_floor(stage: Stage, place: Corner, path: str) -> Iterator[Fault]:
    if abs(place[0]) > stage.size.width / 2 or abs(place[1]) > stage.size.depth / 2:
        yield Fault(
            path,
            f"a place beyond the walls, x = {place[0]:g}, z = {place[1]:g}",
            f"one on the floor, x up to {stage.size.width / 2:g} "
            f"and z up to {stage.size.depth / 2:g}",
        )


def _start(stage: Stage, space: pymunk.Space) -> Iterator[Fault]:
    yield from _on_floor(stage, (stage.start.x, stage.start.z), "start")
    near = _nearest(space, (stage.start.x, stage.start.z), PLAYER_ROOM)
    if near:
        yield Fault(
            "start",
            f"a place blocked by {near}",
            f"at least {PLAYER_ROOM} m to every wall and obstacle",
        )


def _zone(stage: Stage, zone: Zone, space: pymunk.Space, path: str) -> Iterator[Fault]:
    import pymunk

    far_x = abs(zone.x) + zone.width / 2
    far_z = abs(zone.z) + zone.depth / 2
    if far_x > stage.size.width / 2 or far_z > stage.size.depth / 2:
        yield Fault(
            path,
            f"a zone that reaches out to x = {far_x:g}, z = {far_z:g} from the middle",
            f"one on the floor, x up to {stage.size.width / 2:g} "
            f"and z up to {stage.size.depth / 2:g}",
        )
        return
    body = pymunk.Body(body_type=pymunk.Body.STATIC)
    body.position = zone.x, zone.z
    rectangle = pymunk.Poly.create_box(body, (zone.width, zone.depth), radius=_TOUCH)
    touched = [_name(contact.shape) for contact in space.shape_query(rectangle)]
    if touched:
        found = f"a spawn zone in or against {min(touched)}"
        yield Fault(path, found, "one clear of walls and obstacles")


def _course(saw: Saw, space: pymunk.Space, path: str) -> Iterator[Fault]:
    for index, (corner, following) in enumerate(_legs(saw)):
        # Each shape is asked by itself: a space's own thick segment query overlooks shapes
        # whose bounding box the thin segment misses.
        answers = [
            shape.segment_query(corner, following, saw.radius - _TOUCH) for shape in space.shapes
        ]
        hits = [answer for answer in answers if answer]
        if hits:
            first = min(hits, key=lambda hit: hit.alpha)
            yield Fault(
                f"{path}[{index}]",
                f"a saw of radius {saw.radius:g} that runs into {_name(first.shape)} "
                "on its way to the next corner",
                "a track clear of walls and obstacles by the saw's radius",
            )


def _spikes(stage: Stage, spikes: Spikes, space: pymunk.Space, path: str) -> Iterator[Fault]:
    covered = _nearest(space, (spikes.x, spikes.z), 0.0)
    if covered:
        yield Fault(path, f"spikes inside {covered}", "their middle on open floor")
    gap = np.hypot(spikes.x - stage.start.x, spikes.z - stage.start.z) - spikes.radius
    if gap < PLAYER_ROOM:
        yield Fault(
            path,
            "spikes on top of the player's start",
            f"at least {spikes.radius + PLAYER_ROOM:g} m between their middles",
        )


def _nearest(space: pymunk.Space, place: tuple[float, float], room: float) -> str:
    """What lies closer to a place than `room` metres, in words; empty if nothing does."""
    import pymunk

    near = space.point_query_nearest(place, room, pymunk.ShapeFilter())
    return _name(near.shape) if near else ""


def _name(shape: pymunk.Shape | None) -> str:
    assert shape is not None  # a query's answer has one
    index: int = shape.obstacle  # set by `fields.build_space`
    return "the outer wall" if index < 0 else f"obstacles[{index}]"


def walk_faults(stage: Stage, flow: NDArray[np.int8]) -> list[Fault]:
    """The spawn zones that are not joined to the player's start on foot.

    Args:
        stage: A stage without `place_faults`.
        flow: Its flow field, (1024, 1024).
    """
    start = _cells(stage, np.array(stage.start.x), np.array(stage.start.z))
    faults = []
    for index, zone in enumerate(stage.zones):
        xs = np.linspace(zone.x - zone.width / 2, zone.x + zone.width / 2, 2 * FLOW_CELLS)
        zs = np.linspace(zone.z - zone.depth / 2, zone.z + zone.depth / 2, 2 * FLOW_CELLS)
        cells = np.unique(_cells(stage, xs[None, :], zs[:, None]))
        if np.any((flow[start, cells] < 0) & (cells != start)):
            found = "a zone with no way on foot to the player's start"
            wanted = "gaps of at least 2 m between walls all the way"
            faults.append(Fault(f"zones[{index}]", found, wanted))
    return faults


def _cells(stage: Stage, x: Coordinates, z: Coordinates) -> NDArray[np.int64]:
    """Index of the flow cell that each place (x, z) lies in."""
    column = np.clip((x / stage.size.width + 0.5) * FLOW_CELLS, 0, FLOW_CELLS - 1)
    row = np.clip((z / stage.size.depth + 0.5) * FLOW_CELLS, 0, FLOW_CELLS - 1)
    return row.astype(np.int64) * FLOW_CELLS + column.astype(np.int64)


def room_faults(stage: Stage, distance: Field, flow: NDArray[np.int8]) -> list[Fault]:
    """Where the player or an enemy of a stage does not fit, or an enemy has no way to the player.

    Args:
        stage: A stage without faults of shapes and places.
        distance: (193, 193) metres to the nearest wall.
        flow: Its flow field, (1024, 1024).
    """
    floor = _joined(distance > _SEEP, _node_of(stage, stage.start.x, stage.start.z))
    for name, radius in _who(stage):
        faults = [
            *_gaps(stage, distance, floor, name, radius),
            *_parts(stage, floor & (distance >= radius), name, radius),
        ]
        if faults:  # anything smaller would only repeat it
            return faults
    return [*_ways(stage, floor & (distance >= PLAYER_ROOM), flow)]


def _who(stage: Stage) -> list[tuple[str, float]]:
    """The player and the enemies that may be in the stage, the largest first."""
    types: set[str] = {group.type for wave in stage.waves for group in wave.groups}
    types |= {_BROOD[one] for one in types & _BROOD.keys()}
    enemies = [(f"a {name}", RADII[name]) for name in types]
    return sorted([("the player", PLAYER_ROOM), *enemies], key=lambda one: (-one[1], one[0]))


def _gaps(stage: Stage, distance: Field, floor: Mask, name: str, radius: float) -> Iterator[Fault]:
    narrow = floor & (distance < (1.0 - _OVERLAP) * radius) & _between_walls(stage, distance)
    if narrow.any():
        row, column = np.unravel_index(np.where(narrow, distance, -1.0).argmax(), distance.shape)
        yield Fault(
            "obstacles",
            f"a gap or corner at {_place(stage, int(row), int(column))} that is "
            f"{2.0 * float(distance[row, column]):.2g} m wide, in which {name} would be stuck",
            f"gaps of at least {2.0 * radius:g} m, and corners of at least 60 degrees",
        )


def _between_walls(stage: Stage, distance: Field) -> Mask:
    """Where walls stand on both sides: the distance is at its largest there, and hardly slopes."""
    steps = stage.size.depth / (DISTANCE_NODES - 1), stage.size.width / (DISTANCE_NODES - 1)
    down, right = np.gradient(distance.astype(np.float64), *steps)
    padded = np.pad(distance.astype(np.float64), 1, mode="edge")
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    between: Mask = (np.hypot(down, right) < _FLAT) & (around < 4.0 * distance)
    return between


def _parts(stage: Stage, room: Mask, name: str, radius: float) -> Iterator[Fault]:
    """What fits in one place must be able to get there from any other place in which it fits."""
    if not room.any():
        return
    first = np.unravel_index(room.argmax(), room.shape)
    apart = room & ~_joined(room, (int(first[0]), int(first[1])))
    if apart.any():
        row, column = np.unravel_index(apart.argmax(), apart.shape)
        yield Fault(
            "obstacles",
            f"a place at {_place(stage, int(row), int(column))} to which {name} has no way",
            f"gaps of at least {2.0 * radius:g} m all the way",
        )


def _ways(stage: Stage, room: Mask, flow: NDArray[np.int8]) -> Iterator[Fault]:
    """Between any two cells in which the player can stand, enemies must know a way."""
    blocks = np.lib.stride_tricks.sliding_window_view(room, (_NODES + 1, _NODES + 1))
    cells = np.flatnonzero(blocks[::_NODES, ::_NODES].any(axis=(-1, -2)))
    lost = (flow[np.ix_(cells, cells)] < 0) & ~np.eye(len(cells), dtype=bool)
    if lost.any():
        row, column = divmod(int(cells[lost.any(axis=1).argmax()]), FLOW_CELLS)
        middle = _NODES // 2
        place = _place(stage, row * _NODES + middle, column * _NODES + middle)
        yield Fault(
            "obstacles",
            f"a place at {place} to which enemies know no way",
            "gaps of at least 2 m between walls all the way",
        )


def _joined(open_: Mask, start: tuple[int, int]) -> Mask:
    """What is joined to a node by open nodes, step by step in eight directions."""
    joined = np.zeros_like(open_)
    joined[start] = True
    before = 0
    while (count := int(joined.sum())) != before:
        before = count
        for _ in range(8):
            joined |= _spread(joined) & open_
    return joined & open_


def _spread(mask: Mask) -> Mask:
    padded = np.pad(mask, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    spread: Mask = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    return spread


def _node_of(stage: Stage, x: float, z: float) -> tuple[int, int]:
    row = round((z / stage.size.depth + 0.5) * (DISTANCE_NODES - 1))
    column = round((x / stage.size.width + 0.5) * (DISTANCE_NODES - 1))
    return row, column


def _place(stage: Stage, row: int, column: int) -> str:
    x = (column / (DISTANCE_NODES - 1) - 0.5) * stage.size.width
    z = (row / (DISTANCE_NODES - 1) - 0.5) * stage.size.depth
    return f"x = {x:.1f}, z = {z:.1f}"
