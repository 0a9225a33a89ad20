"""A drawing board for one sprite: solids in metres, seen by the camera, smoothed at the end.

Points are (x, z, height) about the sprite's place on the floor. Light falls from the left
and from behind, so tops are lit, fronts are darker and right-hand sides darkest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pygame
from numpy.typing import NDArray

from arena_breaker_gym.rendering.camera import FORESHORTENING, RISE
from arena_breaker_gym.rendering.skins import Finish

RGB = tuple[int, int, int]

WHITE: RGB = (255, 255, 255)
BLACK: RGB = (0, 0, 0)

Outline = Sequence[tuple[float, float]]  # corners (x, z) on the floor
Place = tuple[float, float, float]  # x, z, height

_FINE = 56.0  # fine pixels a metre that drawing aims at
_FRONT_LIGHT, _SIDE_LIGHT = 0.72, 0.2  # light on a front; how much more on a left-hand side
_GLOW_STEPS = 14

_HALO_REACH = 3  # finished pixels, at the scale of a standard frame
_STANDARD_SCALE = 12.0  # pixels per metre of such a frame
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
# A 4 × 4 ordered-dither matrix (Bayer, 1973), as thresholds between 0 and 1.
_BAYER = (
    np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) + 0.5
) / 16.0


def rgb(text: str) -> RGB:
    """The numbers of a colour written `#rrggbb`."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """The first colour with that share (0 to 1) of the second in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def lit(colour: RGB, light: float) -> RGB:
    """A colour under more light (above 1, white from 2 on) or less (below 1, black at 0)."""
    if light > 1.0:
        return mix(colour, WHITE, min(light - 1.0, 1.0))
    return mix(BLACK, colour, max(light, 0.0))


@dataclass(frozen=True)
class Sprite:
    """A finished picture.

    Attributes:
        pixels: (height, width, 4) uint8, RGBA with the colours already multiplied by alpha.
        anchor_x: Column of the sprite's place on the floor, in pixels from the left edge.
        anchor_y: Row of it, from the top edge.
    """

    pixels: NDArray[np.uint8]
    anchor_x: int
    anchor_y: int


