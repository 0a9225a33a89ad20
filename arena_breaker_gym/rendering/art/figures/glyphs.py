"""Glyphs: flat signs of bright lines on the floor, as on the screens of old vector arcades."""

import math
from collections.abc import Sequence

from arena_breaker_gym.rendering.art.canvas import (
    RGB,
    WHITE,
    Canvas,
    Outline,
    Sprite,
    lit,
    mix,
    regular,
    rgb,
    turned,
)
from arena_breaker_gym.rendering.art.figures.parts import (
    STUNNED,
    ahead,
    angle_of,
    board,
    charger_paint,
    enemy_size,
    moved,
    player_size,
    sentinel_charge,
    stroke,
    wake,
)
from arena_breaker_gym.rendering.sheet import SPLITTER_STEPS
from arena_breaker_gym.rendering.skins import Skin
from arena_breaker_gym.stages.table import BOMBER, CHARGER, SENTINEL, SHOOTER, SPLITTER, SWARMER

# Measures of figures are in drawn radii.
_LINE = 0.14  # m
_LIFT = 0.22  # how high a sign floats above its echo on the floor
_FILLED = 0.36  # how solid the inside of a sign is; an edge goes about what is over 0.4
_CHEVRONS = (
    ((-0.75, -1.0), (0.85, 0.0), (-0.75, 1.0)),
    ((-1.05, -0.6), (1.05, 0.0), (-1.05, 0.6)),
)
_SPREAD = 2.1  # rad from its heading at which the player's round back begins


def player(skin: Skin, scale: float, *, heading: int, ready: bool) -> Sprite:
    """A drop with a long needle along the aim; the dot in it shows the dash."""
    colours = skin.player
    girth, tall = player_size(skin)
    angle = angle_of(heading)
    canvas = board(skin, scale, 2.5 * girth, 1.5 * tall)
    drop = turned(_drop(), angle, girth)
    lift = _LIFT * tall
    canvas.polygon(drop, lift, rgb(colours.trim))
    stroke(canvas, drop, width=_LINE, colour=rgb(colours.body), height=lift)
    needle = [ahead(angle, 0.55 * girth), ahead(angle, 1.95 * girth)]
    stroke(canvas, needle, width=_LINE, colour=rgb(colours.barrel), height=lift, closed=False)
    lamp = rgb(colours.ready if ready else colours.cooling)
    canvas.disc((*ahead(angle, -0.15 * girth), lift), 0.5 * girth, lamp)
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if ready:
        canvas.glow((0, 0, lift), 0.8 * girth, rgb(colours.ready), 0.5)
    return canvas.finish()


def _drop() -> list[tuple[float, float]]:
    """A circle drawn out to a point along +x."""
    steps = [_SPREAD / 2 + (math.tau - _SPREAD) * step / 16 for step in range(17)]
    back = [(0.85 * math.cos(step) - 0.15, 0.85 * math.sin(step)) for step in steps]
    return [(1.3, 0.0), *back]


def _sign(
    canvas: Canvas, parts: Sequence[Outline], *, tall: float, colours: tuple[RGB, RGB]
) -> None:
    """Closed shapes: a faint filling, an echo on the floor and bright lines above it."""
    line, echo = colours
    for outline in parts:
        canvas.polygon(outline, 0.5 * _LIFT * tall, echo)
    canvas.fade(_FILLED)
    for outline in parts:
        stroke(canvas, outline, width=0.7 * _LINE, colour=echo)
    for outline in parts:
        stroke(canvas, outline, width=_LINE, colour=line, height=_LIFT * tall)


def swarmer(skin: Skin, scale: float, *, heading: int, step: int) -> Sprite:
    """A chevron that opens and closes as it flies."""
    colours = skin.swarmer
    girth, tall = enemy_size(skin, SWARMER)
    angle = angle_of(heading)
    canvas = board(skin, scale, 1.9 * girth, 1.5 * tall)
    chevron = turned(_CHEVRONS[step], angle, girth)
    stroke(canvas, chevron, width=_LINE, colour=rgb(colours.trim), closed=False)
    lift = _LIFT * tall
    stroke(canvas, chevron, width=1.2 * _LINE, colour=rgb(colours.body), height=lift, closed=False)
    canvas.disc((*chevron[1], lift), 0.2 * girth, rgb(colours.glow))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def shooter(skin: Skin, scale: float, *, heading: int, ready: bool) -> Sprite:
    """A square with a sight line out of its middle; it fills with light before it fires."""
    colours = skin.shooter
    girth, tall = enemy_size(skin, SHOOTER)
    angle = angle_of(heading)
    canvas = board(skin, scale, 2.5 * girth, 1.5 * tall)
    lift = _LIFT * tall
    paint = rgb(colours.glow) if ready else rgb(colours.body)
    square = turned(regular(4, 1.25, math.tau / 8), angle, girth)
    _sign(canvas, [square], tall=tall, colours=(rgb(colours.body), rgb(colours.trim)))
    if ready:
        canvas.polygon(turned(regular(4, 0.85, math.tau / 8), angle, girth), lift, paint)
    sight = [(0.0, 0.0), ahead(angle, 1.75 * girth)]
    stroke(canvas, sight, width=_LINE, colour=paint, height=lift, closed=False)
    bar = [ahead(angle, 1.7 * girth, across * girth) for across in (-0.42, 0.42)]
    stroke(canvas, bar, width=_LINE, colour=rgb(colours.glow), height=lift, closed=False)
    canvas.disc((0, 0, lift), 0.26 * girth, rgb(colours.detail) if ready else rgb(colours.glow))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def charger(skin: Skin, scale: float, *, heading: int, phase: int) -> Sprite:
    """A crescent with its horns ahead: hot before and in its charge, broken while stunned."""
    colours = skin.charger
    girth, tall = enemy_size(skin, CHARGER)
    angle = angle_of(heading)
    canvas = board(skin, scale, 3.6 * girth, 1.5 * tall)
    paint, trim = charger_paint(skin, phase)
    lift = _LIFT * tall
    crescent = turned(_crescent(), angle, girth)
    if phase in {1, 2}:
        canvas.polygon(crescent, lift, trim)
        stroke(canvas, crescent, width=_LINE, colour=paint, height=lift)
    else:
        _sign(canvas, [crescent], tall=tall, colours=(paint, trim))
    for across in (-0.82, 0.82):
        horn = (*ahead(angle, 1.2 * girth, across * girth), lift)
        canvas.disc(horn, 0.22 * girth, rgb(colours.detail))
    if phase == STUNNED:
        cross = [ahead(angle, -0.95 * girth, across * girth) for across in (-0.4, 0.4)]
        stroke(canvas, cross, width=_LINE, colour=rgb(colours.stars), height=lift, closed=False)
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if phase == 1:
        canvas.glow((0, 0, lift), 1.9 * girth, rgb(colours.glow), 0.4)
    if phase == 2:
        wake(canvas, angle=angle, girth=girth, colour=rgb(colours.glow))
    return canvas.finish()


