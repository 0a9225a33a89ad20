"""Marks on and above the floor: shadows, the telegraphs of attacks, a stunned charger's stars."""

import math

from arena_breaker_gym.engine.player import RADIUS as PLAYER_RADIUS
from arena_breaker_gym.engine.roster import RADIUS
from arena_breaker_gym.engine.roster.bomber import BLAST_RADIUS
from arena_breaker_gym.rendering.art.canvas import Canvas, Sprite, regular, turned
from arena_breaker_gym.rendering.art.colours import lit, rgb
from arena_breaker_gym.rendering.sheet import BLAST_MARKS, HEADINGS, RING_MARKS, STAR_STEPS
from arena_breaker_gym.rendering.skin import Skin
from arena_breaker_gym.stages.table import CHARGER, SENTINEL, SHOOTER

_CHEVRON = ((0.0, -0.55), (0.75, 0.0), (0.0, 0.55), (0.25, 0.0))


def shadow(skin: Skin, scale: float, *, radius: float) -> Sprite:
    """The soft shadow of a round body, drawn out to the right, away from the light."""
    canvas = Canvas(scale, reach=2.4 * radius)
    for step in range(4):
        place = ((0.1 + 0.14 * step) * radius, 0.05 * step * radius, 0.0)
        canvas.glow(place, 1.45 * radius, rgb(skin.shadow), 0.75 * skin.shape.shadow)
    return canvas.finish()


def body_shadow(skin: Skin, scale: float, *, kind: int) -> Sprite:
    """The shadow of the player (kind 0) or of an enemy by its code."""
    radius = PLAYER_RADIUS if kind == 0 else float(RADIUS[kind])
    return shadow(skin, scale, radius=radius * skin.shape.body_scale)


def muzzle_glow(skin: Skin, scale: float, *, step: int) -> Sprite:
    """The light before a muzzle that is about to fire."""
    radius = float(RADIUS[SHOOTER]) * (0.7 + 0.45 * step)
    canvas = Canvas(scale, reach=1.4 * radius)
    canvas.glow((0, 0, 0), radius, rgb(skin.shooter.glow), 0.75)
    canvas.disc((0, 0, 0), 0.34 * radius, lit(rgb(skin.shooter.glow), 1.5))
    return canvas.finish()


def arrow(skin: Skin, scale: float, *, heading: int) -> Sprite:
    """Chevrons on the floor along the way that a charger is about to take."""
    girth = float(RADIUS[CHARGER])
    canvas = Canvas(scale, reach=7.0 * girth)
    angle = math.tau * heading / HEADINGS
    for step in range(4):
        ahead = 1.9 + 1.1 * step
        chevron = [(ahead + x, (1.0 - 0.12 * step) * z) for x, z in _CHEVRON]
        canvas.polygon(turned(chevron, angle, girth), 0.0, rgb(skin.charger.glow))
    canvas.fade(0.75)
    return canvas.finish()


def blast_mark(skin: Skin, scale: float, *, step: int) -> Sprite:
    """The ring on the floor within which a lit bomber is about to hurt."""
    strength = 0.45 + 0.5 * step / (BLAST_MARKS - 1)
    canvas = Canvas(scale, reach=BLAST_RADIUS + 0.2)
    canvas.ring((0, 0, 0), BLAST_RADIUS, 0.14, rgb(skin.bomber.glow))
    canvas.fade(strength)
    inside = Canvas(scale, reach=BLAST_RADIUS + 0.2)
    inside.disc((0, 0, 0), BLAST_RADIUS, rgb(skin.bomber.glow))
    inside.fade(0.28 * strength)
    inside.surface.blit(canvas.surface, (0, 0))
    return inside.finish()


def ring_mark(skin: Skin, scale: float, *, step: int) -> Sprite:
    """The ring on the floor about a sentinel that gathers its ring of shots."""
    share = (step + 1) / RING_MARKS
    radius = float(RADIUS[SENTINEL]) * (2.1 - 0.5 * share)
    canvas = Canvas(scale, reach=1.3 * radius)
    canvas.ring((0, 0, 0), radius, 0.07 + 0.09 * share, rgb(skin.sentinel.detail))
    canvas.fade(0.35 + 0.5 * share)
    return canvas.finish()


def stars(skin: Skin, scale: float, *, step: int) -> Sprite:
    """Stars that circle over a stunned charger."""
    girth = float(RADIUS[CHARGER]) * skin.shape.body_scale
    canvas = Canvas(scale, reach=1.6 * girth, height=2.5 * girth)
    for x, z in regular(3, 0.85 * girth, math.tau / 3 * step / STAR_STEPS):
        star = [
            ((0.42 if corner % 2 == 0 else 0.18) * girth, math.tau * corner / 10)
            for corner in range(10)
        ]
        outline = [(x + size * math.sin(turn), z - size * math.cos(turn)) for size, turn in star]
        canvas.polygon(outline, 1.7 * girth, rgb(skin.charger.stars))
    canvas.edge(skin.shape.outline, rgb(skin.charger.outline))
    return canvas.finish()
