"""Machines: a hover-tank among darts, turrets, rams, bombs and towers."""

import math

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
from arena_breaker_gym.rendering.art.figures.parts import (
    angle_of,
    board,
    charger_paint,
    enemy_size,
    player_size,
    sentinel_charge,
    wake,
)
from arena_breaker_gym.rendering.sheet import SPLITTER_STEPS
from arena_breaker_gym.rendering.skins import Skin
from arena_breaker_gym.stages.table import BOMBER, CHARGER, SENTINEL, SHOOTER, SPLITTER, SWARMER

# Measures of figures are in drawn radii.
_DART = ((1.45, 0.0), (-0.55, -1.0), (-0.25, 0.0), (-0.55, 1.0))
_DART_FOLDED = ((1.5, 0.0), (-0.95, -0.72), (-0.25, 0.0), (-0.95, 0.72))
_SPINE = ((1.1, 0.0), (0.1, -0.28), (-0.3, 0.0), (0.1, 0.28))
_HULL = ((-0.75, -0.62), (0.55, -0.5), (0.95, 0.0), (0.55, 0.5), (-0.75, 0.62), (-0.45, 0.0))
_GUN_LENGTH = 1.75
_WEDGE = ((0.75, -0.95), (1.05, -0.5), (1.05, 0.5), (0.75, 0.95), (-0.95, 0.5), (-0.95, -0.5))
_PLATE = ((0.6, -0.5), (0.7, 0.0), (0.6, 0.5), (-0.6, 0.28), (-0.6, -0.28))


def player(skin: Skin, scale: float, *, heading: int, ready: bool) -> Sprite:
    """A hover-tank seen from above: its barrel shows the aim, its lamp the dash."""
    colours = skin.player
    girth, tall = player_size(skin)
    angle = angle_of(heading)
    canvas = board(skin, scale, 2.2 * girth, 2.0 * tall)
    wedge = turned(_HULL, angle, 1.2 * girth)
    canvas.prism(wedge, 0.1, 0.55 * tall, side=rgb(colours.trim), lid=rgb(colours.trim))
    away = math.sin(angle) < 0.0
    if away:
        _gun(canvas, skin, angle=angle, girth=girth, tall=tall)
    canvas.dome((0, 0, 0.45 * tall), 0.8 * girth, 0.85 * tall, rgb(colours.body))
    if not away:
        _gun(canvas, skin, angle=angle, girth=girth, tall=tall)
    lamp = rgb(colours.ready if ready else colours.cooling)
    canvas.dome((0, 0, 1.05 * tall), 0.46 * girth, 0.35 * tall, lamp)
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if ready:
        canvas.glow((0, 0, 1.3 * tall), 0.75 * girth, rgb(colours.ready), 0.55)
    return canvas.finish()


def _gun(canvas: Canvas, skin: Skin, *, angle: float, girth: float, tall: float) -> None:
    height = 0.85 * tall
    x, z = math.cos(angle) * girth, math.sin(angle) * girth
    start, end = (0.2 * x, 0.2 * z, height), (_GUN_LENGTH * x, _GUN_LENGTH * z, height)
    canvas.bar(start, end, widths=(0.62 * girth, 0.5 * girth), colour=rgb(skin.player.outline))
    canvas.bar(start, end, widths=(0.4 * girth, 0.3 * girth), colour=rgb(skin.player.barrel))


