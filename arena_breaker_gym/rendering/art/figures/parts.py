"""What the sets of figures share: their drawing board, their measures and some solids."""

import math

from arena_breaker_gym.engine.player import RADIUS as PLAYER_RADIUS
from arena_breaker_gym.engine.roster import RADIUS
from arena_breaker_gym.rendering.art.canvas import (
    RGB,
    WHITE,
    Canvas,
    Outline,
    Place,
    lit,
    mix,
    rgb,
    turned,
)
from arena_breaker_gym.rendering.camera import RISE
from arena_breaker_gym.rendering.sheet import HEADINGS
from arena_breaker_gym.rendering.skins import Skin

_FINEST_LINE = 0.55  # finished pixels that a stroke's half width has at least
STUNNED = 3  # the last of a charger's phases


def board(_skin: Skin, scale: float, reach: float, height: float) -> Canvas:
    """An empty canvas for one figure that extends so far and rises so high, metres."""
    return Canvas(scale, reach=reach, height=height)


def player_size(skin: Skin) -> tuple[float, float]:
    """Drawn radius of the player, and a height of one such radius, metres."""
    girth = PLAYER_RADIUS * skin.shape.body_scale
    return girth, skin.shape.height_scale * girth


def enemy_size(skin: Skin, kind: int) -> tuple[float, float]:
    """Drawn radius of a kind of enemy, and a height of one such radius, metres."""
    girth = float(RADIUS[kind]) * skin.shape.body_scale
    return girth, girth * skin.shape.height_scale


def angle_of(heading: int) -> float:
    """Radians from +x towards +z of one of the sheet's headings."""
    return math.tau * heading / HEADINGS


def charger_paint(skin: Skin, phase: int) -> tuple[RGB, RGB]:
    """A charger's body and trim: hot before and in its charge, grey while stunned."""
    colours = skin.charger
    if phase == STUNNED:
        stunned = rgb(colours.stunned)
        return mix(stunned, rgb(colours.body), 0.12), lit(stunned, 0.7)
    heat = (0.0, 0.75, 1.0)[phase]
    paint = mix(rgb(colours.body), rgb(colours.glow), heat)
    return paint, mix(rgb(colours.trim), rgb(colours.glow), 0.5 * heat)


def sentinel_charge(variant: int) -> float:
    """How much of its charge (0 to 1) a sentinel's variant shows."""
    return (0.0, 0.34, 0.67, 1.0, 0.5)[variant]


def wake(canvas: Canvas, *, angle: float, girth: float, colour: RGB) -> None:
    """The glowing wake of a charge along that angle."""
    for step in range(6):
        back = (0.9 + 0.4 * step) * girth
        place = (-back * math.cos(angle), -back * math.sin(angle), 0.3 * girth)
        canvas.glow(place, girth * (0.9 - 0.1 * step), colour, 0.42 - 0.06 * step)


def ahead(angle: float, along: float, across: float = 0.0) -> tuple[float, float]:
    """The point (x, z) so far along a heading and so far to its right."""
    [point] = turned([(along, across)], angle)
    return point


def oval(length: float, width: float, corners: int = 20) -> list[tuple[float, float]]:
    """An ellipse about the origin with these half axes along x and z."""
    steps = [math.tau * corner / corners for corner in range(corners)]
    return [(length * math.cos(step), width * math.sin(step)) for step in steps]


def moved(outline: Outline, x: float, z: float) -> list[tuple[float, float]]:
    """An outline pushed along."""
    return [(x + corner_x, z + corner_z) for corner_x, corner_z in outline]


def pod(
    canvas: Canvas, place: Place, radius: float, height: float, colour: RGB, *, gloss: float = 0.0
) -> None:
    """A ball of that height that rests on its place, dark below, with a spot of light."""
    x, z, base = place
    layers = max(8, round(height * RISE * canvas.unit))
    for layer in range(layers + 1):
        share = layer / layers
        girth = radius * math.sqrt(max(0.05, 1.0 - (2.0 * share - 1.0) ** 2))
        canvas.disc((x, z, base + height * share), girth, lit(colour, 0.58 + 0.46 * share))
    if gloss > 0.0:
        spot = (x - 0.34 * radius, z - 0.26 * radius, base + 0.86 * height)
        canvas.disc(spot, 0.25 * radius, mix(colour, WHITE, gloss))


def loaf(canvas: Canvas, outline: Outline, base: float, height: float, colour: RGB) -> None:
    """A rounded solid that rises from an outline, darker at its foot."""
    middle_x = sum(x for x, _ in outline) / len(outline)
    middle_z = sum(z for _, z in outline) / len(outline)
    layers = max(4, round(height * RISE * canvas.unit))
    for layer in range(layers):
        share = layer / layers
        size = math.sqrt(1.0 - share * share)
        ring = [
            (middle_x + size * (x - middle_x), middle_z + size * (z - middle_z)) for x, z in outline
        ]
        canvas.polygon(ring, base + height * share, lit(colour, 0.66 + 0.38 * share))


def stroke(
    canvas: Canvas,
    points: Outline,
    *,
    width: float,
    colour: RGB,
    height: float = 0.0,
    closed: bool = True,
) -> None:
    """A line of that width, metres, lying at a height through all points, its joints round."""
    half = max(0.5 * width, _FINEST_LINE * canvas.factor / canvas.unit)
    ends = [*points[1:], points[0]] if closed else points[1:]
    for (x0, z0), (x1, z1) in zip(points, ends, strict=closed):
        length = math.hypot(x1 - x0, z1 - z0) or 1.0
        x, z = -(z1 - z0) / length * half, (x1 - x0) / length * half
        corners = [(x0 + x, z0 + z), (x1 + x, z1 + z), (x1 - x, z1 - z), (x0 - x, z0 - z)]
        canvas.polygon(corners, height, colour)
    for x, z in points:
        canvas.disc((x, z, height), half, colour)
