"""The backdrop of a stage: floor, tracks, walls and obstacles, painted once, and what they hide.

Points of the floor are (x, z) in metres. Raised things are upright prisms, whose visible
surface at each pixel is known, so that what stands behind one is covered by it.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pygame
from numpy.typing import NDArray

from arena_breaker_gym.rendering.art.canvas import (
    RGB,
    Outline,
    finished_ground,
    lit,
    mix,
    regular,
    rgb,
)
from arena_breaker_gym.rendering.camera import (
    FORESHORTENING,
    KERB_HEIGHT,
    RISE,
    WALL_HEIGHT,
    WALL_THICKNESS,
    Camera,
)
from arena_breaker_gym.rendering.floor import (
    Floor,
    Gate,
    gates_of,
    openings,
    paint_bands,
    paint_lines,
    wear,
)
from arena_breaker_gym.rendering.paving import weave
from arena_breaker_gym.rendering.skins import Light, Skin
from arena_breaker_gym.stages.model import Box, Circle, Polygon, Saw, Stage

NOTHING_RAISED = -1e9  # depth where the floor is seen: nothing is hidden there
_FINEST = 1536  # fine pixels a side at most
_FRONT_LIGHT, _SIDE_LIGHT = 0.78, 0.2  # light on a front; how much more on a left-hand side
_SHADOW_LENGTH = 0.55  # m of shadow for each metre of height
_SHADOW_STEPS = 24  # outlines laid one beside the other along a shadow
_SHADOW_SOFTNESS = 0.22  # m
_GROOVE_LIGHT = 0.82  # of the last band but one, a groove below the rim
_FOOT_BANDS, _FOOT_LIGHT = 6, 0.72  # a side darkens in that many bands to that light at its foot
_CIRCLE_CORNERS = 40
_CAP, _CAP_LIGHT = 0.28, 1.1  # how far in the plate on a top lies, and its light
_PANEL = 2.0  # m of wall to a panel, about
_DOOR_HEIGHT, _DOOR_LIGHT = 0.35, 0.4  # of the wall's height and of its side's light


@dataclass(frozen=True)
class Backdrop:
    """A stage as it looks without anything that moves.

    Attributes:
        picture: (size, size, 3) uint8.
        depth: (size, size) float32: z of the raised surface seen at each pixel, and
            `NOTHING_RAISED` where there is none. What stands at a smaller z is behind it.
    """

    picture: NDArray[np.uint8]
    depth: NDArray[np.float32]

    def clear(self) -> NDArray[np.int64]:
        """How many pixels from each to the right, itself first, show no raised surface."""
        side = self.depth.shape[1]
        raised_at = np.where(self.depth > NOTHING_RAISED, np.arange(side), side)
        nearest = np.minimum.accumulate(raised_at[:, ::-1], axis=1)[:, ::-1]
        return nearest - np.arange(side)


@dataclass(frozen=True)
class _Prism:
    """An upright solid on the floor."""

    outline: Outline
    height: float
    top: RGB
    side: RGB
    is_capped: bool = False  # a plate lies on its top


def paint(stage: Stage, skin: Skin, camera: Camera) -> Backdrop:
    """Paints a stage in a skin's light.

    Args:
        stage: What is built where, and its palette.
        skin: Tint, tiles, vignette and tracks.
        camera: From where it is seen.
    """
    factor = max(1, min(4, _FINEST // camera.size))
    fine = Camera(
        camera.size * factor,
        camera.scale * factor,
        camera.centre_x * factor,
        camera.centre_y * factor,
    )
    gates = gates_of(stage)
    prisms = [*_walls(stage, skin, gates), *_obstacles(stage, skin)]
    surface = pygame.Surface((fine.size, fine.size))
    surface.fill(rgb(skin.ground.outside))
    _paint_floor(surface, stage, skin, fine, gates)
    _paint_shadows(surface, prisms, skin, fine)
    for prism in sorted(prisms, key=_front):
        _paint_prism(surface, prism, skin.light, fine)
    picture = _shaded(_averaged(surface, factor), stage, skin, camera)
    return Backdrop(finished_ground(picture, skin.finish), _depth(prisms, camera))


def _ground_colour(part: str, stage: Stage, skin: Skin) -> RGB:
    """The colour of a part of the ground, such as "wall_top"."""
    own, ground = rgb(getattr(stage.palette, part)), skin.ground
    if ground.surface is not None:
        own = mix(own, rgb(getattr(ground.surface, part)), ground.surface.share)
    return mix(own, rgb(ground.tint), ground.tint_strength)


def _walls(stage: Stage, skin: Skin, gates: list[Gate]) -> list[_Prism]:
    """The outer walls in panels, with a door in each gate."""
    right, down, thick = stage.size.width / 2, stage.size.depth / 2, WALL_THICKNESS
    colours = tuple(_ground_colour(part, stage, skin) for part in ("wall_top", "wall_side"))
    sides = (
        ((0, 1), WALL_HEIGHT, -right - thick, right + thick, -down - thick),
        ((1, 0), WALL_HEIGHT, -down, down + thick, -right - thick),
        ((-1, 0), WALL_HEIGHT, -down, down + thick, right),
        ((0, -1), KERB_HEIGHT, -right, right, down),
    )
    return [
        _wall_piece(piece, inwards, near, height, colours)
        for inwards, height, start, end, near in sides
        for piece in _panels(start, end, openings(gates, inwards))
    ]


def _panels(
    start: float, end: float, doors: Sequence[tuple[float, float]]
) -> list[tuple[float, float, bool]]:
    """A wall's pieces along it: (from, to, is it a door)."""
    pieces = []
    stops = [start, *(stop for door in doors for stop in door), end]
    for index, (near, far) in enumerate(itertools.pairwise(stops)):
        if index % 2:
            pieces.append((near, far, True))
            continue
        count = max(1, round((far - near) / _PANEL))
        step = (far - near) / count
        pieces += [(near + step * one, near + step * (one + 1), False) for one in range(count)]
    return pieces


