"""Creatures: a frog among bugs, spitting plants, beetles, jellies, puffer fish and octopuses."""

import itertools
import math
from collections.abc import Sequence

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
    loaf,
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
_FROG_LEGS = (((-0.3, 0.6), (-0.35, 1.25), (-1.1, 1.1)), ((0.45, 0.55), (0.75, 1.1), (1.15, 1.0)))
_BEETLE_LEGS = (((0.5, 0.6), (0.75, 1.2)), ((0.0, 0.7), (-0.05, 1.35)), ((-0.5, 0.6), (-0.85, 1.2)))
_WING_ANGLES = (1.35, 2.35)  # rad from the heading, with the wings spread and laid back
_LEAVES = 5
_SPINES = 12
_ARMS = 8


def player(skin: Skin, scale: float, *, heading: int, ready: bool) -> Sprite:
    """A frog with a blowpipe: the pipe shows the aim, the spot on its back the dash."""
    colours = skin.player
    girth, tall = player_size(skin)
    angle = angle_of(heading)
    canvas = board(skin, scale, 2.5 * girth, 2.2 * tall)
    _frog_legs(canvas, angle=angle, girth=girth, tall=tall, colour=rgb(colours.trim))
    away = math.sin(angle) < 0.0
    if away:
        _face(canvas, skin, angle=angle, girth=girth, tall=tall)
    body = turned(oval(0.98, 0.8), angle, girth)
    loaf(canvas, body, 0.1 * tall, 0.95 * tall, rgb(colours.body))
    if not away:
        _face(canvas, skin, angle=angle, girth=girth, tall=tall)
    lamp = rgb(colours.ready if ready else colours.cooling)
    x, z = ahead(angle, -0.3 * girth)
    canvas.dome((x, z, 0.85 * tall), 0.44 * girth, 0.3 * tall, lamp)
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if ready:
        canvas.glow((x, z, 1.0 * tall), 0.75 * girth, rgb(colours.ready), 0.5)
    return canvas.finish()


def _frog_legs(canvas: Canvas, *, angle: float, girth: float, tall: float, colour: RGB) -> None:
    for side in (-1.0, 1.0):
        for leg in _FROG_LEGS:
            points = [ahead(angle, x * girth, side * z * girth) for x, z in leg]
            hip, knee, toe = points
            heights = (0.3 * tall, 0.25 * tall, 0.0)
            places = [
                (*point, height) for point, height in zip((hip, knee, toe), heights, strict=True)
            ]
            canvas.bar(places[0], places[1], widths=(0.5 * girth, 0.36 * girth), colour=colour)
            canvas.bar(places[1], places[2], widths=(0.32 * girth, 0.42 * girth), colour=colour)


def _face(canvas: Canvas, skin: Skin, *, angle: float, girth: float, tall: float) -> None:
    """Two bulging eyes and the pipe between them, the nearer of both in front."""
    if math.sin(angle) < 0.0:
        _pipe(canvas, skin, angle=angle, girth=girth, tall=tall)
    colours = skin.player
    eyes = [ahead(angle, 0.55 * girth, side * 0.52 * girth) for side in (-1.0, 1.0)]
    pupil_x, pupil_z = ahead(angle, 0.1 * girth)
    for x, z in sorted(eyes, key=lambda eye: eye[1]):
        pod(canvas, (x, z, 0.55 * tall), 0.34 * girth, 0.7 * tall, rgb(colours.body))
        canvas.disc((x, z, 1.18 * tall), 0.26 * girth, rgb(colours.barrel))
        canvas.disc((x + pupil_x, z + pupil_z, 1.2 * tall), 0.14 * girth, rgb(colours.outline))
    if math.sin(angle) >= 0.0:
        _pipe(canvas, skin, angle=angle, girth=girth, tall=tall)


def _pipe(canvas: Canvas, skin: Skin, *, angle: float, girth: float, tall: float) -> None:
    colours, height = skin.player, 0.6 * tall
    start, end = (*ahead(angle, 0.5 * girth), height), (*ahead(angle, 1.95 * girth), height)
    canvas.bar(start, end, widths=(0.5 * girth, 0.56 * girth), colour=rgb(colours.outline))
    canvas.bar(start, end, widths=(0.28 * girth, 0.34 * girth), colour=rgb(colours.barrel))


