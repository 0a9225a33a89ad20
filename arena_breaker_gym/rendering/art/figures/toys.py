"""Toys: glossy plastic made of balls, capsules, bricks and stacked rings."""

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
    STUNNED,
    ahead,
    angle_of,
    board,
    charger_paint,
    enemy_size,
    moved,
    oval,
    player_size,
    pod,
    sentinel_charge,
    wake,
)
from arena_breaker_gym.rendering.sheet import SPLITTER_STEPS
from arena_breaker_gym.rendering.skins import Skin
from arena_breaker_gym.stages.table import BOMBER, CHARGER, SENTINEL, SHOOTER, SPLITTER, SWARMER

# Measures of figures are in drawn radii.
_CAR = ((-1.2, -0.5), (0.8, -0.5), (1.3, -0.2), (1.3, 0.2), (0.8, 0.5), (-1.2, 0.5))
_WHEELS = ((-0.85, -0.82), (0.75, -0.82), (-0.85, 0.82), (0.75, 0.82))
_BRICK = ((1.0, -0.78), (1.0, 0.78), (-0.95, 0.78), (-0.95, -0.78))
_STUDS = ((0.5, -0.38), (0.5, 0.38), (-0.45, -0.38), (-0.45, 0.38))
_TIPPED = math.tau / 24  # how far a stunned brick is knocked round
_PANELS = 6  # of the beach ball


def player(skin: Skin, scale: float, *, heading: int, ready: bool) -> Sprite:
    """A toy car on four wheels: its water gun shows the aim, its driver's cap the dash."""
    colours = skin.player
    girth, tall = player_size(skin)
    angle = angle_of(heading)
    canvas = board(skin, scale, 2.5 * girth, 2.4 * tall)
    tyre = mix(rgb(colours.outline), rgb(colours.barrel), 0.4)
    for along, across in _WHEELS:
        wheel = moved(
            turned(oval(0.42, 0.26), angle, girth), *ahead(angle, along * girth, across * girth)
        )
        canvas.prism(wheel, 0.0, 0.45 * tall, side=tyre, lid=tyre)
    car = turned(_CAR, angle, girth)
    canvas.prism(car, 0.12 * tall, 0.6 * tall, side=rgb(colours.trim), lid=rgb(colours.body))
    away = math.sin(angle) < 0.0
    if away:
        _water_gun(canvas, skin, angle=angle, girth=girth, tall=tall)
    x, z = ahead(angle, -0.25 * girth)
    pod(canvas, (x, z, 0.5 * tall), 0.56 * girth, 0.9 * tall, lit(rgb(colours.body), 1.15))
    if not away:
        _water_gun(canvas, skin, angle=angle, girth=girth, tall=tall)
    lamp = rgb(colours.ready if ready else colours.cooling)
    canvas.dome((x, z, 1.0 * tall), 0.48 * girth, 0.45 * tall, lamp, gloss=skin.shape.gloss)
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if ready:
        canvas.glow((x, z, 1.3 * tall), 0.8 * girth, rgb(colours.ready), 0.5)
    return canvas.finish()


def _water_gun(canvas: Canvas, skin: Skin, *, angle: float, girth: float, tall: float) -> None:
    height = 0.75 * tall
    start = (*ahead(angle, 0.2 * girth), height)
    end, nozzle = (*ahead(angle, 2.0 * girth), height), (*ahead(angle, 1.7 * girth), height)
    barrel = rgb(skin.player.barrel)
    canvas.bar(start, end, widths=(0.66 * girth, 0.5 * girth), colour=rgb(skin.player.outline))
    canvas.bar(start, end, widths=(0.46 * girth, 0.3 * girth), colour=barrel)
    canvas.bar(nozzle, end, widths=(0.46 * girth, 0.46 * girth), colour=barrel)


def swarmer(skin: Skin, scale: float, *, heading: int, step: int) -> Sprite:
    """A wound-up capsule, its bright half in front and the turning key behind."""
    colours = skin.swarmer
    girth, tall = enemy_size(skin, SWARMER)
    angle = angle_of(heading)
    canvas = board(skin, scale, 2.2 * girth, 2.0 * tall)
    away = math.sin(angle) < 0.0
    if not away:
        _key(canvas, skin, angle=angle, girth=girth, tall=tall, step=step)
    halves = [(-0.5, rgb(colours.trim)), (0.6, rgb(colours.body))]
    for along, paint in halves[::-1] if away else halves:
        places = [ahead(angle, share * along * girth) for share in (0.1, 0.5, 1.0)]
        for x, z in sorted(places, key=lambda place: place[1]):
            pod(canvas, (x, z, 0.05), 0.62 * girth, 1.05 * tall, paint)
    if away:
        _key(canvas, skin, angle=angle, girth=girth, tall=tall, step=step)
    nose = (*ahead(angle, 0.75 * girth), 0.95 * tall)
    canvas.disc(nose, 0.36 * girth, mix(rgb(colours.glow), WHITE, 0.5))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def _key(canvas: Canvas, skin: Skin, *, angle: float, girth: float, tall: float, step: int) -> None:
    """The key that winds a toy up, seen from its broad or its narrow side."""
    colours, height = skin.swarmer, 0.5 * tall
    colour = mix(rgb(colours.detail), rgb(colours.glow), 0.35)
    root, end = (*ahead(angle, -0.9 * girth), height), (*ahead(angle, -1.45 * girth), height)
    canvas.bar(root, end, widths=(0.24 * girth, 0.24 * girth), colour=colour)
    reach = (0.75 if step == 0 else 0.32) * girth
    wings = [(*ahead(angle, -1.45 * girth, side * reach), height) for side in (-1.0, 1.0)]
    canvas.bar(wings[0], wings[1], widths=(0.4 * girth, 0.4 * girth), colour=colour)


