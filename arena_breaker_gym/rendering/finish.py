"""Finishing: what a skin does to pictures once they are drawn, as a screen or a press would."""

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.rendering.art.canvas import Sprite
from arena_breaker_gym.rendering.art.colours import rgb
from arena_breaker_gym.rendering.skin import Finish

_HALO_REACH = 3  # finished pixels, at the scale of a standard frame
_STANDARD_SCALE = 12.0  # pixels per metre of such a frame
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
# A 4 × 4 ordered-dither matrix (Bayer, 1973), as thresholds between 0 and 1.
_BAYER = (
    np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) + 0.5
) / 16.0


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