def _wall_piece(
    piece: tuple[float, float, bool],
    inwards: tuple[int, int],
    near: float,
    height: float,
    colours: tuple[RGB, ...],
) -> _Prism:
    start, end, is_door = piece
    far = near + WALL_THICKNESS
    along_x = inwards[0] == 0
    outline = _rectangle(start, near, end, far) if along_x else _rectangle(near, start, far, end)
    top, side = colours
    if not is_door:
        return _Prism(outline, height, top, side)
    # The door behind is seen from the front, the others from above: these are let into the wall.
    if inwards == (0, 1):
        return _Prism(outline, height, lit(top, 0.8), lit(side, _DOOR_LIGHT))
    return _Prism(outline, _DOOR_HEIGHT * height, lit(side, _DOOR_LIGHT), lit(side, _DOOR_LIGHT))


def _rectangle(left: float, rear: float, right: float, front: float) -> Outline:
    return [(left, rear), (right, rear), (right, front), (left, front)]


def _obstacles(stage: Stage, skin: Skin) -> list[_Prism]:
    top, side = (_ground_colour(part, stage, skin) for part in ("obstacle_top", "obstacle_side"))
    return [
        _Prism(_outline(one), one.height, top, side, is_capped=not isinstance(one, Polygon))
        for one in stage.obstacles
    ]


def _outline(obstacle: Circle | Box | Polygon) -> Outline:
    if isinstance(obstacle, Circle):
        circle = regular(_CIRCLE_CORNERS, obstacle.radius)
        return [(obstacle.x + x, obstacle.z + z) for x, z in circle]
    return obstacle.corners() if isinstance(obstacle, Box) else obstacle.points


def _front(prism: _Prism) -> float:
    return max(z for _, z in prism.outline)


def _projected(outline: Outline, height: float, camera: Camera) -> list[tuple[float, float]]:
    return [camera.project(x, z, height) for x, z in outline]


def _paint_floor(
    surface: pygame.Surface, stage: Stage, skin: Skin, camera: Camera, gates: list[Gate]
) -> None:
    parts = ("floor", "floor_line", "paint")
    colour, line, paint = (_ground_colour(part, stage, skin) for part in parts)
    floor = Floor.of(surface, stage, skin.ground, camera, colours=(colour, line, paint))
    surface.set_clip(floor.area)
    weave(floor)
    wear(floor)
    paint_lines(floor, gates)
    paint_bands(floor, rgb(skin.spikes.warning))
    surface.set_clip(None)
    for hazard in stage.hazards:
        if isinstance(hazard, Saw):
            _paint_track(surface, hazard, skin, camera)


def _paint_track(surface: pygame.Surface, saw: Saw, skin: Skin, camera: Camera) -> None:
    points = [camera.project(x, z) for x, z in saw.track]
    for width, colour in ((0.34, skin.ground.track_edge), (0.22, skin.ground.track)):
        line = max(1, round(width * camera.scale))
        pygame.draw.lines(surface, rgb(colour), saw.closed, points, line)
        for point in points:
            pygame.draw.circle(surface, rgb(colour), point, line / 2)


def _paint_shadows(
    surface: pygame.Surface, prisms: Sequence[_Prism], skin: Skin, camera: Camera
) -> None:
    """One layer for all, so that shadows that meet are no darker; its edges are soft."""
    layer = pygame.Surface(surface.get_size(), pygame.SRCALPHA)
    layer.fill((*rgb(skin.shadow), 0))
    shade = (*rgb(skin.shadow), round(255 * skin.ground.shadow))
    for prism in prisms:
        reach = _SHADOW_LENGTH * prism.height * skin.light.shadow_length
        for step in range(_SHADOW_STEPS + 1):
            away = reach * step / _SHADOW_STEPS
            aside = away if skin.light.side >= 0.0 else -away
            moved = [(x + aside, z + 0.3 * away) for x, z in prism.outline]
            pygame.draw.polygon(layer, shade, _projected(moved, 0.0, camera))
    # Down to pixels as wide as the softness, and up again: a quick blur.
    coarse = max(1, round(camera.size / (_SHADOW_SOFTNESS * camera.scale)))
    soft = pygame.transform.smoothscale(layer, (coarse, coarse))
    surface.blit(pygame.transform.smoothscale(soft, layer.get_size()), (0, 0))