def shooter(skin: Skin, scale: float, *, heading: int, ready: bool) -> Sprite:
    """A ball on a wide dish with a trumpet for a barrel; it lights up before it fires."""
    colours = skin.shooter
    girth, tall = enemy_size(skin, SHOOTER)
    angle = angle_of(heading)
    canvas = board(skin, scale, 2.5 * girth, 2.2 * tall)
    paint = mix(rgb(colours.body), rgb(colours.glow), 0.85 if ready else 0.0)
    dish = regular(20, 1.15 * girth)
    canvas.prism(dish, 0.0, 0.3 * tall, side=rgb(colours.trim), lid=lit(rgb(colours.trim), 1.15))
    canvas.disc((0, 0, 0.31 * tall), 0.92 * girth, rgb(colours.trim))
    away = math.sin(angle) < 0.0
    if away:
        _trumpet(canvas, skin, angle=angle, girth=girth, tall=tall, ready=ready)
    pod(canvas, (0, 0, 0.25 * tall), 0.82 * girth, 1.45 * tall, paint, gloss=skin.shape.gloss)
    if not away:
        _trumpet(canvas, skin, angle=angle, girth=girth, tall=tall, ready=ready)
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def _trumpet(
    canvas: Canvas, skin: Skin, *, angle: float, girth: float, tall: float, ready: bool
) -> None:
    colours, height = skin.shooter, 0.9 * tall
    start, bell, end = ((*ahead(angle, along * girth), height) for along in (0.4, 1.25, 1.75))
    canvas.bar(start, end, widths=(0.4 * girth, 0.5 * girth), colour=rgb(colours.detail))
    canvas.bar(bell, end, widths=(0.4 * girth, 1.15 * girth), colour=rgb(colours.detail))
    cork = rgb(colours.glow) if ready else mix(rgb(colours.glow), rgb(colours.trim), 0.4)
    canvas.ball(end, 0.32 * girth, cork)


def charger(skin: Skin, scale: float, *, heading: int, phase: int) -> Sprite:
    """A big building brick with studs and two bumpers: hot before and in its charge."""
    colours = skin.charger
    girth, tall = enemy_size(skin, CHARGER)
    angle = angle_of(heading)
    canvas = board(skin, scale, 3.6 * girth, 2.0 * tall)
    paint, trim = charger_paint(skin, phase)
    turn = angle + (_TIPPED if phase == STUNNED else 0.0)
    away = math.sin(turn) < 0.0
    if away:
        _bumpers(canvas, angle=turn, girth=girth, tall=tall, colour=rgb(colours.detail))
    brick = turned(_BRICK, turn, girth)
    canvas.prism(brick, 0.05, 0.95 * tall, side=paint, lid=paint)
    for x, z in sorted(turned(_STUDS, turn, girth), key=lambda stud: stud[1]):
        stud = moved(regular(12, 0.29 * girth), x, z)
        canvas.prism(stud, 0.95 * tall, 1.2 * tall, side=trim, lid=lit(paint, 1.25))
    if not away:
        _bumpers(canvas, angle=turn, girth=girth, tall=tall, colour=rgb(colours.detail))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if phase == 1:
        canvas.glow((0, 0, 0.9 * tall), 1.9 * girth, rgb(colours.glow), 0.4)
    if phase == 2:
        wake(canvas, angle=angle, girth=girth, colour=rgb(colours.glow))
    return canvas.finish()


def _bumpers(canvas: Canvas, *, angle: float, girth: float, tall: float, colour: RGB) -> None:
    sides = [ahead(angle, 1.15 * girth, across * girth) for across in (-0.5, 0.5)]
    for x, z in sorted(sides, key=lambda side: side[1]):
        pod(canvas, (x, z, 0.15 * tall), 0.4 * girth, 0.75 * tall, colour)


