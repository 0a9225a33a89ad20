"""Draws all sprites of a skin at one scale, in the order of the sheet."""

from collections.abc import Iterator

import numpy as np

from arena_breaker_gym.rendering.art import effects, marks, player, shots
from arena_breaker_gym.rendering.art.canvas import Sprite
from arena_breaker_gym.rendering.art.colours import rgb
from arena_breaker_gym.rendering.art.figures import Figures, figures_of
from arena_breaker_gym.rendering.sheet import (
    BLAST_MARKS,
    BOMBER_VARIANTS,
    BURST_KINDS,
    BURST_STEPS,
    CHARGER_VARIANTS,
    DASH_RINGS,
    ENEMY_SHOT_SPEEDS,
    HEADINGS,
    MUZZLE_FLASHES,
    MUZZLE_GLOWS,
    RING_MARKS,
    SENTINEL_VARIANTS,
    SHADOWS,
    SPLITTER_STEPS,
    STAR_STEPS,
    SWARMER_STEPS,
)
from arena_breaker_gym.rendering.skin import Skin

_FLASHED = 0.85  # share of the flash's colour in an enemy that is hit
_LINES = 60.0  # pixels darker than this are lines, which stay dark the more they are so
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


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
    yield from (marks.body_shadow(skin, scale, kind=kind) for kind in range(SHADOWS))
    for ready in (False, True):
        yield from (figures.player(skin, scale, heading=turn, ready=ready) for turn in turns)
    yield from (player.dash_ring(skin, scale, step=step) for step in range(DASH_RINGS))
    yield player.shell(skin, scale)
    yield from (player.dash(skin, scale, heading=turn) for turn in turns)
    for step in range(MUZZLE_FLASHES):
        yield from (player.muzzle_flash(skin, scale, heading=turn, step=step) for turn in turns)
    yield from (marks.muzzle_glow(skin, scale, step=step) for step in range(MUZZLE_GLOWS))
    yield from (marks.arrow(skin, scale, heading=turn) for turn in turns)
    yield from (marks.blast_mark(skin, scale, step=step) for step in range(BLAST_MARKS))
    yield from (marks.ring_mark(skin, scale, step=step) for step in range(RING_MARKS))
    yield from (marks.stars(skin, scale, step=step) for step in range(STAR_STEPS))
    yield from (shots.shot(skin, scale, heading=turn) for turn in turns)
    for speed in ENEMY_SHOT_SPEEDS:
        yield from (shots.enemy_shot(skin, scale, heading=turn, speed=speed) for turn in turns)
    for kind in range(1, BURST_KINDS + 1):
        yield from (effects.burst(skin, scale, kind=kind, step=step) for step in range(BURST_STEPS))