def swarmer(skin: Skin, scale: float, *, heading: int, step: int) -> Sprite:
    """A slim bug with two wings that beat."""
    colours = skin.swarmer
    girth, tall = enemy_size(skin, SWARMER)
    angle = angle_of(heading)
    canvas = board(skin, scale, 2.1 * girth, 2.0 * tall)
    wing = mix(rgb(colours.glow), WHITE, 0.25)
    for side in (-1.0, 1.0):
        way = angle + side * _WING_ANGLES[step]
        blade = turned(oval(0.72, 0.36), way, girth)
        root_x, root_z = ahead(angle, 0.15 * girth)
        x, z = ahead(way, 0.85 * girth)
        canvas.polygon(moved(blade, root_x + x, root_z + z), 0.55 * tall, wing)
    rings = [(-1.0, 0.3, colours.detail), (-0.6, 0.44, colours.body), (-0.15, 0.5, colours.detail)]
    rings += [(0.3, 0.5, colours.body), (0.85, 0.42, colours.trim)]
    places = [(ahead(angle, along * girth), size, rgb(paint)) for along, size, paint in rings]
    for (x, z), size, paint in sorted(places, key=lambda place: place[0][1]):
        pod(canvas, (x, z, 0.3 * tall), size * girth, 1.6 * size * tall, paint)
    for side in (-1.0, 1.0):
        root = (*ahead(angle, 1.0 * girth, side * 0.2 * girth), 0.8 * tall)
        tip = (*ahead(angle, 1.55 * girth, side * 0.5 * girth), 0.9 * tall)
        canvas.bar(root, tip, widths=(0.12 * girth, 0.2 * girth), colour=rgb(colours.trim))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def shooter(skin: Skin, scale: float, *, heading: int, ready: bool) -> Sprite:
    """A plant with pointed leaves and a snout that spits; its bulb lights up before."""
    colours = skin.shooter
    girth, tall = enemy_size(skin, SHOOTER)
    angle = angle_of(heading)
    canvas = board(skin, scale, 2.5 * girth, 2.4 * tall)
    paint = mix(rgb(colours.body), rgb(colours.glow), 0.85 if ready else 0.0)
    _leaves(canvas, angle=angle, girth=girth, tall=tall, colour=rgb(colours.trim))
    away = math.sin(angle) < 0.0
    if away:
        _snout(canvas, skin, angle=angle, girth=girth, tall=tall, paint=paint)
    pod(canvas, (0, 0, 0.3 * tall), 0.72 * girth, 1.3 * tall, paint, gloss=skin.shape.gloss)
    if not away:
        _snout(canvas, skin, angle=angle, girth=girth, tall=tall, paint=paint)
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def _leaves(canvas: Canvas, *, angle: float, girth: float, tall: float, colour: RGB) -> None:
    ways = [angle + math.tau * (leaf + 0.5) / _LEAVES for leaf in range(_LEAVES)]
    for way in sorted(ways, key=math.sin):
        leaf = ((0.2, -0.3), (0.85, -0.42), (1.5, 0.0), (0.85, 0.42), (0.2, 0.3))
        canvas.polygon(
            turned(leaf, way, girth), 0.12 * tall, lit(colour, 0.9 - 0.15 * math.cos(way))
        )
        rib = [(*ahead(way, along * girth), 0.14 * tall) for along in (0.4, 1.3)]
        canvas.bar(rib[0], rib[1], widths=(0.1 * girth, 0.06 * girth), colour=lit(colour, 1.3))


def _snout(
    canvas: Canvas, skin: Skin, *, angle: float, girth: float, tall: float, paint: RGB
) -> None:
    height = 0.9 * tall
    start, lips, end = ((*ahead(angle, along * girth), height) for along in (0.3, 1.45, 1.75))
    canvas.bar(start, lips, widths=(0.7 * girth, 0.4 * girth), colour=paint)
    canvas.bar(lips, end, widths=(0.66 * girth, 0.72 * girth), colour=rgb(skin.shooter.glow))
    canvas.ball(end, 0.2 * girth, rgb(skin.shooter.detail))


def charger(skin: Skin, scale: float, *, heading: int, phase: int) -> Sprite:
    """A beetle with a forked horn: hot before and in its charge, grey while stunned."""
    colours = skin.charger
    girth, tall = enemy_size(skin, CHARGER)
    angle = angle_of(heading)
    canvas = board(skin, scale, 3.6 * girth, 2.2 * tall)
    paint, trim = charger_paint(skin, phase)
    _beetle_legs(
        canvas, angle=angle, girth=girth, tall=tall, spread=phase == STUNNED, colour=lit(trim, 0.7)
    )
    away = math.sin(angle) < 0.0
    if away:
        _head(canvas, angle=angle, girth=girth, tall=tall, paints=(trim, rgb(colours.detail)))
    shell = moved(turned(oval(0.98, 0.82), angle, girth), *ahead(angle, -0.2 * girth))
    loaf(canvas, shell, 0.1 * tall, 1.1 * tall, paint)
    seam = [
        (*ahead(angle, along * girth), rise * tall)
        for along, rise in ((0.45, 1.0), (-0.2, 1.22), (-0.95, 0.85))
    ]
    for start, end in itertools.pairwise(seam):
        canvas.bar(start, end, widths=(0.14 * girth, 0.14 * girth), colour=lit(trim, 0.6))
    if not away:
        _head(canvas, angle=angle, girth=girth, tall=tall, paints=(trim, rgb(colours.detail)))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if phase == 1:
        canvas.glow((0, 0, 0.9 * tall), 1.9 * girth, rgb(colours.glow), 0.4)
    if phase == 2:
        wake(canvas, angle=angle, girth=girth, colour=rgb(colours.glow))
    return canvas.finish()


