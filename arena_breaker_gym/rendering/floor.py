"""`Floor`: a stage's floor that is being painted; its gates, and what is painted on it.

All of it is faint beside figures and shots, and flat: nothing here hides or blocks anything.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pygame

from arena_breaker_gym.rendering.art.canvas import BLACK, RGB, WHITE, Outline, lit, mix, regular
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.skins import Ground
from arena_breaker_gym.stages.model import Saw, Stage, Zone

_NEAREST = 3.0  # m from a zone's middle to a wall that has its gate
_WIDEST, _SHARE = 3.2, 0.45  # m, and of the zone's length along the wall

_LINE = 0.11  # m, of painted lines
_PAINT, _BANDS, _WEAR = 0.55, 0.62, 0.3  # how opaque each is at full strength
_STRIPE = 0.42  # m of a hazard band's stripe and of its gap together
_SCUFFS = 0.16  # for each square metre
_SPOTS = 0.5  # m: how large the spots are where paint has come off


@dataclass(frozen=True)
class Floor:
    """A floor on a fine picture. Points are (x, z) in metres.

    Attributes:
        surface: The fine picture, clipped to the floor.
        camera: From where it is seen.
        stage: Whose floor.
        ground: The skin's texture and measures.
        colour: The floor's colour.
        line: That of lines between its pieces.
        paint: That of lines painted on it.
        generator: Chance of its own: a stage looks alike wherever and whenever it is painted.
    """

    surface: pygame.Surface
    camera: Camera
    stage: Stage
    ground: Ground
    colour: RGB
    line: RGB
    paint: RGB
    generator: np.random.Generator

    @classmethod
    def of(
        cls,
        surface: pygame.Surface,
        stage: Stage,
        ground: Ground,
        camera: Camera,
        *,
        colours: tuple[RGB, RGB, RGB],
    ) -> "Floor":
        """The floor of a stage, bare, in its colour; `colours`: floor, lines, paint."""
        colour, line, paint = colours
        generator = np.random.default_rng(zlib.crc32(stage.name.encode()))
        floor = cls(surface, camera, stage, ground, colour, line, paint, generator)
        surface.fill(colour, floor.area)
        return floor

    @property
    def right(self) -> float:
        """It spans -right to right along x."""
        return self.stage.size.width / 2

    @property
    def down(self) -> float:
        """It spans -down to down along z."""
        return self.stage.size.depth / 2

    @property
    def area(self) -> pygame.Rect:
        """Where it lies in the fine picture."""
        left, top = self.camera.project(-self.right, -self.down)
        right, bottom = self.camera.project(self.right, self.down)
        return pygame.Rect(round(left), round(top), round(right - left), round(bottom - top))

    def shade(self) -> RGB:
        """The floor's colour, a little lighter or darker by chance."""
        light = 1.0 + self.ground.mottle * (2.0 * self.generator.random() - 1.0)
        return lit(self.colour, light)

    def fine(self, metres: float) -> int:
        """A length in fine pixels, at least one."""
        return max(1, round(metres * self.camera.scale))

    def place(self) -> tuple[float, float]:
        """A point of the floor by chance."""
        x = self.generator.uniform(-self.right, self.right)
        return x, self.generator.uniform(-self.down, self.down)

    def polygon(self, colour: RGB, points: Outline, width: int = 0) -> None:
        """A shape lying on the floor, or its outline so many fine pixels wide."""
        corners = [self.camera.project(x, z) for x, z in points]
        pygame.draw.polygon(self.surface, colour, corners, width)

    def lines(self, colour: RGB, points: Outline, width: float, *, closed: bool = False) -> None:
        """A line through points, metres wide."""
        ends = [self.camera.project(x, z) for x, z in points]
        pygame.draw.lines(self.surface, colour, closed, ends, self.fine(width))

    def layer(self) -> "Floor":
        """The same floor with a picture of its own over it, clear; `lay` puts it down."""
        clear = pygame.Surface(self.area.size, pygame.SRCALPHA)
        camera = self.camera
        moved = Camera(
            camera.size,
            camera.scale,
            camera.centre_x - self.area.left,
            camera.centre_y - self.area.top,
        )
        return Floor(
            clear,
            moved,
            self.stage,
            self.ground,
            self.colour,
            self.line,
            self.paint,
            self.generator,
        )

    def lay(self, layer: "Floor", strength: float) -> None:
        """Lays a layer over this floor, that opaque (0 to 1)."""
        layer.surface.set_alpha(round(255 * strength))
        self.surface.blit(layer.surface, self.area)

    def cloud(self, grain: float, *, least: float) -> pygame.Surface:
        """White, opaque by chance from `least` (0 to 1) to 1; `grain`: metres between chances."""
        columns = max(2, round(2.0 * self.right / grain))
        rows = max(2, round(2.0 * self.down / grain))
        small = pygame.Surface((columns, rows), pygame.SRCALPHA)
        small.fill((255, 255, 255))
        alpha = pygame.surfarray.pixels_alpha(small)
        alpha[:] = np.rint(255.0 * self.generator.uniform(least, 1.0, alpha.shape))
        del alpha  # it locks the surface
        return pygame.transform.smoothscale(small, self.area.size)