def _crescent() -> list[tuple[float, float]]:
    """A moon that opens towards +x, with straight horns."""
    spread = [-2.06 + 4.12 * step / 14 for step in range(15)]
    outer = [(0.05 - 1.1 * math.cos(step), -1.1 * math.sin(step)) for step in spread]
    inner = [(0.55 - 0.72 * math.cos(step), 0.78 * math.sin(step)) for step in spread]
    return [*outer, (1.25, -0.82), *inner, (1.25, 0.82)]


def splitter(skin: Skin, scale: float, *, step: int) -> Sprite:
    """Three triangles that meet in the middle and turn slowly."""
    colours = skin.splitter
    girth, tall = enemy_size(skin, SPLITTER)
    canvas = board(skin, scale, 1.8 * girth, 1.5 * tall)
    turn = math.tau / 3 * step / SPLITTER_STEPS
    blades = [turn + math.tau * blade / 3 for blade in range(3)]
    triangles = [
        moved(turned(regular(3, 0.66), blade, girth), *ahead(blade, 0.68 * girth))
        for blade in blades
    ]
    _sign(canvas, triangles, tall=tall, colours=(rgb(colours.body), rgb(colours.trim)))
    for blade in blades:
        place = (*ahead(blade, 0.68 * girth), _LIFT * tall)
        canvas.disc(place, 0.16 * girth, rgb(colours.glow))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def bomber(skin: Skin, scale: float, *, variant: int) -> Sprite:
    """A thick saltire; once lit, a ring closes about it and it blinks."""
    colours = skin.bomber
    girth, tall = enemy_size(skin, BOMBER)
    canvas = board(skin, scale, 2.6 * girth, 1.5 * tall)
    lift = _LIFT * tall
    paint = rgb(colours.glow) if variant == 2 else rgb(colours.trim)
    if variant == 2:
        canvas.disc((0, 0, 0), 1.25 * girth, mix(paint, WHITE, 0.35))
    if variant > 0:
        canvas.ring((0, 0, lift), 1.35 * girth, _LINE, paint)
    arms = regular(4, 1.1 * girth, math.tau / 8)
    for first, second in ((arms[0], arms[2]), (arms[1], arms[3])):
        line = [first, second]
        stroke(canvas, line, width=3.0 * _LINE, colour=rgb(colours.body), height=0.0, closed=False)
    for first, second in ((arms[0], arms[2]), (arms[1], arms[3])):
        stroke(canvas, [first, second], width=1.3 * _LINE, colour=paint, height=lift, closed=False)
    canvas.disc((0, 0, lift), 0.3 * girth, rgb(colours.detail))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if variant == 2:
        canvas.glow((0, 0, lift), 2.2 * girth, rgb(colours.glow), 0.45)
    return canvas.finish()


def sentinel(skin: Skin, scale: float, *, variant: int) -> Sprite:
    """A star of eight points in a ring, whose middle fills with light before it fires."""
    colours = skin.sentinel
    girth, tall = enemy_size(skin, SENTINEL)
    canvas = board(skin, scale, 2.2 * girth, 1.5 * tall)
    lift = _LIFT * tall
    points = [
        corner
        for point in range(8)
        for corner in (
            ahead(math.tau * (point + 0.5) / 8, 0.72 * girth),
            ahead(math.tau * (point + 1.0) / 8, 1.3 * girth),
        )
    ]
    _sign(canvas, [points], tall=tall, colours=(rgb(colours.body), rgb(colours.trim)))
    canvas.ring((0, 0, lift), 0.62 * girth, _LINE, rgb(colours.detail))
    charge = sentinel_charge(variant)
    core = mix(rgb(colours.detail), rgb(colours.glow), charge)
    canvas.disc((0, 0, lift), (0.2 + 0.4 * charge) * girth, lit(core, 1.0 + 0.2 * charge))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if variant > 0:
        reach = (1.0 + 0.7 * charge) * girth
        canvas.glow((0, 0, lift), reach, rgb(colours.glow), 0.3 + 0.45 * charge)
    return canvas.finish()