def _beetle_legs(
    canvas: Canvas, *, angle: float, girth: float, tall: float, spread: bool, colour: RGB
) -> None:
    stretch = 1.2 if spread else 1.0
    for side in (-1.0, 1.0):
        for (hip_x, hip_z), (toe_x, toe_z) in _BEETLE_LEGS:
            hip = (*ahead(angle, hip_x * girth, side * hip_z * girth), 0.4 * tall)
            toe = (*ahead(angle, toe_x * girth, side * stretch * toe_z * girth), 0.0)
            canvas.bar(hip, toe, widths=(0.3 * girth, 0.18 * girth), colour=colour)


def _head(
    canvas: Canvas, *, angle: float, girth: float, tall: float, paints: tuple[RGB, RGB]
) -> None:
    """A round head with one long horn that forks."""
    paint, bright = paints
    x, z = ahead(angle, 0.8 * girth)
    pod(canvas, (x, z, 0.15 * tall), 0.5 * girth, 0.95 * tall, paint)
    height = 0.85 * tall
    root, fork = (*ahead(angle, 0.8 * girth), height), (*ahead(angle, 1.5 * girth), height)
    canvas.bar(root, fork, widths=(0.5 * girth, 0.32 * girth), colour=bright)
    for side in (-1.0, 1.0):
        tip = (*ahead(angle, 2.0 * girth, side * 0.5 * girth), 1.05 * tall)
        canvas.bar(fork, tip, widths=(0.3 * girth, 0.16 * girth), colour=bright)


def splitter(skin: Skin, scale: float, *, step: int) -> Sprite:
    """A wobbling jelly in which three nuclei go round."""
    colours = skin.splitter
    girth, tall = enemy_size(skin, SPLITTER)
    canvas = board(skin, scale, 1.7 * girth, 2.0 * tall)
    turn = math.tau / 3 * step / SPLITTER_STEPS
    rim = [_wobble(corner / 40, turn, girth) for corner in range(40)]
    loaf(canvas, rim, 0.0, 0.55 * tall, rgb(colours.body))
    inner = [(0.78 * x, 0.78 * z) for x, z in rim]
    canvas.polygon(inner, 0.42 * tall, mix(rgb(colours.body), rgb(colours.glow), 0.5))
    for x, z in sorted(regular(3, 0.48 * girth, turn), key=lambda place: place[1]):
        canvas.disc((x, z, 0.42 * tall), 0.3 * girth, rgb(colours.trim))
        canvas.disc((x, z, 0.48 * tall), 0.19 * girth, rgb(colours.detail))
    shine = moved(oval(0.26 * girth, 0.14 * girth), -0.45 * girth, -0.6 * girth)
    canvas.polygon(shine, 0.45 * tall, mix(rgb(colours.glow), WHITE, 0.4 + 0.5 * skin.shape.gloss))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    return canvas.finish()


def _wobble(share: float, turn: float, girth: float) -> tuple[float, float]:
    """A point of the jelly's rim: a circle with six soft bulges that come and go."""
    angle = math.tau * share
    reach = 1.1 + 0.09 * math.sin(6 * angle + 3 * turn) + 0.1 * math.cos(3 * (angle - turn))
    return reach * girth * math.cos(angle), reach * girth * math.sin(angle)


