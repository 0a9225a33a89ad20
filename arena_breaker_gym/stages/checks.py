"""What a stage must fulfil beyond its schema, to be playable; a breach is a `StageError`.

The plan's own words (zones, waves, outlines, tracks) need no geometry; places are held
against pymunk's space, and walks against the flow field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.stages.errors import one_of, quoted, refusal
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


def check_plan(stage: Stage, *, file: str) -> None:
    """Checks zone names, totals, outlines and tracks.

    Raises:
        StageError: For the first breach.
    """
    _check_zone_names(stage, file)
    for index, wave in enumerate(stage.waves):
        _check_wave(wave, [zone.name for zone in stage.zones], f"waves[{index}]", file)
    for index, obstacle in enumerate(stage.obstacles):
        if isinstance(obstacle, Polygon):
            _check_outline(obstacle, f"obstacles[{index}].points", file)
    for index, hazard in enumerate(stage.hazards):
        if isinstance(hazard, Saw):
            _check_track(hazard, f"hazards[{index}].track", file)


def _check_zone_names(stage: Stage, file: str) -> None:
    names = [zone.name for zone in stage.zones]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise refusal(
                file,
                f"zones[{index}].name",
                found=f"a second {quoted(name)}",
                expected="a name of its own for each zone",
            )


def _check_wave(wave: Wave, zones: list[str], path: str, file: str) -> None:
    for index, group in enumerate(wave.groups):
        if group.zone not in zones:
            raise refusal(
                file,
                f"{path}.groups[{index}].zone",
                found=quoted(group.zone),
                expected=f"the name of a zone: {one_of(zones, not_=group.zone)}",
            )
    alive = sum(group.count * _ALIVE_AFTER.get(group.type, 1) for group in wave.groups)
    if alive > MAX_ALIVE:
        raise refusal(
            file,
            f"{path}.groups",
            found=f"{alive} enemies that may be alive at once (a splitter becomes 3)",
            expected=f"at most {MAX_ALIVE}",
        )


def _check_outline(polygon: Polygon, path: str, file: str) -> None:
    for index, (corner, following) in enumerate(edges_of(polygon.points)):
        if corner == following:
            raise refusal(
                file,
                f"{path}[{index}]",
                found=f"{quoted(corner)} twice in a row",
                expected="corners that differ (the last one joins the first by itself)",
            )
    crossing = crossing_edges(polygon.points)
    if crossing:
        raise refusal(
            file,
            path,
            found=f"an outline that crosses itself (edges {crossing[0]} and {crossing[1]})",
            expected="a simple polygon",
        )
    if abs(area_of(polygon.points)) < SMALLEST_AREA:
        raise refusal(
            file, path, found="an outline with hardly any area", expected="at least 0.01 m²"
        )


def _check_track(saw: Saw, path: str, file: str) -> None:
    if saw.closed and len(saw.track) < 3:
        raise refusal(
            file, path, found="2 corners of a closed track", expected="at least 3, or an open track"
        )
    for index, (corner, following) in enumerate(_legs(saw)):
        if corner == following:
            raise refusal(
                file,
                f"{path}[{index}]",
                found=f"{quoted(corner)} twice in a row",
                expected="corners that differ",
            )


def _legs(saw: Saw) -> list[tuple[Point, Point]]:
    """The straight legs of a saw's track, the one that closes it included."""
    return edges_of(saw.track)[: None if saw.closed else -1]


def check_places(stage: Stage, space: pymunk.Space, *, file: str) -> None:
    """Checks that start, zones and hazards stand clear of walls and obstacles.

    Args:
        stage: A stage that passed `check_plan`.
        space: What `geometry.build_space` made of it.
        file: Its name, for the error.

    Raises:
        StageError: For the first breach.
    """
    _check_start(stage, space, file)
    for index, zone in enumerate(stage.zones):
        _check_zone(stage, zone, space, f"zones[{index}]", file)
    for index, hazard in enumerate(stage.hazards):
        places = hazard.track if isinstance(hazard, Saw) else [(hazard.x, hazard.z)]
        for place in places:
            _check_on_floor(stage, place, f"hazards[{index}]", file)
        if isinstance(hazard, Saw):
            _check_course(hazard, space, f"hazards[{index}].track", file)
        else:
            _check_spikes(stage, hazard, space, f"hazards[{index}]", file)


def _check_on_floor(stage: Stage, place: Point, path: str, file: str) -> None:
    if abs(place[0]) > stage.size.width / 2 or abs(place[1]) > stage.size.depth / 2:
        raise refusal(
            file,
            path,
            found=f"a place beyond the walls, x = {place[0]:g}, z = {place[1]:g}",
            expected=f"one on the floor, x up to {stage.size.width / 2:g} "
            f"and z up to {stage.size.depth / 2:g}",
        )


