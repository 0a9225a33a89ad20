"""Saws and spikes, drawn for the radius that the stage gives them."""

import math

from arena_breaker_gym.rendering.art.canvas import Canvas, Sprite, regular, turned
from arena_breaker_gym.rendering.art.colours import lit, mix, rgb
from arena_breaker_gym.rendering.art.marks import shadow
from arena_breaker_gym.rendering.sheet import SAW_STEPS
from arena_breaker_gym.rendering.skin import Skin

_BLADE_HEIGHT = 0.32  # m above the floor
_SPIKE_HEIGHT = 0.75  # m
_SPIKE_SPACING = 0.42  # m


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