def _paint_prism(surface: pygame.Surface, prism: _Prism, light: Light, camera: Camera) -> None:
    """Its sides, lit by where they face, rear to front, then its top with a bright rim."""
    outline = prism.outline
    edges = list(zip(outline, [*outline[1:], outline[0]], strict=True))
    turn = 1.0 if sum(a[0] * b[1] - b[0] * a[1] for a, b in edges) > 0.0 else -1.0
    for (x0, z0), (x1, z1) in sorted(edges, key=lambda edge: edge[0][1] + edge[1][1]):
        length = math.hypot(x1 - x0, z1 - z0)
        if length == 0.0 or turn * (x0 - x1) <= 0.0:
            continue  # it faces away
        facing = _FRONT_LIGHT - _SIDE_LIGHT * light.side * turn * (z1 - z0) / length
        bright = 1.0 - light.contrast * (1.0 - facing)
        for band in range(_FOOT_BANDS):
            share = band / _FOOT_BANDS
            base = prism.height * share
            foot = [camera.project(x0, z0, base), camera.project(x1, z1, base)]
            rim = [camera.project(x1, z1, prism.height), camera.project(x0, z0, prism.height)]
            shade = bright * (_FOOT_LIGHT + (1.0 - _FOOT_LIGHT) * share)
            shade *= _GROOVE_LIGHT if band == _FOOT_BANDS - 2 else 1.0
            pygame.draw.polygon(surface, lit(prism.side, shade), [*foot, *rim])
    top = _projected(outline, prism.height, camera)
    pygame.draw.polygon(surface, prism.top, top)
    if prism.is_capped:
        middle_x, middle_y = (sum(part) / len(top) for part in zip(*top, strict=True))
        cap = [(x + _CAP * (middle_x - x), y + _CAP * (middle_y - y)) for x, y in top]
        pygame.draw.polygon(surface, lit(prism.top, _CAP_LIGHT), cap)
    edge = lit(prism.top, light.rim) if light.rim_colour is None else rgb(light.rim_colour)
    pygame.draw.polygon(surface, edge, top, max(1, round(0.06 * camera.scale)))


def _averaged(surface: pygame.Surface, factor: int) -> NDArray[np.float32]:
    """The picture at its own size, (size, size, 3) float32."""
    side = surface.get_width()
    fine = np.frombuffer(pygame.image.tobytes(surface, "RGB"), np.uint8)
    blocks = fine.reshape(side // factor, factor, side // factor, factor, 3)
    picture: NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return picture


def _shaded(
    picture: NDArray[np.float32], stage: Stage, skin: Skin, camera: Camera
) -> NDArray[np.uint8]:
    """With the stage's brightness, and darker towards the corners."""
    place = (np.arange(camera.size) + 0.5) / camera.size * 2.0 - 1.0
    squared = place[:, None] ** 2 + place[None, :] ** 2
    brightness, own = stage.palette.brightness, skin.ground.surface
    if own is not None:
        brightness += own.share * (own.brightness - brightness)
    # Bright stages lie open, dark ones are closed in.
    vignette = skin.ground.vignette * (2.0 - brightness) ** 2
    light = brightness * (1.0 - vignette * squared / 2.0)
    return np.rint(np.clip(picture * light[..., None], 0.0, 255.0)).astype(np.uint8)


def _depth(prisms: Sequence[_Prism], camera: Camera) -> NDArray[np.float32]:
    """The z of the raised surface seen at each pixel.

    A footprint that is lifted by k rows shows the solid at the height that k rows stand for;
    of all heights up to the top, the highest is the nearest to the eye.
    """
    depth = np.full((camera.size, camera.size), NOTHING_RAISED, dtype=np.float32)
    rows = np.arange(camera.size) + 0.5
    floor_z = ((rows - camera.centre_y) / (camera.scale * FORESHORTENING)).astype(np.float32)
    surface = pygame.Surface((camera.size, camera.size), 0, 8)
    surface.set_palette([(level, level, level) for level in range(256)])
    for prism in sorted(prisms, key=_front):
        surface.fill(0)
        box = pygame.draw.polygon(surface, 255, _projected(prism.outline, 0.0, camera))
        footprint = pygame.surfarray.array2d(surface.subsurface(box)).T > 0
        for lift in range(round(RISE * prism.height * camera.scale) + 1):
            cut = max(0, lift - box.top)  # rows above the frame
            shown = slice(box.top - lift + cut, max(0, box.bottom - lift))
            kept, place = depth[shown, box.left : box.right], floor_z[box.top + cut : box.bottom]
            np.copyto(kept, place[:, None], where=footprint[cut:])
    return depth
