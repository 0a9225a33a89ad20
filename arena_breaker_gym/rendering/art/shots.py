"""Shots of the player and of enemies, with trails as long as they are fast."""

import math

from arena_breaker_gym.engine.enemy_shots import RADIUS as ENEMY_SHOT_RADIUS
from arena_breaker_gym.engine.shots import RADIUS as SHOT_RADIUS
from arena_breaker_gym.engine.shots import SPEED as SHOT_SPEED
from arena_breaker_gym.rendering.art.canvas import Canvas, Sprite
from arena_breaker_gym.rendering.art.colours import rgb
from arena_breaker_gym.rendering.sheet import HEADINGS
from arena_breaker_gym.rendering.skin import Shot, Skin

_TRAIL_STEPS = 10


def shot(skin: Skin, scale: float, *, heading: int) -> Sprite:
    """A shot of the player: a slim bolt."""
    canvas = Canvas(scale, reach=2.0 + SHOT_SPEED * skin.shape.trail)
    angle = math.tau * heading / HEADINGS
    _trail(
        canvas,
        skin.shot,
        angle=angle,
        length=SHOT_SPEED * skin.shape.trail,
        girth=1.7 * SHOT_RADIUS,
    )
    ahead = (0.16 * math.cos(angle), 0.16 * math.sin(angle), 0.0)
    behind = (-0.4 * math.cos(angle), -0.4 * math.sin(angle), 0.0)
    for width, colour in (
        (0.34, skin.shot.outline),
        (0.25, skin.shot.body),
        (0.12, skin.shot.core),
    ):
        canvas.bar(behind, ahead, widths=(0.7 * width, width), colour=rgb(colour))
    return canvas.finish()


def enemy_shot(skin: Skin, scale: float, *, heading: int, speed: float) -> Sprite:
    """An enemy's shot: a round ball with a pale middle."""
    colours, girth = skin.enemy_shot, ENEMY_SHOT_RADIUS * skin.shape.body_scale
    length = 2.0 * speed * skin.shape.trail  # they are slow: a longer memory shows their way
    canvas = Canvas(scale, reach=1.0 + length, height=0.5)
    angle = math.tau * heading / HEADINGS
    _trail(canvas, colours, angle=angle, length=length, girth=girth)
    canvas.glow((0, 0, 0), 2.2 * girth, rgb(colours.trail), 0.5)
    for size, colour in ((1.3, colours.outline), (1.05, colours.body), (0.55, colours.core)):
        canvas.ball((0, 0, 0), size * girth, rgb(colour))
    return canvas.finish()


def _trail(canvas: Canvas, colours: Shot, *, angle: float, length: float, girth: float) -> None:
    for step in range(_TRAIL_STEPS, 0, -1):
        share = step / _TRAIL_STEPS
        place = (-share * length * math.cos(angle), -share * length * math.sin(angle), 0.0)
        strength = 0.72 * (1.0 - 0.8 * share)
        canvas.glow(place, girth * (1.25 - 0.5 * share), rgb(colours.trail), strength)
