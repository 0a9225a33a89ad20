"""The six enemies' sprites: each its own silhouette, colour and size."""

import math

from arena_breaker_gym.engine.roster.stats import RADIUS
from arena_breaker_gym.rendering.art.canvas import Canvas, Sprite, regular, turned
from arena_breaker_gym.rendering.art.colours import RGB, WHITE, lit, mix, rgb
from arena_breaker_gym.rendering.sheet import HEADINGS, SPLITTER_STEPS
from arena_breaker_gym.rendering.skins import Skin
from arena_breaker_gym.stages.names import BOMBER, CHARGER, SENTINEL, SHOOTER, SPLITTER, SWARMER

# Measures of figures are in drawn radii.
_DART = ((1.45, 0.0), (-0.55, -1.0), (-0.25, 0.0), (-0.55, 1.0))
_DART_FOLDED = ((1.5, 0.0), (-0.95, -0.72), (-0.25, 0.0), (-0.95, 0.72))
_SPINE = ((1.1, 0.0), (0.1, -0.28), (-0.3, 0.0), (0.1, 0.28))
_WEDGE = ((0.75, -0.95), (1.05, -0.5), (1.05, 0.5), (0.75, 0.95), (-0.95, 0.5), (-0.95, -0.5))
_PLATE = ((0.6, -0.5), (0.7, 0.0), (0.6, 0.5), (-0.6, 0.28), (-0.6, -0.28))


def _size(kind: int, skin: Skin) -> tuple[float, float]:
    """Drawn radius of a kind of enemy, and a height of one such radius, metres."""
    girth = float(RADIUS[kind]) * skin.shape.body_scale
    return girth, girth * skin.shape.height_scale


def swarmer(skin: Skin, scale: float, *, heading: int, step: int) -> Sprite:
    """A small bright dart that beats its wings."""
    colours = skin.swarmer
    girth, tall = _size(SWARMER, skin)
    angle = math.tau * heading / HEADINGS
    canvas = Canvas(scale, reach=1.8 * girth, height=2.0 * tall)
    wings = turned(_DART if step == 0 else _DART_FOLDED, angle, girth)
    canvas.prism(wings, 0.25 * tall, 0.75 * tall, side=rgb(colours.trim), lid=rgb(colours.body))
    canvas.polygon(turned(_SPINE, angle, girth), 0.8 * tall, rgb(colours.detail))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def shooter(skin: Skin, scale: float, *, heading: int, ready: bool) -> Sprite:
    """A square turret with a long barrel, whose body lights up before it fires."""
    colours = skin.shooter
    girth, tall = _size(SHOOTER, skin)
    angle = math.tau * heading / HEADINGS
    canvas = Canvas(scale, reach=2.4 * girth, height=2.2 * tall)
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
    girth, tall = _size(CHARGER, skin)
    angle = math.tau * heading / HEADINGS
    canvas = Canvas(scale, reach=3.6 * girth, height=2.0 * tall)
    heat = (0.0, 0.75, 1.0, 0.0)[phase]
    paint = mix(rgb(colours.body), rgb(colours.glow), heat)
    trim = mix(rgb(colours.trim), rgb(colours.glow), 0.5 * heat)
    if phase == 3:
        paint = mix(rgb(colours.stunned), rgb(colours.body), 0.12)
        trim = lit(rgb(colours.stunned), 0.7)
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
        _wake(canvas, angle=angle, girth=girth, colour=rgb(colours.glow))
    return canvas.finish()


def _horns(canvas: Canvas, *, angle: float, girth: float, tall: float, colour: RGB) -> None:
    for side in (-1.0, 1.0):
        horn = ((0.75, 0.78 * side), (1.25, 1.05 * side), (1.85, 0.6 * side))
        points = turned(horn, angle, girth)
        root, bend, tip = ((x, z, 0.85 * tall) for x, z in points)
        canvas.bar(root, bend, widths=(0.5 * girth, 0.4 * girth), colour=colour)
        canvas.bar(bend, tip, widths=(0.4 * girth, 0.12 * girth), colour=colour)


def _wake(canvas: Canvas, *, angle: float, girth: float, colour: RGB) -> None:
    for step in range(6):
        back = (0.9 + 0.4 * step) * girth
        place = (-back * math.cos(angle), -back * math.sin(angle), 0.3 * girth)
        canvas.glow(place, girth * (0.9 - 0.1 * step), colour, 0.42 - 0.06 * step)


def splitter(skin: Skin, scale: float, *, step: int) -> Sprite:
    """Three joined lobes that turn slowly, each with its own nucleus."""
    colours = skin.splitter
    girth, tall = _size(SPLITTER, skin)
    canvas = Canvas(scale, reach=1.6 * girth, height=2.0 * tall)
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
    girth, tall = _size(BOMBER, skin)
    canvas = Canvas(scale, reach=2.6 * girth, height=3.2 * tall)
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
    girth, tall = _size(SENTINEL, skin)
    canvas = Canvas(scale, reach=2.0 * girth, height=2.6 * tall)
    body, trim = rgb(colours.body), rgb(colours.trim)
    foot, waist, crown = (regular(6, size * girth, math.tau / 12) for size in (1.12, 0.86, 1.0))
    canvas.prism(foot, 0.0, 0.4 * tall, side=trim, lid=lit(trim, 1.1))
    canvas.prism(waist, 0.4 * tall, 1.2 * tall, side=body, lid=body)
    canvas.prism(crown, 1.2 * tall, 1.5 * tall, side=rgb(colours.detail), lid=body)
    canvas.polygon(regular(6, 0.78 * girth, math.tau / 12), 1.5 * tall, trim)
    charge = (0.0, 0.34, 0.67, 1.0, 0.5)[variant]
    core = mix(rgb(colours.detail), rgb(colours.glow), charge)
    canvas.dome((0, 0, 1.5 * tall), (0.44 + 0.22 * charge) * girth, 0.5 * tall, core)
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if variant > 0:
        reach = (1.0 + 0.7 * charge) * girth
        canvas.glow((0, 0, 1.7 * tall), reach, rgb(colours.glow), 0.3 + 0.45 * charge)
    return canvas.finish()
