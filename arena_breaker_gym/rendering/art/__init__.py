"""The art: pygame draws every sprite of a skin once, large, and it is scaled down smoothly.

One file a family of sprites. Nothing here knows the arena's record, and no colour is written
here: all come from the skin.
"""

import math
from collections.abc import Iterator

import numpy as np

from arena_breaker_gym.rendering.art import effects
from arena_breaker_gym.rendering.art.canvas import Canvas, Sprite, lit, mix, regular, rgb, turned
from arena_breaker_gym.rendering.art.effects import shadow
from arena_breaker_gym.rendering.art.figures import Figures, figures_of
from arena_breaker_gym.rendering.sheet import (
    BLAST_MARKS,
    BOMBER_VARIANTS,
    CHARGER_VARIANTS,
    DASH_RINGS,
    EFFECT_KINDS,
    EFFECT_STEPS,
    ENEMY_SHOT_SPEEDS,
    HEADINGS,
    MUZZLE_FLASHES,
    MUZZLE_GLOWS,
    RING_MARKS,
    SAW_STEPS,
    SENTINEL_VARIANTS,
    SHADOWS,
    SPLITTER_STEPS,
    STAR_STEPS,
    SWARMER_STEPS,
)
from arena_breaker_gym.rendering.skins import Skin

_FLASHED = 0.85  # share of the flash's colour in an enemy that is hit
_LINES = 60.0  # pixels darker than this are lines, which stay dark the more they are so
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601

_BLADE_HEIGHT = 0.32  # m above the floor
_SPIKE_HEIGHT = 0.75  # m
_SPIKE_SPACING = 0.42  # m


def draw_sheet(skin: Skin, scale: float) -> list[Sprite]:
    """Every sprite of the sheet.

    Args:
        skin: Whose colours and measures to draw with.
        scale: Pixels per metre.

    Returns:
        As many sprites as `sheet.SPRITES`, in the sheet's order.
    """
    figures = figures_of(skin)
    roster = list(_enemies(figures, skin, scale))
    hit = (flashed(sprite, skin) for sprite in roster)
    return [*roster, *hit, *_others(figures, skin, scale)]


def flashed(sprite: Sprite, skin: Skin) -> Sprite:
    """The sprite in the colour of a hit, its dark lines kept."""
    pixels = sprite.pixels.astype(np.float32)
    alpha = pixels[..., 3:] / 255.0
    bright = np.array(rgb(skin.flash), np.float32) * alpha
    lightness = (pixels[..., :3] @ _LUMA)[..., None] / np.maximum(alpha, 1e-3)
    share = _FLASHED * np.clip(lightness / _LINES, 0.0, 1.0) ** 2
    pixels[..., :3] += share * (bright - pixels[..., :3])
    return Sprite(np.rint(pixels).astype(np.uint8), sprite.anchor_x, sprite.anchor_y)


def _enemies(figures: Figures, skin: Skin, scale: float) -> Iterator[Sprite]:
    turns = range(HEADINGS)
    for step in range(SWARMER_STEPS):
        yield from (figures.swarmer(skin, scale, heading=turn, step=step) for turn in turns)
    for ready in (False, True):
        yield from (figures.shooter(skin, scale, heading=turn, ready=ready) for turn in turns)
    for phase in range(CHARGER_VARIANTS):
        yield from (figures.charger(skin, scale, heading=turn, phase=phase) for turn in turns)
    yield from (figures.splitter(skin, scale, step=step) for step in range(SPLITTER_STEPS))
    yield from (figures.bomber(skin, scale, variant=which) for which in range(BOMBER_VARIANTS))
    yield from (figures.sentinel(skin, scale, variant=which) for which in range(SENTINEL_VARIANTS))


def _others(figures: Figures, skin: Skin, scale: float) -> Iterator[Sprite]:
    turns = range(HEADINGS)
    yield from (effects.body_shadow(skin, scale, kind=kind) for kind in range(SHADOWS))
    for ready in (False, True):
        yield from (figures.player(skin, scale, heading=turn, ready=ready) for turn in turns)
    yield from (effects.dash_ring(skin, scale, step=step) for step in range(DASH_RINGS))
    yield effects.shell(skin, scale)
    yield from (effects.dash(skin, scale, heading=turn) for turn in turns)
    for step in range(MUZZLE_FLASHES):
        yield from (effects.muzzle_flash(skin, scale, heading=turn, step=step) for turn in turns)
    yield from (effects.muzzle_glow(skin, scale, step=step) for step in range(MUZZLE_GLOWS))
    yield from (effects.arrow(skin, scale, heading=turn) for turn in turns)
    yield from (effects.blast_mark(skin, scale, step=step) for step in range(BLAST_MARKS))
    yield from (effects.ring_mark(skin, scale, step=step) for step in range(RING_MARKS))
    yield from (effects.stars(skin, scale, step=step) for step in range(STAR_STEPS))
    yield from (effects.shot(skin, scale, heading=turn) for turn in turns)
    for speed in ENEMY_SHOT_SPEEDS:
        yield from (effects.enemy_shot(skin, scale, heading=turn, speed=speed) for turn in turns)
    for kind in range(1, EFFECT_KINDS + 1):
        yield from (
            effects.burst(skin, scale, kind=kind, step=step) for step in range(EFFECT_STEPS)
        )