@dataclass(frozen=True)
class Gate:
    """An opening in one side of the outer wall.

    Attributes:
        x, z: Its middle, on the floor's edge.
        half: Half its width, metres.
        inwards: Unit vector from it into the arena.
    """

    x: float
    z: float
    half: float
    inwards: tuple[int, int]


def gates_of(stage: Stage) -> list[Gate]:
    """The gates of a stage: one for each zone near a wall, where two overlap the first."""
    gates: list[Gate] = []
    for zone in stage.zones:
        gate = _gate_of(zone, stage)
        if gate is not None and not any(_overlap(gate, other) for other in gates):
            gates.append(gate)
    return gates


def openings(gates: Sequence[Gate], inwards: tuple[int, int]) -> list[tuple[float, float]]:
    """From where to where the wall with that inward side is open, along it, in order."""
    along = 0 if inwards[0] == 0 else 1
    chosen = [gate for gate in gates if gate.inwards == inwards]
    middles = [((gate.x, gate.z)[along], gate.half) for gate in chosen]
    return sorted((middle - half, middle + half) for middle, half in middles)


def _gate_of(zone: Zone, stage: Stage) -> Gate | None:
    right, down = stage.size.width / 2, stage.size.depth / 2
    sides = {
        (1, 0): (zone.x + right, -right, zone.z, zone.depth, down),
        (-1, 0): (right - zone.x, right, zone.z, zone.depth, down),
        (0, 1): (zone.z + down, -down, zone.x, zone.width, right),
        (0, -1): (down - zone.z, down, zone.x, zone.width, right),
    }
    inwards, (distance, edge, middle, length, reach) = min(sides.items(), key=lambda one: one[1][0])
    half = min(_WIDEST, _SHARE * length) / 2
    if distance > _NEAREST or abs(middle) + half > reach - 0.5:
        return None
    x, z = (edge, middle) if inwards[0] else (middle, edge)
    return Gate(x, z, half, inwards)


def _overlap(one: Gate, other: Gate) -> bool:
    apart = abs(one.x - other.x) + abs(one.z - other.z)
    return one.inwards == other.inwards and apart < one.half + other.half + 0.5


def paint_lines(floor: Floor, gates: list[Gate]) -> None:
    """The circle in the middle, a border, and chevrons before every gate; worn off in part."""
    if floor.ground.paint <= 0.0:
        return
    layer = floor.layer()
    radius = 0.26 * min(floor.right, floor.down)
    layer.lines(layer.paint, regular(64, radius), _LINE, closed=True)
    layer.lines(layer.paint, regular(64, 0.82 * radius), 0.5 * _LINE, closed=True)
    for turn in range(8):
        angle = math.tau * (turn + 0.5) / 8
        tick = [
            (reach * math.cos(angle), reach * math.sin(angle)) for reach in (radius, 1.14 * radius)
        ]
        layer.lines(layer.paint, tick, _LINE)
    right, down = floor.right - 0.55, floor.down - 0.55
    layer.lines(
        layer.paint,
        [(-right, -down), (right, -down), (right, down), (-right, down)],
        _LINE,
        closed=True,
    )
    for gate in gates:
        _mark_gate(layer, gate)
    _wear_off(layer)
    floor.lay(layer, _PAINT * floor.ground.paint)