def splitter(skin: Skin, scale: float, *, step: int) -> Sprite:
    """Three cubes about a ball, like a rattle that turns slowly."""
    colours = skin.splitter
    girth, tall = enemy_size(skin, SPLITTER)
    canvas = board(skin, scale, 1.8 * girth, 2.0 * tall)
    turn = math.tau / 3 * step / SPLITTER_STEPS
    arms = [
        (turn + math.tau * arm / 3, *ahead(turn + math.tau * arm / 3, 0.8 * girth))
        for arm in range(3)
    ]
    arms.append((0.0, 0.0, 0.0))
    for way, x, z in sorted(arms, key=lambda arm: arm[2]):
        if x == z == 0.0:
            pod(canvas, (0, 0, 0.0), 0.5 * girth, 0.9 * tall, rgb(colours.glow))
            continue
        canvas.bar(
            (0, 0, 0.4 * tall),
            (x, z, 0.4 * tall),
            widths=(0.3 * girth, 0.3 * girth),
            colour=rgb(colours.detail),
        )
        cube = moved(turned(regular(4, 0.58, math.tau / 8), way, girth), x, z)
        canvas.prism(
            cube, 0.0, 0.75 * tall, side=rgb(colours.body), lid=lit(rgb(colours.body), 1.1)
        )
        canvas.disc((x, z, 0.77 * tall), 0.2 * girth, rgb(colours.detail))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def bomber(skin: Skin, scale: float, *, variant: int) -> Sprite:
    """A striped beach ball with a wick in its valve; once lit it blinks."""
    colours = skin.bomber
    girth, tall = enemy_size(skin, BOMBER)
    canvas = board(skin, scale, 2.6 * girth, 3.6 * tall)
    paint = rgb(colours.glow) if variant == 2 else rgb(colours.body)
    stripe = mix(rgb(colours.trim), WHITE, 0.55 if variant == 2 else 0.0)
    radius, height = 1.2 * girth, 2.1 * tall
    pod(canvas, (0, 0, 0), radius, height, paint)
    _stripes(canvas, radius=radius, height=height, colour=stripe)
    canvas.disc((0, 0, 0.98 * height), 0.3 * radius, rgb(colours.detail))
    spot = (-0.42 * radius, -0.3 * radius, 0.8 * height)
    canvas.disc(spot, 0.2 * radius, mix(paint, WHITE, 0.35 + 0.5 * skin.shape.gloss))
    top, end = (0.0, 0.0, height), (0.4 * girth, 0.0, height + 1.0 * tall)
    canvas.bar(top, end, widths=(0.26 * girth, 0.2 * girth), colour=rgb(colours.detail))
    spark = rgb(colours.trim) if variant == 0 else mix(rgb(colours.detail), WHITE, 0.7)
    canvas.ball(end, 0.24 * girth, spark)
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if variant > 0:
        canvas.glow(end, 0.8 * girth, rgb(colours.glow), 0.6)
    if variant == 2:
        canvas.glow((0, 0, tall), 2.2 * girth, rgb(colours.glow), 0.45)
    return canvas.finish()


def _stripes(canvas: Canvas, *, radius: float, height: float, colour: RGB) -> None:
    """Every other panel of a ball, from its equator to its top."""
    for panel in range(0, _PANELS, 2):
        start = math.tau * (panel + 0.25) / _PANELS
        for layer in range(20):
            share = 0.35 + 0.65 * layer / 20
            girth = radius * math.sqrt(1.0 - (2.0 * share - 1.0) ** 2)
            arc = [start + math.tau / _PANELS * part / 6 for part in range(7)]
            rim = [(girth * math.cos(way), girth * math.sin(way)) for way in arc]
            canvas.polygon([(0.0, 0.0), *rim], height * share, lit(colour, 0.58 + 0.46 * share))


def sentinel(skin: Skin, scale: float, *, variant: int) -> Sprite:
    """A tower of stacked rings whose ball on top swells with light before it fires."""
    colours = skin.sentinel
    girth, tall = enemy_size(skin, SENTINEL)
    canvas = board(skin, scale, 2.2 * girth, 2.8 * tall)
    paints = (rgb(colours.trim), rgb(colours.body), rgb(colours.detail), rgb(colours.body))
    for level, paint in enumerate(paints):
        radius = (1.18 - 0.2 * level) * girth
        pod(canvas, (0, 0, 0.34 * level * tall), radius, 0.5 * tall, paint)
    charge = sentinel_charge(variant)
    core = mix(rgb(colours.detail), rgb(colours.glow), charge)
    size = (0.36 + 0.2 * charge) * girth
    pod(canvas, (0, 0, 1.42 * tall), size, 0.85 * tall, core, gloss=skin.shape.gloss)
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if variant > 0:
        reach = (1.0 + 0.7 * charge) * girth
        canvas.glow((0, 0, 1.8 * tall), reach, rgb(colours.glow), 0.3 + 0.45 * charge)
    return canvas.finish()