def saw_sprites(skin: Skin, scale: float, radius: float) -> list[Sprite]:
    """A saw's shadow, then its blade in `SAW_STEPS` steps of turning by one tooth."""
    blades = [_saw(skin, scale, radius, step=step) for step in range(SAW_STEPS)]
    return [shadow(skin, scale, radius=radius), *blades]


def _saw(skin: Skin, scale: float, radius: float, *, step: int) -> Sprite:
    colours, teeth = skin.saw, skin.shape.saw_teeth
    canvas = Canvas(scale, reach=1.2 * radius, height=1.0)
    turn = math.tau / teeth * step / SAW_STEPS
    blade = []
    for tooth in range(teeth):
        start = tooth / teeth
        for share, reach in ((0.0, 0.78), (0.75, 1.04), (0.8, 0.8)):
            angle = math.tau * (start + share / teeth)
            blade.append((reach * math.cos(angle), reach * math.sin(angle)))
    blade = turned(blade, turn, radius)
    low, high = _BLADE_HEIGHT - 0.08, _BLADE_HEIGHT + 0.04
    canvas.prism(blade, low, high, side=lit(rgb(colours.blade), 0.5), lid=rgb(colours.edge))
    canvas.disc((0, 0, high), 0.76 * radius, rgb(colours.blade))
    canvas.ring((0, 0, high), 0.6 * radius, 0.07 * radius, lit(rgb(colours.blade), 0.8))
    canvas.dome((0, 0, high), 0.36 * radius, 0.22 * radius, rgb(colours.hub))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def spike_sprites(skin: Skin, scale: float, radius: float) -> list[Sprite]:
    """A spike plate's sprites, in the order that `sheet` gives."""
    plates = [
        _plate(skin, scale, radius, warning=0.0, rising=0.0),
        _plate(skin, scale, radius, warning=0.55, rising=0.3),
        _plate(skin, scale, radius, warning=1.0, rising=0.4),
        _plate(skin, scale, radius, warning=0.0, rising=0.0),
    ]
    halves = [_spikes(skin, scale, radius, front=front) for front in (False, True)]
    return [*plates, *halves]


def _plate(skin: Skin, scale: float, radius: float, *, warning: float, rising: float) -> Sprite:
    colours = skin.spikes
    canvas = Canvas(scale, reach=1.5 * radius, height=1.0)
    glow = rgb(colours.warning)
    canvas.disc((0, 0, 0), radius, rgb(colours.outline))
    canvas.disc((0, 0, 0.02), 0.96 * radius, mix(rgb(colours.rim), glow, 0.9 * warning))
    canvas.disc((0, 0, 0), 0.84 * radius, mix(rgb(colours.plate), glow, 0.5 * warning))
    for x, z in _grid(radius):
        canvas.disc((x, z, 0.0), 0.11, mix(rgb(colours.hole), glow, 0.15 * warning))
        if rising > 0.0:
            height = rising * _SPIKE_HEIGHT
            canvas.cone((x, z, 0), 0.09, height, rgb(colours.spike), rgb(colours.tip))
    if warning > 0.0:
        canvas.glow((0, 0, 0.1), 1.25 * radius, glow, 0.4 * warning)
    return canvas.finish()


def _spikes(skin: Skin, scale: float, radius: float, *, front: bool) -> Sprite:
    """One half of the raised spikes; its place is the plate's middle, as the plate's is."""
    colours = skin.spikes
    canvas = Canvas(scale, reach=1.3 * radius, height=1.2)
    for x, z in _grid(radius):
        if (z > 0.0) == front:
            canvas.cone((x, z, 0), 0.15, _SPIKE_HEIGHT, rgb(colours.spike), rgb(colours.tip))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def _grid(radius: float) -> list[tuple[float, float]]:
    """Places of the spikes on a plate, rear to front: rings about the middle."""
    places = [(0.0, 0.0)]
    rings = max(1, round((radius - 0.2) / _SPIKE_SPACING))
    for ring in range(1, rings + 1):
        reach = ring * (radius - 0.22) / rings
        places += regular(max(5, round(math.tau * reach / _SPIKE_SPACING)), reach, 0.3 * ring)
    return sorted(places, key=lambda place: place[1])