def _check_start(stage: Stage, space: pymunk.Space, file: str) -> None:
    _check_on_floor(stage, (stage.start.x, stage.start.z), "start", file)
    near = _nearest(space, (stage.start.x, stage.start.z), PLAYER_ROOM)
    if near:
        raise refusal(
            file,
            "start",
            found=f"a place blocked by {near}",
            expected=f"at least {PLAYER_ROOM} m to every wall and obstacle",
        )


def _check_zone(stage: Stage, zone: Zone, space: pymunk.Space, path: str, file: str) -> None:
    import pymunk

    far_x = abs(zone.x) + zone.width / 2
    far_z = abs(zone.z) + zone.depth / 2
    if far_x > stage.size.width / 2 or far_z > stage.size.depth / 2:
        raise refusal(
            file,
            path,
            found=f"a zone that reaches out to x = {far_x:g}, z = {far_z:g} from the middle",
            expected=f"one on the floor, x up to {stage.size.width / 2:g} "
            f"and z up to {stage.size.depth / 2:g}",
        )
    body = pymunk.Body(body_type=pymunk.Body.STATIC)
    body.position = zone.x, zone.z
    rectangle = pymunk.Poly.create_box(body, (zone.width, zone.depth), radius=_TOUCH)
    touched = [_name(contact.shape) for contact in space.shape_query(rectangle)]
    if touched:
        raise refusal(
            file,
            path,
            found=f"a spawn zone in or against {min(touched)}",
            expected="one clear of walls and obstacles",
        )


def _check_course(saw: Saw, space: pymunk.Space, path: str, file: str) -> None:
    for index, (corner, following) in enumerate(_legs(saw)):
        # Each shape is asked by itself: a space's own thick segment query overlooks shapes
        # whose bounding box the thin segment misses.
        answers = [
            shape.segment_query(corner, following, saw.radius - _TOUCH) for shape in space.shapes
        ]
        hits = [answer for answer in answers if answer]
        if hits:
            first = min(hits, key=lambda hit: hit.alpha)
            raise refusal(
                file,
                f"{path}[{index}]",
                found=f"a saw of radius {saw.radius:g} that runs into {_name(first.shape)} "
                "on its way to the next corner",
                expected="a track clear of walls and obstacles by the saw's radius",
            )


def _check_spikes(stage: Stage, spikes: Spikes, space: pymunk.Space, path: str, file: str) -> None:
    covered = _nearest(space, (spikes.x, spikes.z), 0.0)
    if covered:
        raise refusal(
            file, path, found=f"spikes inside {covered}", expected="their middle on open floor"
        )
    gap = np.hypot(spikes.x - stage.start.x, spikes.z - stage.start.z) - spikes.radius
    if gap < PLAYER_ROOM:
        raise refusal(
            file,
            path,
            found="spikes on top of the player's start",
            expected=f"at least {spikes.radius + PLAYER_ROOM:g} m between their middles",
        )


def _nearest(space: pymunk.Space, place: tuple[float, float], room: float) -> str:
    """What lies closer to a place than `room` metres, in words; empty if nothing does."""
    import pymunk

    near = space.point_query_nearest(place, room, pymunk.ShapeFilter())
    return _name(near.shape) if near else ""


def _name(shape: pymunk.Shape | None) -> str:
    index: int = shape.obstacle  # type: ignore[union-attr]  # set by `geometry.build_space`
    return "the outer wall" if index < 0 else f"obstacles[{index}]"


def check_walks(stage: Stage, flow: NDArray[np.int8], *, file: str) -> None:
    """Checks that the player's start and every spawn zone are joined on foot.

    Args:
        stage: A stage that passed `check_places`.
        flow: Its flow field, (1024, 1024).
        file: Its name, for the error.

    Raises:
        StageError: For the first zone that is cut off.
    """
    start = _cells(stage, np.array(stage.start.x), np.array(stage.start.z))
    for index, zone in enumerate(stage.zones):
        xs = np.linspace(zone.x - zone.width / 2, zone.x + zone.width / 2, 2 * FLOW_CELLS)
        zs = np.linspace(zone.z - zone.depth / 2, zone.z + zone.depth / 2, 2 * FLOW_CELLS)
        cells = np.unique(_cells(stage, xs[None, :], zs[:, None]))
        if np.any((flow[start, cells] < 0) & (cells != start)):
            raise refusal(
                file,
                f"zones[{index}]",
                found="a zone with no way on foot to the player's start",
                expected="gaps of at least 2 m between walls all the way",
            )


def _cells(stage: Stage, x: Coordinates, z: Coordinates) -> NDArray[np.int64]:
    """Index of the flow cell that each place (x, z) lies in."""
    column = np.clip((x / stage.size.width + 0.5) * FLOW_CELLS, 0, FLOW_CELLS - 1)
    row = np.clip((z / stage.size.depth + 0.5) * FLOW_CELLS, 0, FLOW_CELLS - 1)
    return row.astype(np.int64) * FLOW_CELLS + column.astype(np.int64)
