"""What a stage must fulfil beyond its schema, to be playable; each breach is a `Fault`.

The plan's own words (zones, waves, outlines, tracks) need no geometry; places are held
against pymunk's space, and walks against the flow field.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.json_file import Fault, one_of, quoted
from arena_breaker_gym.stages.model import MAX_ALIVE, Polygon, Saw, Spikes, Stage, Wave, Zone
from arena_breaker_gym.stages.outline import Point, area_of, crossing_edges, edges_of
from arena_breaker_gym.stages.table import FLOW_CELLS

if TYPE_CHECKING:
    import pymunk

Coordinates = NDArray[np.float64]

PLAYER_ROOM = 0.4  # m: the player's radius
SMALLEST_AREA = 0.01  # m², of a polygon
_ALIVE_AFTER = {"splitter": 3}  # a dead one leaves three swarmers
_TOUCH = 0.01  # m: closer than that counts as touching


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


def _legs(saw: Saw) -> list[tuple[Point, Point]]:
    """The straight legs of a saw's track, the one that closes it included."""
    return edges_of(saw.track)[: None if saw.closed else -1]


def place_faults(stage: Stage, space: pymunk.Space) -> list[Fault]:
    """Where start, zones and hazards do not stand clear of walls and obstacles.

    Args:
        stage: A stage without `shape_faults`.
        space: What `geometry.build_space` made of it.
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


def _on_floor(stage: Stage, place: Point, path: str) -> Iterator[Fault]:
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
    index: int = shape.obstacle  # type: ignore[union-attr]  # set by `geometry.build_space`
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
