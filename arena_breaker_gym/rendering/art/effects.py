"""Everything about the figures: bursts, marks on the floor, dash and flash, shots."""

import math

from arena_breaker_gym.engine.arena import BLAST, PLAYER_HIT
from arena_breaker_gym.engine.player import RADIUS as PLAYER_RADIUS
from arena_breaker_gym.engine.roster import RADIUS
from arena_breaker_gym.engine.roster.bomber import BLAST_RADIUS
from arena_breaker_gym.engine.shots import ENEMY_SHOT_RADIUS
from arena_breaker_gym.engine.shots import RADIUS as SHOT_RADIUS
from arena_breaker_gym.engine.shots import SPEED as SHOT_SPEED
from arena_breaker_gym.rendering.art.canvas import (
    RGB,
    WHITE,
    Canvas,
    Sprite,
    lit,
    mix,
    regular,
    rgb,
    turned,
)
from arena_breaker_gym.rendering.sheet import (
    BLAST_MARKS,
    DASH_RINGS,
    EFFECT_STEPS,
    HEADINGS,
    RING_MARKS,
    STAR_STEPS,
)
from arena_breaker_gym.rendering.skins import Shot, Skin
from arena_breaker_gym.stages.table import CHARGER, ENEMY_TYPES, SENTINEL, SHOOTER

_BITS = 9  # pieces that fly apart

_CHEVRON = ((0.0, -0.55), (0.75, 0.0), (0.0, 0.55), (0.25, 0.0))

_RING_RADIUS = 1.42  # in drawn radii
_SMALLEST_FLASH = 5.0  # pixels a metre: it is drawn no smaller than at this scale
# The flash of the gun: a long tongue between two short ones, (x, z) in metres.
_TONGUES = (
    ((-0.14, -0.14), (0.3, -0.56), (0.34, -0.22), (1.05, 0.0)),
    ((0.34, 0.22), (0.3, 0.56), (-0.14, 0.14)),
)

_TRAIL_STEPS = 10


def burst(skin: Skin, scale: float, *, kind: int, step: int) -> Sprite:
    """One step of a burst of that kind."""
    share = (step + 0.5) / EFFECT_STEPS
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


def dash_ring(skin: Skin, scale: float, *, step: int) -> Sprite:
    """The ring about the player's feet: it fills while the dash cools and shines when ready."""
    colours, girth = skin.player, PLAYER_RADIUS * skin.shape.body_scale
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
    girth = PLAYER_RADIUS * skin.shape.body_scale
    tall = skin.shape.height_scale * girth
    canvas = Canvas(scale, reach=2.0 * girth, height=2.0 * tall)
    # Clear enough for body and barrel to show through, with a firm rim.
    canvas.dome((0, 0, 0.1 * tall), 1.35 * girth, 1.5 * tall, rgb(skin.player.shell))
    canvas.fade(0.5)
    canvas.ring((0, 0, 0.4 * tall), 1.4 * girth, 0.2 * girth, rgb(skin.player.shell))
    return canvas.finish()


def dash(skin: Skin, scale: float, *, heading: int) -> Sprite:
    """The streak that a dash leaves behind the player, fading backwards."""
    girth = PLAYER_RADIUS * skin.shape.body_scale
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
