"""Bursts: an enemy's death puff in its colours, the bomber's blast, a hit on the player."""

import math

from arena_breaker_gym.engine.arena import BLAST, PLAYER_HIT
from arena_breaker_gym.engine.player import RADIUS as PLAYER_RADIUS
from arena_breaker_gym.engine.roster import RADIUS
from arena_breaker_gym.engine.roster.bomber import BLAST_RADIUS
from arena_breaker_gym.rendering.art.canvas import Canvas, Sprite
from arena_breaker_gym.rendering.art.colours import RGB, WHITE, mix, rgb
from arena_breaker_gym.rendering.sheet import BURST_STEPS
from arena_breaker_gym.rendering.skin import Skin
from arena_breaker_gym.stages.table import ENEMY_TYPES

_BITS = 9  # pieces that fly apart


def burst(skin: Skin, scale: float, *, kind: int, step: int) -> Sprite:
    """One step of a burst of that kind."""
    share = (step + 0.5) / BURST_STEPS
    if kind == BLAST:
        return _blast(skin, scale, share=share)
    if kind == PLAYER_HIT:
        colours = (rgb(skin.blast.player_hit), WHITE, rgb(skin.player.outline))
        return _puff(scale, share=share, girth=1.6 * PLAYER_RADIUS, colours=colours)
    enemy = getattr(skin, ENEMY_TYPES[kind])
    girth = 1.15 * float(RADIUS[kind])
    colours = (rgb(enemy.body), rgb(enemy.glow), rgb(enemy.outline))
    return _puff(scale, share=share, girth=girth, colours=colours)


def _puff(scale: float, *, share: float, girth: float, colours: tuple[RGB, RGB, RGB]) -> Sprite:
    """A flash, a ring that widens and thins, and bits with an outline that fly outwards."""
    body, glow, outline = colours
    canvas = Canvas(scale, reach=3.2 * girth, height=1.5)
    outwards = 1.0 - (1.0 - share) ** 2
    height = 0.35 + 0.4 * outwards
    width = 0.4 * girth * (1.0 - share) + 0.02
    canvas.ring((0, 0, 0.3), girth * (0.7 + 1.4 * outwards), width, mix(glow, WHITE, 0.3))
    for bit in range(_BITS):
        angle = math.tau * bit / _BITS + 0.4
        reach = girth * (0.4 + (1.3 if bit % 2 else 1.8) * outwards)
        place = (reach * math.cos(angle), reach * math.sin(angle), height)
        canvas.disc(place, girth * 0.34 * (1.0 - 0.8 * share), body if bit % 2 else glow)
    canvas.edge(0.06, outline)
    if share < 0.4:
        canvas.glow((0, 0, 0.4), girth * 1.5, mix(glow, WHITE, 0.6), 1.0 - 2.0 * share)
    canvas.fade(1.0 - share**2)
    return canvas.finish()


def _blast(skin: Skin, scale: float, *, share: float) -> Sprite:
    """A fireball as wide as the blast hurts, then smoke."""
    colours = skin.blast
    canvas = Canvas(scale, reach=1.3 * BLAST_RADIUS, height=2.0)
    outwards = 1.0 - (1.0 - share) ** 3
    radius = BLAST_RADIUS * (0.45 + 0.55 * outwards)
    fire = mix(rgb(colours.fire), rgb(colours.smoke), share)
    canvas.disc((0, 0, 0.1), radius, fire)
    canvas.fade(0.75 * (1.0 - share))
    canvas.ring((0, 0, 0.1), radius, 0.3 * (1.0 - share) + 0.04, mix(fire, WHITE, 0.35))
    for bit in range(_BITS):
        angle = math.tau * bit / _BITS
        reach = 0.62 * radius
        place = (reach * math.cos(angle), reach * math.sin(angle), 0.3 + 0.9 * outwards)
        canvas.glow(place, 0.55 * BLAST_RADIUS, fire, 0.85 * (1.0 - share))
    core = mix(rgb(colours.core), rgb(colours.fire), share)
    canvas.glow((0, 0, 0.5), radius * (1.0 - 0.5 * share), core, (1.0 - share) ** 1.5)
    canvas.fade(1.0 - share**3)
    return canvas.finish()