def bomber(skin: Skin, scale: float, *, variant: int) -> Sprite:
    """A spiny puffer fish that swells and blinks once it is lit."""
    colours = skin.bomber
    girth, tall = enemy_size(skin, BOMBER)
    canvas = board(skin, scale, 2.8 * girth, 3.2 * tall)
    swell = (1.0, 1.12, 1.25)[variant]
    paint = rgb(colours.glow) if variant == 2 else rgb(colours.body)
    spine = rgb(colours.trim) if variant < 2 else mix(rgb(colours.detail), WHITE, 0.6)
    radius, height = 0.9 * swell * girth, 1.7 * swell * tall
    tail = [(-0.7, 0.0), (-1.5, -0.5), (-1.3, 0.0), (-1.5, 0.5)]
    canvas.polygon([(x * girth, z * girth) for x, z in tail], 0.5 * height, spine)
    _spines(canvas, radius=radius, height=height, colour=spine, rear=True)
    pod(canvas, (0, 0, 0), radius, height, paint)
    belly = mix(paint, rgb(colours.detail), 0.75)
    canvas.disc((0.2 * radius, 0.5 * radius, 0.42 * height), 0.5 * radius, belly)
    _spines(canvas, radius=radius, height=height, colour=spine, rear=False)
    for across in (-0.3, 0.5):
        x, z = across * radius + 0.1 * girth, 0.3 * radius
        canvas.ball((x, z, 0.85 * height), 0.22 * girth, mix(rgb(colours.detail), WHITE, 0.7))
        canvas.ball((x + 0.03, z + 0.03, 0.85 * height), 0.11 * girth, rgb(colours.outline))
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if variant > 0:
        canvas.glow((0, 0, height), 0.9 * girth, rgb(colours.glow), 0.5)
    if variant == 2:
        canvas.glow((0, 0, tall), 2.3 * girth, rgb(colours.glow), 0.45)
    return canvas.finish()


def _spines(canvas: Canvas, *, radius: float, height: float, colour: RGB, rear: bool) -> None:
    """Spines all round a ball: those behind it, or those before it and on top."""
    for spine in range(_SPINES):
        way = math.tau * (spine + 0.5) / _SPINES
        if (math.sin(way) < 0.0) != rear:
            continue
        foot = (*ahead(way, 0.85 * radius), 0.5 * height)
        tip = (*ahead(way, 1.5 * radius), 0.55 * height)
        canvas.bar(foot, tip, widths=(0.34 * radius, 0.06 * radius), colour=colour)


def sentinel(skin: Skin, scale: float, *, variant: int) -> Sprite:
    """An octopus whose brow swells with light before it fires."""
    colours = skin.sentinel
    girth, tall = enemy_size(skin, SENTINEL)
    canvas = board(skin, scale, 2.2 * girth, 2.6 * tall)
    ways = [math.tau * (arm + 0.5) / _ARMS for arm in range(_ARMS)]
    for way in sorted(ways, key=math.sin):
        _arm(
            canvas, way=way, girth=girth, tall=tall, paints=(rgb(colours.trim), rgb(colours.detail))
        )
    pod(
        canvas,
        (0, 0, 0.2 * tall),
        0.86 * girth,
        1.5 * tall,
        rgb(colours.body),
        gloss=skin.shape.gloss,
    )
    charge = sentinel_charge(variant)
    core = mix(rgb(colours.detail), rgb(colours.glow), charge)
    canvas.dome((0, 0, 1.4 * tall), (0.34 + 0.24 * charge) * girth, 0.4 * tall, core)
    _eyes(
        canvas,
        [(-0.36 * girth, 0.62 * girth), (0.36 * girth, 0.62 * girth)],
        0.85 * tall,
        0.2 * girth,
        skin,
    )
    canvas.edge(skin.shape.outline, rgb(colours.outline))
    if variant > 0:
        reach = (1.0 + 0.7 * charge) * girth
        canvas.glow((0, 0, 1.6 * tall), reach, rgb(colours.glow), 0.3 + 0.45 * charge)
    return canvas.finish()


def _arm(canvas: Canvas, *, way: float, girth: float, tall: float, paints: tuple[RGB, RGB]) -> None:
    """A tentacle that curls at its end, with its suckers."""
    paint, sucker = paints
    curl = ((0.5, 0.0), (0.95, 0.1), (1.2, -0.1), (1.26, -0.36))
    points = [(*ahead(way, x * girth, z * girth), 0.25 * tall * (1.5 - x)) for x, z in curl]
    widths = [size * girth for size in (0.46, 0.36, 0.26, 0.16)]
    for index in range(3):
        canvas.bar(
            points[index],
            points[index + 1],
            widths=(widths[index], widths[index + 1]),
            colour=paint,
        )
    for x, z, height in points[1:3]:
        canvas.disc((x, z, height), 0.09 * girth, sucker)


def _eyes(
    canvas: Canvas, places: Sequence[tuple[float, float]], height: float, radius: float, skin: Skin
) -> None:
    colours = skin.sentinel
    for x, z in places:
        canvas.ball((x, z, height), radius, mix(rgb(colours.glow), WHITE, 0.5))
        canvas.ball((x, z + 0.3 * radius, height), 0.5 * radius, rgb(colours.outline))
