"""What is painted on a floor, and what time has done to it: lines, bands about hazards, wear.

All of it is faint beside figures and shots, and flat: nothing here hides or blocks anything.
"""

import math

import pygame

from arena_breaker_gym.rendering.art.canvas import Outline, regular
from arena_breaker_gym.rendering.art.colours import BLACK, RGB, WHITE, mix
from arena_breaker_gym.rendering.floor import Floor
from arena_breaker_gym.rendering.gates import Gate
from arena_breaker_gym.stages.model import Saw

_LINE = 0.11  # m, of painted lines
_PAINT, _BANDS, _WEAR = 0.55, 0.62, 0.3  # how opaque each is at full strength
_STRIPE = 0.42  # m of a hazard band's stripe and of its gap together
_SCUFFS = 0.16  # for each square metre
_SPOTS = 0.5  # m: how large the spots are where paint has come off


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