def swarmer(skin: Skin, scale: float, *, heading: int, step: int) -> Sprite:
    """A small bright dart that beats its wings."""
    colours = skin.swarmer
    girth, tall = enemy_size(skin, SWARMER)
    angle = angle_of(heading)
    canvas = board(skin, scale, 1.8 * girth, 2.0 * tall)
    wings = turned(_DART if step == 0 else _DART_FOLDED, angle, girth)
    canvas.prism(wings, 0.25 * tall, 0.75 * tall, side=rgb(colours.trim), lid=rgb(colours.body))
    canvas.polygon(turned(_SPINE, angle, girth), 0.8 * tall, rgb(colours.detail))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def shooter(skin: Skin, scale: float, *, heading: int, ready: bool) -> Sprite:
    """A square turret with a long barrel, whose body lights up before it fires."""
    colours = skin.shooter
    girth, tall = enemy_size(skin, SHOOTER)
    angle = angle_of(heading)
    canvas = board(skin, scale, 2.4 * girth, 2.2 * tall)
    paint = mix(rgb(colours.body), rgb(colours.glow), 0.45 if ready else 0.0)
    trim = rgb(colours.trim)
    block = turned(regular(4, 1.2, math.tau / 8), angle, girth)
    canvas.prism(block, 0.05, 0.8 * tall, side=trim, lid=mix(trim, paint, 0.5))
    away = math.sin(angle) < 0.0
    if away:
        _barrel(canvas, skin, angle=angle, girth=girth, tall=tall)
    turret = turned(regular(4, 0.92, math.tau / 8), angle, girth)
    canvas.prism(turret, 0.8 * tall, 1.25 * tall, side=paint, lid=paint)
    if not away:
        _barrel(canvas, skin, angle=angle, girth=girth, tall=tall)
    eye = rgb(colours.glow) if ready else lit(paint, 1.35)
    canvas.disc((0, 0, 1.27 * tall), 0.36 * girth, eye)
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def _barrel(canvas: Canvas, skin: Skin, *, angle: float, girth: float, tall: float) -> None:
    height = 1.0 * tall
    x, z = math.cos(angle) * girth, math.sin(angle) * girth
    start, end = (0.5 * x, 0.5 * z, height), (1.75 * x, 1.75 * z, height)
    tip = (1.6 * x, 1.6 * z, height)
    canvas.bar(start, end, widths=(0.6 * girth, 0.6 * girth), colour=rgb(skin.shooter.detail))
    canvas.bar(tip, end, widths=(0.5 * girth, 0.5 * girth), colour=rgb(skin.shooter.glow))


def charger(skin: Skin, scale: float, *, heading: int, phase: int) -> Sprite:
    """A big horned wedge: red-hot before and in its charge, grey while stunned."""
    colours = skin.charger
    girth, tall = enemy_size(skin, CHARGER)
    angle = angle_of(heading)
    canvas = board(skin, scale, 3.6 * girth, 2.0 * tall)
    paint, trim = charger_paint(skin, phase)
    away = math.sin(angle) < 0.0
    if away:
        _horns(canvas, angle=angle, girth=girth, tall=tall, colour=rgb(colours.detail))
    wedge = turned(_WEDGE, angle, girth)
    canvas.prism(wedge, 0.05, 1.0 * tall, side=trim, lid=paint)
    canvas.polygon(turned(_PLATE, angle, girth), 1.0 * tall, trim)
    if not away:
        _horns(canvas, angle=angle, girth=girth, tall=tall, colour=rgb(colours.detail))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if phase == 1:
        canvas.glow((0, 0, 0.9 * tall), 1.9 * girth, rgb(colours.glow), 0.4)
    if phase == 2:
        wake(canvas, angle=angle, girth=girth, colour=rgb(colours.glow))
    return canvas.finish()


def _horns(canvas: Canvas, *, angle: float, girth: float, tall: float, colour: RGB) -> None:
    for side in (-1.0, 1.0):
        horn = ((0.75, 0.78 * side), (1.25, 1.05 * side), (1.85, 0.6 * side))
        points = turned(horn, angle, girth)
        root, bend, tip = ((x, z, 0.85 * tall) for x, z in points)
        canvas.bar(root, bend, widths=(0.5 * girth, 0.4 * girth), colour=colour)
        canvas.bar(bend, tip, widths=(0.4 * girth, 0.12 * girth), colour=colour)


