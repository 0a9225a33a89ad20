"""What the sets of figures share: their drawing board, their measures and some solids."""

import math

from arena_breaker_gym.engine.player import RADIUS as PLAYER_RADIUS
from arena_breaker_gym.engine.roster.stats import RADIUS
from arena_breaker_gym.rendering.art.canvas import Canvas
from arena_breaker_gym.rendering.art.colours import RGB, lit, mix, rgb
from arena_breaker_gym.rendering.sheet import HEADINGS
from arena_breaker_gym.rendering.skins import Skin

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
