"""What is about the player in every set: dash ring, shell of grace, a dash's streak, gun flash."""

import math

from arena_breaker_gym.engine.player import RADIUS
from arena_breaker_gym.rendering.art.canvas import Canvas, Sprite, turned
from arena_breaker_gym.rendering.art.colours import WHITE, lit, mix, rgb
from arena_breaker_gym.rendering.sheet import DASH_RINGS, HEADINGS
from arena_breaker_gym.rendering.skin import Skin

_RING_RADIUS = 1.42  # in drawn radii
_SMALLEST_FLASH = 5.0  # pixels a metre: it is drawn no smaller than at this scale
# The flash of the gun: a long tongue between two short ones, (x, z) in metres.
_TONGUES = (
    ((-0.14, -0.14), (0.3, -0.56), (0.34, -0.22), (1.05, 0.0)),
    ((0.34, 0.22), (0.3, 0.56), (-0.14, 0.14)),
)


def dash_ring(skin: Skin, scale: float, *, step: int) -> Sprite:
    """The ring about the player's feet: it fills while the dash cools and shines when ready."""
    colours, girth = skin.player, RADIUS * skin.shape.body_scale
    radius = _RING_RADIUS * girth
    canvas = Canvas(scale, reach=1.9 * girth)
    if step == DASH_RINGS - 1:
        canvas.ring((0, 0, 0), radius, 0.3 * girth, lit(rgb(colours.ready), 0.75))
        canvas.ring((0, 0, 0), 0.97 * radius, 0.2 * girth, rgb(colours.ready))
        canvas.fade(0.9)
        return canvas.finish()
    canvas.ring((0, 0, 0), radius, 0.22 * girth, rgb(colours.cooling))
    filled = mix(rgb(colours.cooling), rgb(colours.ready), 0.45)
    arc = math.tau * step / (DASH_RINGS - 1)
    for dot in range(int(arc * 8)):
        angle = dot / 8 - math.tau / 4
        place = (0.92 * radius * math.cos(angle), 0.92 * radius * math.sin(angle), 0.0)
        canvas.disc(place, 0.12 * girth, filled)
    canvas.fade(0.75)
    return canvas.finish()


def shell(skin: Skin, scale: float) -> Sprite:
    """The bright shell that blinks about the player while nothing can hurt it."""
    girth = RADIUS * skin.shape.body_scale
    tall = skin.shape.height_scale * girth
    canvas = Canvas(scale, reach=2.0 * girth, height=2.0 * tall)
    # Clear enough for body and barrel to show through, with a firm rim.
    canvas.dome((0, 0, 0.1 * tall), 1.35 * girth, 1.5 * tall, rgb(skin.player.shell))
    canvas.fade(0.5)
    canvas.ring((0, 0, 0.4 * tall), 1.4 * girth, 0.2 * girth, rgb(skin.player.shell))
    return canvas.finish()


def dash(skin: Skin, scale: float, *, heading: int) -> Sprite:
    """The streak that a dash leaves behind the player, fading backwards."""
    girth = RADIUS * skin.shape.body_scale
    angle = math.tau * heading / HEADINGS
    canvas = Canvas(scale, reach=6.0 * girth, height=girth)
    for step in range(12, 0, -1):
        back, share = 0.42 * step * girth, step / 12
        place = (-back * math.cos(angle), -back * math.sin(angle), 0.3 * girth)
        canvas.glow(place, girth * (1.15 - 0.6 * share), rgb(skin.player.dash), 0.85 - 0.7 * share)
    return canvas.finish()


def muzzle_flash(skin: Skin, scale: float, *, heading: int, step: int) -> Sprite:
    """The flash before the gun, where its barrel ends: at full size, then dying away."""
    size = (1.0, 0.66)[step] * max(1.0, _SMALLEST_FLASH / scale)
    angle = math.tau * heading / HEADINGS
    canvas = Canvas(scale, reach=1.5 * max(1.0, size))
    colour = rgb(skin.player.muzzle)
    tongues = [corner for part in _TONGUES for corner in part]
    canvas.polygon(turned(tongues, angle, size), 0.0, colour)
    canvas.edge(0.7 * skin.shape.outline, rgb(skin.shot.outline))
    canvas.polygon(turned(tongues, angle, 0.5 * size), 0.0, mix(colour, WHITE, 0.8))
    canvas.glow((*turned([(0.3, 0.0)], angle, size)[0], 0.0), 0.85 * size, colour, 0.5)
    canvas.fade((1.0, 0.8)[step])
    return canvas.finish()