def paint_bands(floor: Floor, warning: RGB) -> None:
    """Striped bands beside saw tracks and about spike plates."""
    if floor.ground.paint <= 0.0 or not floor.stage.hazards:
        return
    shape = floor.layer()
    for hazard in floor.stage.hazards:
        if isinstance(hazard, Saw):
            _corridor(shape, hazard, 0.5, (*WHITE, 255))
        else:
            _disc(shape, hazard.x, hazard.z, hazard.radius + 0.28, (*WHITE, 255))
    for hazard in floor.stage.hazards:
        if isinstance(hazard, Saw):
            _corridor(shape, hazard, 0.3, (0, 0, 0, 0))
        else:
            _disc(shape, hazard.x, hazard.z, hazard.radius + 0.06, (0, 0, 0, 0))
    stripes = floor.layer()
    stripes.surface.fill((*mix(floor.colour, BLACK, 0.72), 255))
    lean = 2.0 * floor.down
    for stripe in range(math.ceil((2.0 * floor.right + lean) / _STRIPE)):
        x = -floor.right - lean + _STRIPE * stripe
        corners = [(x, floor.down), (x + lean, -floor.down)]
        wide = 0.5 * _STRIPE
        stripes.polygon(warning, [*corners, *((a + wide, b) for a, b in reversed(corners))])
    stripes.surface.blit(shape.surface, (0, 0), special_flags=pygame.BLEND_RGBA_MULT)
    _wear_off(stripes)
    floor.lay(stripes, _BANDS * floor.ground.paint)


def wear(floor: Floor) -> None:
    """Light and dark clouds, stains, and scuffs in curves as if things had skidded."""
    strength = floor.ground.wear
    if strength <= 0.0:
        return
    dark, pale = mix(floor.colour, BLACK, 0.34), mix(floor.colour, WHITE, 0.42)
    for grain, depth in ((4.0, 0.36), (0.7, 0.2)):
        for shade in (dark, pale):
            cloud = floor.cloud(grain, least=0.0)
            cloud.fill((*shade, 255), special_flags=pygame.BLEND_RGBA_MULT)
            cloud.set_alpha(round(255 * depth * strength))
            floor.surface.blit(cloud, floor.area)
    layer = floor.layer()
    count = round(_SCUFFS * 4.0 * floor.right * floor.down)
    for scuff in range(count):
        _scuff(layer, dark if scuff % 3 else pale)
    floor.lay(layer, _WEAR * strength)


def _mark_gate(layer: Floor, gate: Gate) -> None:
    """Chevrons that point into the arena, the farther the smaller."""
    for step in range(3):
        ahead, wide = 1.1 + 0.55 * step, 0.5 - 0.1 * step
        across = (-gate.inwards[1], gate.inwards[0])
        chevron = [
            (
                gate.x + gate.inwards[0] * (ahead + along) + across[0] * side,
                gate.z + gate.inwards[1] * (ahead + along) + across[1] * side,
            )
            for along, side in ((-wide / 2, -wide), (0.0, 0.0), (-wide / 2, wide))
        ]
        layer.lines(layer.paint, chevron, 1.3 * _LINE)


def _corridor(shape: Floor, saw: Saw, half: float, colour: tuple[int, int, int, int]) -> None:
    points = [shape.camera.project(x, z) for x, z in saw.track]
    pygame.draw.lines(shape.surface, colour, saw.closed, points, shape.fine(2.0 * half))
    for point in points:
        pygame.draw.circle(shape.surface, colour, point, half * shape.camera.scale)


def _disc(shape: Floor, x: float, z: float, radius: float, colour: tuple[int, ...]) -> None:
    circle = [shape.camera.project(x + a, z + b) for a, b in regular(48, radius)]
    pygame.draw.polygon(shape.surface, colour, circle)


def _scuff(layer: Floor, colour: RGB) -> None:
    x, z = layer.place()
    angle, bend = layer.generator.uniform(0.0, math.tau), layer.generator.uniform(-0.5, 0.5)
    points: list[tuple[float, float]] = [(x, z)]
    for _ in range(4):
        x, z = x + 0.22 * math.cos(angle), z + 0.22 * math.sin(angle)
        angle += bend
        points.append((x, z))
    track: Outline = points
    layer.lines(colour, track, layer.generator.uniform(0.03, 0.07))


def _wear_off(layer: Floor) -> None:
    """Takes paint off in spots."""
    spots = layer.cloud(_SPOTS, least=1.0 - 0.8 * layer.ground.wear)
    layer.surface.blit(spots, (0, 0), special_flags=pygame.BLEND_RGBA_MULT)