class Canvas:
    """A fine surface about one place on the floor, of which `finish` makes a sprite."""

    def __init__(self, scale: float, *, reach: float, height: float = 0.0) -> None:
        """Makes an empty canvas.

        Args:
            scale: Pixels per metre of the finished sprite.
            reach: Metres along x and z that the drawing may extend from its place.
            height: Metres it may rise.
        """
        self.factor = min(8, max(3, round(_FINE / scale)))
        self.unit = scale * self.factor
        self._left = math.ceil(reach * scale) + 2
        self._up = math.ceil((reach * FORESHORTENING + height * RISE) * scale) + 2
        down = math.ceil(reach * FORESHORTENING * scale) + 2
        size = (2 * self._left * self.factor, (self._up + down) * self.factor)
        self.surface = pygame.Surface(size, pygame.SRCALPHA)
        self._used = pygame.Rect(0, 0, 0, 0)  # what is drawn so far lies in here

    def at(self, x: float, z: float, height: float = 0.0) -> tuple[float, float]:
        """Column and row, in fine pixels, of a point in metres."""
        row = self._up * self.factor + self.unit * (FORESHORTENING * z - RISE * height)
        return self._left * self.factor + self.unit * x, row

    def polygon(self, outline: Outline, height: float, colour: RGB) -> None:
        """A flat shape lying at that height."""
        self._fill(colour, [self.at(x, z, height) for x, z in outline])

    def prism(self, outline: Outline, base: float, top: float, *, side: RGB, lid: RGB) -> None:
        """An upright solid: its sides, lit by where they face, then its lid."""
        turn = 1.0 if _area(outline) > 0 else -1.0
        edges = list(zip(outline, [*outline[1:], outline[0]], strict=True))
        for (x0, z0), (x1, z1) in sorted(edges, key=lambda edge: edge[0][1] + edge[1][1]):
            length = math.hypot(x1 - x0, z1 - z0)
            if length == 0.0 or turn * (x0 - x1) <= 0.0:
                continue  # it faces away
            light = _FRONT_LIGHT - _SIDE_LIGHT * turn * (z1 - z0) / length
            corners = ((x0, z0, base), (x1, z1, base), (x1, z1, top), (x0, z0, top))
            points = [self.at(*corner) for corner in corners]
            self._fill(lit(side, light), points)
        self.polygon(outline, top, lid)

    def disc(self, place: Place, radius: float, colour: RGB) -> None:
        """A flat round shape."""
        self._use(pygame.draw.ellipse(self.surface, colour, self._box(place, radius)))

    def ball(self, place: Place, radius: float, colour: RGB) -> None:
        """A round shape that is as round from every side."""
        self._round(colour, self.at(*place), radius * self.unit)

    def ring(self, place: Place, radius: float, width: float, colour: RGB) -> None:
        """A flat ring whose outer edge has that radius."""
        line = max(1, round(width * self.unit))
        self._use(pygame.draw.ellipse(self.surface, colour, self._box(place, radius), line))

    def dome(
        self, place: Place, radius: float, height: float, colour: RGB, *, gloss: float = 0.0
    ) -> None:
        """A round body on that place, darker at its foot, with a spot of light on top."""
        x, z, base = place
        layers = max(4, round(height * RISE * self.unit))
        for layer in range(layers):
            share = layer / layers
            light = 0.66 + 0.38 * share
            girth = radius * math.sqrt(1.0 - share * share)
            self.disc((x, z, base + height * share), girth, lit(colour, light))
        if gloss > 0.0:
            spot = (x - 0.3 * radius, z - 0.25 * radius, base + 0.8 * height)
            self.disc(spot, 0.3 * radius, mix(colour, WHITE, gloss))

    def cone(self, place: Place, radius: float, height: float, colour: RGB, tip: RGB) -> None:
        """A spike: its left half lit, its right half dark, a bright tip."""
        x, z, base = place
        left, right = self.at(x - radius, z, base), self.at(x + radius, z, base)
        foot, peak = self.at(x, z + 0.6 * radius, base), self.at(x, z, base + height)
        self.disc(place, radius, lit(colour, 0.55))
        self._fill(lit(colour, 0.62), [foot, right, peak])
        self._fill(colour, [left, foot, peak])
        near_tip = [_between(peak, corner, 0.3) for corner in (left, foot, right)]
        self._fill(tip, [peak, *near_tip])

    def bar(self, start: Place, end: Place, *, widths: tuple[float, float], colour: RGB) -> None:
        """A straight limb from one place to another, as wide as given at its two ends."""
        (x0, y0), (x1, y1) = self.at(*start), self.at(*end)
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        across = (-(y1 - y0) / length, (x1 - x0) / length)
        half0, half1 = (0.5 * width * self.unit for width in widths)
        self._round(lit(colour, 0.8), (x0, y0), half0)
        self._round(colour, (x1, y1), half1)
        corners = [(x0, y0, half0), (x1, y1, half1), (x1, y1, -half1), (x0, y0, -half0)]
        points = [(x + across[0] * half, y + across[1] * half) for x, y, half in corners]
        self._fill(colour, points)

    def glow(self, place: Place, radius: float, colour: RGB, strength: float) -> None:
        """Soft light about a place: strongest in the middle, nothing at the radius."""
        whole = self._box(place, radius)
        layer = pygame.Surface(whole.size, pygame.SRCALPHA)
        for step in range(_GLOW_STEPS):
            share = (step + 1) / _GLOW_STEPS
            alpha = round(255 * strength * share * share)
            box = self._box(place, radius * (1.0 - step / _GLOW_STEPS))
            pygame.draw.ellipse(layer, (*colour, alpha), box.move(-whole.left, -whole.top))
        self._use(self.surface.blit(layer, whole))

    def edge(self, width: float, colour: RGB) -> None:
        """Puts a line of that width, metres, about all that is drawn so far."""
        if width <= 0.0:
            return
        # At least half a finished pixel, so that small figures keep their edge.
        away = max(width * self.unit, 0.5 * self.factor)
        margin = 2 * math.ceil(away) + 2
        room = self._used.inflate(margin, margin).clip(self.surface.get_rect())
        figure = self.surface.subsurface(room).copy()
        mask = pygame.mask.from_surface(figure, 100)
        silhouette = mask.to_surface(setcolor=(*colour, 255), unsetcolor=(0, 0, 0, 0))
        for step in range(12):
            angle = step * math.tau / 12
            place = room.move(round(away * math.cos(angle)), round(away * math.sin(angle)))
            self.surface.blit(silhouette, place)
        self.surface.blit(figure, room)
        self._used = room

    def fade(self, alpha: float) -> None:
        """Makes all that is drawn so far translucent: 0 gone, 1 as it is."""
        shade = (255, 255, 255, round(255 * alpha))
        self.surface.fill(shade, self._used, special_flags=pygame.BLEND_RGBA_MULT)

    def finish(self) -> Sprite:
        """Averages the fine pixels down to a sprite, cut to what is drawn."""
        factor = self.factor
        used = self._used.clip(self.surface.get_rect())
        left, top = used.left // factor, used.top // factor
        right, bottom = -(-used.right // factor), -(-used.bottom // factor)
        part = (left * factor, top * factor, (right - left) * factor, (bottom - top) * factor)
        fine = _premultiplied(self.surface.subsurface(part))
        rows = fine.reshape(bottom - top, factor, -1).sum(axis=1)
        blocks = rows.reshape(bottom - top, right - left, factor, 4).sum(axis=2)
        pixels = np.rint(blocks / factor**2).astype(np.uint8)
        return Sprite(pixels, self._left - left, self._up - top)

    def _fill(self, colour: RGB, points: Sequence[tuple[float, float]]) -> None:
        self._use(pygame.draw.polygon(self.surface, colour, points))

    def _round(self, colour: RGB, middle: tuple[float, float], radius: float) -> None:
        self._use(pygame.draw.circle(self.surface, colour, middle, radius))

    def _use(self, drawn: pygame.Rect) -> None:
        self._used = self._used.union(drawn) if self._used.width else drawn

    def _box(self, place: Place, radius: float) -> pygame.Rect:
        x, y = self.at(*place)
        across, along = radius * self.unit, radius * self.unit * FORESHORTENING
        left, top = round(x - across), round(y - along)
        return pygame.Rect(
            left, top, max(1, round(x + across) - left), max(1, round(y + along) - top)
        )


def turned(outline: Outline, angle: float, size: float = 1.0) -> list[tuple[float, float]]:
    """An outline, scaled, then turned from +x towards +z."""
    cos, sin = size * math.cos(angle), size * math.sin(angle)
    return [(x * cos - z * sin, x * sin + z * cos) for x, z in outline]


def regular(corners: int, radius: float, angle: float = 0.0) -> list[tuple[float, float]]:
    """A regular outline about the origin, its first corner at that angle."""
    steps = [angle + math.tau * corner / corners for corner in range(corners)]
    return [(radius * math.cos(step), radius * math.sin(step)) for step in steps]


def _area(outline: Outline) -> float:
    following = [*outline[1:], outline[0]]
    pairs = zip(outline, following, strict=True)
    return 0.5 * sum(x0 * z1 - x1 * z0 for (x0, z0), (x1, z1) in pairs)


def _between(
    start: tuple[float, float], end: tuple[float, float], share: float
) -> tuple[float, float]:
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _premultiplied(surface: pygame.Surface) -> NDArray[np.float32]:
    raw = np.frombuffer(pygame.image.tobytes(surface, "RGBA"), np.uint8)
    pixels = raw.reshape(surface.get_height(), surface.get_width(), 4).astype(np.float32)
    pixels[..., :3] *= pixels[..., 3:] / 255.0
    return pixels


def finished_ground(picture: NDArray[np.uint8], finish: Finish) -> NDArray[np.uint8]:
    """A backdrop's picture, (size, size, 3) uint8, finished."""
    values = picture.astype(np.float32)
    if finish.grain > 0.0:
        noise = np.random.default_rng(0).uniform(-1.0, 1.0, (*picture.shape[:2], 1))
        values *= 1.0 + finish.grain * noise.astype(np.float32)
    if finish.scanlines > 0.0:
        values[::3] *= 1.0 - finish.scanlines
    values = _in_few_colours(_in_blocks(values, finish.block), finish)
    return np.rint(np.clip(values, 0.0, 255.0)).astype(np.uint8)


def finished_sprite(sprite: Sprite, finish: Finish) -> Sprite:
    """A sprite in blocks, in few levels, its soft edges dithered."""
    if finish.block == 1 and not (finish.levels or finish.palette or finish.dither):
        return sprite
    values = _in_blocks(_padded(sprite.pixels, finish.block).astype(np.float32), finish.block)
    alpha = values[..., 3:]
    solid = np.maximum(alpha, 1e-3)
    plain = np.where(alpha > 0.0, 255.0 * values[..., :3] / solid, 0.0).astype(np.float32)
    plain = _in_few_colours(plain, finish)
    if finish.dither:
        alpha = 255.0 * (alpha / 255.0 > _pattern(alpha.shape[:2], finish.block)[..., None])
    pixels = np.concatenate([plain * alpha / 255.0, alpha], axis=-1)
    return Sprite(np.rint(pixels).astype(np.uint8), sprite.anchor_x, sprite.anchor_y)


def haloed(sprite: Sprite, scale: float, finish: Finish) -> Sprite:
    """A sprite with light about it in its own colours.

    Args:
        sprite: A figure.
        scale: Pixels per metre.
        finish: How strong the light is.
    """
    if finish.halo <= 0.0:
        return sprite
    reach = max(2, round(_HALO_REACH * scale / _STANDARD_SCALE))
    figure = np.pad(sprite.pixels, ((reach, reach), (reach, reach), (0, 0))).astype(np.float32)
    light = figure
    for _ in range(2):
        light = _blurred(light, reach)
    light = np.minimum(light * 2.0 * finish.halo, 255.0)
    pixels = figure + light * (1.0 - figure[..., 3:] / 255.0)
    kept = np.rint(np.clip(pixels, 0.0, 255.0)).astype(np.uint8)
    return Sprite(kept, sprite.anchor_x + reach, sprite.anchor_y + reach)


def _blurred(pixels: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Each pixel the mean of the square about it."""
    share = np.float32(1.0 / (2 * reach + 1))
    for axis in (0, 1):
        total = np.zeros_like(pixels)
        for step in range(-reach, reach + 1):
            total += np.roll(pixels, step, axis=axis)
        pixels = total * share
    return pixels


def _padded(pixels: NDArray[np.uint8], block: int) -> NDArray[np.uint8]:
    """Pixels to the right and below, until blocks fit."""
    missing = [(0, -length % block) for length in pixels.shape[:2]]
    return np.pad(pixels, (*missing, (0, 0)))


def _in_blocks(values: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    if block == 1:
        return values
    height, width = values.shape[:2]
    whole = np.pad(values, ((0, -height % block), (0, -width % block), (0, 0)), mode="edge")
    rows, columns = whole.shape[0] // block, whole.shape[1] // block
    means = whole.reshape(rows, block, columns, block, -1).mean(axis=(1, 3))
    coarse: NDArray[np.float32] = means.repeat(block, axis=0).repeat(block, axis=1)
    return coarse[:height, :width]


def _in_few_colours(values: NDArray[np.float32], finish: Finish) -> NDArray[np.float32]:
    """Colours in the skin's palette by their lightness, or each channel in few levels."""
    if finish.palette:
        lightness = values @ _LUMA / 255.0
        place = np.clip(lightness * len(finish.palette), 0, len(finish.palette) - 1)
        inks = np.array([rgb(one) for one in finish.palette], np.float32)
        few: NDArray[np.float32] = inks[place.astype(np.int64)]
        return few
    if finish.levels < 2:
        return values
    step = 255.0 / (finish.levels - 1)
    rounded: NDArray[np.float32] = np.rint(values / step) * step
    return rounded


def _pattern(shape: tuple[int, ...], block: int) -> NDArray[np.float32]:
    """Thresholds for each pixel, the same all over a block."""
    rows, columns = (np.arange(length) // block % 4 for length in shape)
    return _BAYER[rows[:, None], columns[None, :]]