def splitter(skin: Skin, scale: float, *, step: int) -> Sprite:
    """Three joined lobes that turn slowly, each with its own nucleus."""
    colours = skin.splitter
    girth, tall = enemy_size(skin, SPLITTER)
    canvas = board(skin, scale, 1.6 * girth, 2.0 * tall)
    turn = math.tau / 3 * step / SPLITTER_STEPS
    lobes = regular(3, 0.62 * girth, turn)
    canvas.dome((0, 0, 0.0), 0.6 * girth, 0.6 * tall, rgb(colours.trim))
    for x, z in sorted(lobes, key=lambda lobe: lobe[1]):
        canvas.dome((x, z, 0.0), 0.62 * girth, 0.95 * tall, rgb(colours.body))
        canvas.disc((x, z, 0.85 * tall), 0.27 * girth, rgb(colours.detail))
        spot = (x - 0.22 * girth, z - 0.16 * girth, 0.9 * tall)
        canvas.disc(spot, 0.12 * girth, mix(rgb(colours.glow), WHITE, 0.3 * skin.shape.gloss))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def bomber(skin: Skin, scale: float, *, variant: int) -> Sprite:
    """A round bomb with a band and a fuse; once lit it blinks."""
    colours = skin.bomber
    girth, tall = enemy_size(skin, BOMBER)
    canvas = board(skin, scale, 2.6 * girth, 3.2 * tall)
    paint = rgb(colours.glow) if variant == 2 else rgb(colours.body)
    canvas.dome((0, 0, 0.0), 1.05 * girth, 1.75 * tall, paint, gloss=skin.shape.gloss)
    canvas.ring((0, 0, 0.7 * tall), 1.0 * girth, 0.26 * girth, rgb(colours.trim))
    upper = lit(paint, 1.05)
    canvas.dome((0, 0, 0.85 * tall), 0.82 * girth, 0.95 * tall, upper, gloss=skin.shape.gloss)
    top, end = (0.0, 0.0, 1.75 * tall), (0.45 * girth, 0.0, 2.5 * tall)
    canvas.bar(top, end, widths=(0.26 * girth, 0.2 * girth), colour=rgb(colours.detail))
    spark = rgb(colours.glow) if variant == 0 else mix(rgb(colours.detail), WHITE, 0.7)
    canvas.disc(end, 0.24 * girth, spark)
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if variant > 0:
        canvas.glow(end, 0.8 * girth, rgb(colours.glow), 0.6)
    if variant == 2:
        canvas.glow((0, 0, tall), 2.2 * girth, rgb(colours.glow), 0.45)
    return canvas.finish()


def sentinel(skin: Skin, scale: float, *, variant: int) -> Sprite:
    """A tall hexagonal tower whose core swells with light before it fires."""
    colours = skin.sentinel
    girth, tall = enemy_size(skin, SENTINEL)
    canvas = board(skin, scale, 2.0 * girth, 2.6 * tall)
    body, trim = rgb(colours.body), rgb(colours.trim)
    foot, waist, crown = (regular(6, size * girth, math.tau / 12) for size in (1.12, 0.86, 1.0))
    canvas.prism(foot, 0.0, 0.4 * tall, side=trim, lid=lit(trim, 1.1))
    canvas.prism(waist, 0.4 * tall, 1.2 * tall, side=body, lid=body)
    canvas.prism(crown, 1.2 * tall, 1.5 * tall, side=rgb(colours.detail), lid=body)
    canvas.polygon(regular(6, 0.78 * girth, math.tau / 12), 1.5 * tall, trim)
    charge = sentinel_charge(variant)
    core = mix(rgb(colours.detail), rgb(colours.glow), charge)
    canvas.dome((0, 0, 1.5 * tall), (0.44 + 0.22 * charge) * girth, 0.5 * tall, core)
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if variant > 0:
        reach = (1.0 + 0.7 * charge) * girth
        canvas.glow((0, 0, 1.7 * tall), reach, rgb(colours.glow), 0.3 + 0.45 * charge)
    return canvas.finish()
