"""Layers for people's eyes: HUD, gamepad and caption, drawn over a copy of a finished frame.

Nothing here is called on the way to `pixels`; a student sees the HUD if one asks for it, and the
others never. HUD and caption are bars as slim as the arena's outer walls, over which they lie, so
that they hide no play. Lengths are points: a frame of 512 pixels or more has 512 of them a side, a
smaller one fewer, so that words in it can still be read.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pygame
from numpy.typing import ArrayLike, NDArray

from arena_breaker_gym.engine.arena import VICTORY
from arena_breaker_gym.engine.player import DASH_COOLDOWN, DASH_THRESHOLD, FIRE_THRESHOLD, HP
from arena_breaker_gym.rendering.art.canvas import RGB, WHITE

Frame = NDArray[np.uint8]

_POINTS = 512
_FEWEST = 0.81  # of those, where a frame has half as many pixels or fewer
_FINE = 3  # fine pixels a pixel: pygame's shapes have no smooth edges of their own
_MARGIN = 8
_HUD_HEIGHT = 26  # our stages' floors begin at 26.6 or below
_CAPTION_HEIGHT = 20  # and end 20 above the frame's end
_LETTERS = 17  # height of a line in both bars
_DARK = 176  # opacity of the bars, 0 to 255
_HEART = 18  # from heart to heart
_BESIDE, _APART = 5, 13  # from a name to its figure, and from there to the next name

_GLASS: RGB = (10, 12, 20)
_INK: RGB = (244, 246, 250)
_FAINT: RGB = (168, 180, 200)
_HOLLOW: RGB = (88, 96, 116)
_GATE: RGB = (24, 28, 40)
_ON_READY: RGB = (8, 20, 28)
_LIFE: RGB = (255, 84, 98)
_READY: RGB = (72, 220, 255)
_COOLING: RGB = (60, 124, 156)
_FIRE: RGB = (255, 184, 60)
_GOLD: RGB = (255, 214, 92)


@dataclass(frozen=True)
class HudState:
    """What the HUD shows.

    Attributes:
        hp: Hit points left; none left shows the defeat.
        max_hp: Hit points at best.
        score: Points so far.
        kills: Enemies killed so far.
        stage: Stage, from 1.
        wave: Wave under way, from 1; 0 before a stage's first.
        dash_ready: Share of the dash's rest that has passed: 0 just dashed, 1 ready.
        victory: Whether the last stage is cleared.
    """

    hp: int
    max_hp: int
    score: int
    kills: int
    stage: int
    wave: int
    dash_ready: float
    victory: bool


def hud_state_of(records: NDArray[np.void], index: int) -> HudState:
    """What the HUD shows of one arena.

    Args:
        records: (n,) of dtype `engine.arena.ARENA`; they are only read.
        index: Which arena.
    """
    arena = records[index]
    return HudState(
        hp=int(arena.player.hp),
        max_hp=HP,
        score=int(arena.statistics.score),
        kills=int(arena.statistics.kills),
        stage=int(arena.stage) + 1,
        wave=int(arena.director.wave) + 1,
        dash_ready=1.0 - int(arena.player.dash_cooldown) / DASH_COOLDOWN,
        victory=bool(arena.outcome == VICTORY),
    )


def draw_hud(frame: Frame, state: HudState) -> Frame:
    """The frame with life, dash, stage, wave, score and kills in a slim bar along its top.

    Args:
        frame: (size, size, 3) uint8, RGB; it stays as it is.
        state: What to show.

    Returns:
        A new frame of the same shape.

    Raises:
        ValueError: If the frame is not a square RGB one.
    """
    size = _side(frame)
    picture, surface = _copied(frame)
    _lay(surface, _hud_bar(size, state), (0, 0))
    if state.victory:
        _lay_banner(surface, _banner(size, "VICTORY", _GOLD))
    elif state.hp <= 0:
        _lay_banner(surface, _banner(size, "DEFEATED", _LIFE))
    return picture


def draw_huds(frames: Frame, states: Sequence[HudState]) -> Frame:
    """Several frames with the HUD of each; see `draw_hud`.

    Args:
        frames: (n, size, size, 3) uint8, RGB; they stay as they are.
        states: What to show, one a frame.

    Returns:
        New frames of the same shape.
    """
    drawn = [draw_hud(frame, state) for frame, state in zip(frames, states, strict=True)]
    return np.stack(drawn) if drawn else frames.copy()


def draw_gamepad(frame: Frame, action: ArrayLike) -> Frame:
    """The frame with the gamepad as the agent holds it, low on the right, above the caption.

    On the left is the move stick, on the right the aim stick; the edge of their gates is length
    1. The ring in the aim stick's gate is the length at which the gun fires: from there on stick
    and ring light up, and so does the dash button when it is pressed.

    Args:
        frame: (size, size, 3) uint8, RGB; it stays as it is.
        action: (5,) move_x, move_z, aim_x, aim_z, dash, as the agent gave it.

    Returns:
        A new frame of the same shape.

    Raises:
        ValueError: If the frame is not a square RGB one or the action not five finite numbers.
    """
    size = _side(frame)
    numbers = np.asarray(action, dtype=np.float64)
    if numbers.shape != (5,) or not np.isfinite(numbers).all():
        raise ValueError(f"An action must be five finite numbers, got {action!r}.")
    panel = _gamepad_panel(size, numbers.tolist())
    picture, surface = _copied(frame)
    margin = _pixels(_MARGIN, size)
    above = margin + _pixels(_CAPTION_HEIGHT, size)
    _lay(surface, panel, (size - margin - panel.get_width(), size - above - panel.get_height()))
    return picture


def draw_caption(frame: Frame, text: str) -> Frame:
    """The frame with a line of words in a slim bar along its bottom.

    Words that are too long for it lose some of their middle.

    Args:
        frame: (size, size, 3) uint8, RGB; it stays as it is.
        text: One line.

    Returns:
        A new frame of the same shape.

    Raises:
        ValueError: If the frame is not a square RGB one.
    """
    size = _side(frame)
    picture, surface = _copied(frame)
    bar = _caption_bar(size, text)
    _lay(surface, bar, (0, size - bar.get_height()))
    return picture


class _Panel:
    """A translucent pane, drawn fine and made smooth by `finish`."""

    def __init__(
        self, size: int, *, width: float | None = None, height: float, corner: int = 0, dark: int
    ) -> None:
        """Makes an empty pane for a frame of that size; `dark`, 0 to 255, is its opacity.

        Without a width it is as wide as the frame.
        """
        self._unit = _FINE * size / _across(size)
        self._pixels = (size if width is None else _pixels(width, size), _pixels(height, size))
        self.width = _across(size) if width is None else width
        fine = (self._pixels[0] * _FINE, self._pixels[1] * _FINE)
        self._surface = pygame.Surface(fine, pygame.SRCALPHA)
        whole = self._surface.get_rect()
        pygame.draw.rect(
            self._surface, (*_GLASS, dark), whole, border_radius=round(corner * self._unit)
        )

    def finish(self) -> pygame.Surface:
        """The pane at the frame's own resolution, its colours multiplied by alpha."""
        return pygame.transform.smoothscale(self._surface.premul_alpha(), self._pixels)

    def words(
        self, text: str, x: float, y: float, *, height: int, colour: RGB, align: str = "left"
    ) -> float:
        """A line of words about the height y, from, about or up to x; returns its width."""
        picture = _line(text, round(height * self._unit)).copy()
        picture.fill((*colour, 255), special_flags=pygame.BLEND_RGBA_MULT)
        at = (round(x * self._unit), round(y * self._unit))
        side = {"left": "midleft", "middle": "center", "right": "midright"}[align]
        self._surface.blit(picture, picture.get_rect(**{side: at}))
        return picture.get_width() / self._unit

    def length_of(self, text: str, height: int) -> float:
        """Of a line of words, in points."""
        return _line(text, round(height * self._unit)).get_width() / self._unit

    def disc(self, x: float, y: float, radius: float, colour: RGB, *, opacity: int = 255) -> None:
        centre = (x * self._unit, y * self._unit)
        pygame.draw.circle(self._surface, (*colour, opacity), centre, radius * self._unit)

    def ring(self, x: float, y: float, radius: float, colour: RGB, *, width: float = 2.0) -> None:
        centre, line = (x * self._unit, y * self._unit), max(_FINE, round(width * self._unit))
        pygame.draw.circle(self._surface, colour, centre, radius * self._unit, line)

    def polygon(self, points: Sequence[tuple[float, float]], colour: RGB) -> None:
        fine = [(x * self._unit, y * self._unit) for x, y in points]
        pygame.draw.polygon(self._surface, colour, fine)

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: RGB) -> None:
        first, last = ((x * self._unit, y * self._unit) for x, y in (start, end))
        pygame.draw.line(self._surface, colour, first, last, round(4 * self._unit))

    def bar(
        self, box: tuple[float, float, float, float], colour: RGB, *, opacity: int = 255
    ) -> None:
        """A bar with round ends: left, top, width, height."""
        fine = pygame.Rect(*(round(length * self._unit) for length in box))
        pygame.draw.rect(self._surface, (*colour, opacity), fine, border_radius=fine.height // 2)


@functools.lru_cache(maxsize=64)
def _hud_bar(size: int, state: HudState) -> pygame.Surface:
    bar = _Panel(size, height=_HUD_HEIGHT, dark=_DARK)
    life = _HEART * state.max_hp
    for place in range(state.max_hp):
        heart = 10 + _HEART * (place + 0.5)
        _heart(bar, heart, 10.5, _LIFE if place < state.hp else _HOLLOW)
    _dash(bar, (11, 19.5, life - 2, 3.5), state.dash_ready)
    figures = [("SCORE", state.score), ("KILLS", state.kills)]
    right = _figures(bar, bar.width - 10, figures)
    course = [("STAGE", state.stage), ("WAVE", state.wave or "–")]
    _figures(bar, (10 + life + right) / 2, course, align="middle")
    return bar.finish()


def _heart(panel: _Panel, x: float, y: float, colour: RGB) -> None:
    for side in (-1, 1):
        panel.disc(x + side * 3.4, y - 2, 3.9, colour)
    panel.polygon([(x - 7, y - 0.2), (x, y + 7), (x + 7, y - 0.2), (x, y - 3.5)], colour)


def _dash(bar: _Panel, box: tuple[float, float, float, float], ready: float) -> None:
    left, top, length, height = box
    share = min(max(ready, 0.0), 1.0)
    bar.bar(box, _HOLLOW)
    if share > 0.0:
        filled = max(length * share, height)
        bar.bar((left, top, filled, height), _READY if share >= 1.0 else _COOLING)


def _figures(
    bar: _Panel, x: float, figures: Sequence[tuple[str, int | str]], *, align: str = "right"
) -> float:
    """Names with their figures in a row, about or up to x; returns where the row begins."""
    pieces = [piece for name, figure in figures for piece in ((name, _FAINT), (str(figure), _INK))]
    gaps = [
        0 if not place else _APART if place % 2 == 0 else _BESIDE for place in range(len(pieces))
    ]
    length = sum(gaps) + sum(bar.length_of(words, _LETTERS) for words, _ in pieces)
    begin = at = x - length * (0.5 if align == "middle" else 1.0)
    for gap, (words, colour) in zip(gaps, pieces, strict=True):
        at += gap
        at += bar.words(words, at, _HUD_HEIGHT / 2 + 0.5, height=_LETTERS, colour=colour)
    return begin


@functools.lru_cache(maxsize=64)
def _banner(size: int, word: str, colour: RGB) -> pygame.Surface:
    panel = _Panel(size, width=340, height=92, corner=14, dark=_DARK)
    panel.words(word, 170, 47, height=58, colour=colour, align="middle")
    return panel.finish()


def _gamepad_panel(size: int, action: Sequence[float]) -> pygame.Surface:
    move_x, move_z, aim_x, aim_z, dash = action
    panel = _Panel(size, width=172, height=64, corner=32, dark=112)
    fires = math.hypot(aim_x, aim_z) >= FIRE_THRESHOLD
    _stick(panel, 32, (move_x, move_z), colour=_READY)
    _stick(panel, 140, (aim_x, aim_z), colour=_FIRE if fires else _INK, fire_ring=True)
    pressed = dash > DASH_THRESHOLD
    panel.bar((65, 21, 42, 22), _READY if pressed else _HOLLOW, opacity=255 if pressed else 200)
    ink = _ON_READY if pressed else _INK
    panel.words("DASH", 86, 32.5, height=_LETTERS, colour=ink, align="middle")
    return panel.finish()


def _stick(
    panel: _Panel, x: float, stick: tuple[float, float], *, colour: RGB, fire_ring: bool = False
) -> None:
    """A stick in its round gate; the gate's edge is length 1, as far as the rules let it go."""
    y, gate = 32.0, 26.0
    panel.disc(x, y, gate + 4.5, _HOLLOW, opacity=220)
    panel.disc(x, y, gate + 3, _GATE, opacity=210)
    across, down = stick
    length = max(math.hypot(across, down), 1.0)
    tip = (x + gate * across / length, y + gate * down / length)
    if fire_ring:
        panel.ring(x, y, gate * FIRE_THRESHOLD + 1, colour if colour == _FIRE else _FAINT)
    panel.disc(x, y, 2, colour)
    panel.line((x, y), tip, colour)
    panel.disc(*tip, 5, colour)


@functools.lru_cache(maxsize=64)
def _caption_bar(size: int, text: str) -> pygame.Surface:
    bar = _Panel(size, height=_CAPTION_HEIGHT, dark=_DARK)
    words = _fitted(text, room=bar.width - 2 * _MARGIN)
    bar.words(words, bar.width / 2, 10.5, height=_LETTERS, colour=_INK, align="middle")
    return bar.finish()


@functools.lru_cache(maxsize=64)
def _fitted(text: str, *, room: float) -> str:
    """The words, or as many from both ends as there is room for, an ellipsis between."""
    whole = " ".join(text.split())
    shown, kept = whole, len(whole)
    while _line(shown, _LETTERS).get_width() > room:
        kept -= 1
        begin, end = whole[: kept - kept // 2], whole[len(whole) - kept // 2 :]
        shown = f"{begin.rstrip()}…{end.lstrip()}"
    return shown


@functools.lru_cache(maxsize=256)
def _line(text: str, height: int) -> pygame.Surface:
    """White words. Pictures are kept, not fonts: those die whenever anyone quits pygame."""
    pygame.font.init()
    return pygame.font.Font(None, max(height, 4)).render(text, True, WHITE)


def _lay(surface: pygame.Surface, panel: pygame.Surface, at: tuple[int, int]) -> None:
    surface.blit(panel, at, None, pygame.BLEND_PREMULTIPLIED)


def _lay_banner(surface: pygame.Surface, banner: pygame.Surface) -> None:
    size = surface.get_width()
    _lay(surface, banner, ((size - banner.get_width()) // 2, round(0.38 * size)))


def _across(size: int) -> float:
    """Points that a frame has a side."""
    return _POINTS * (_FEWEST + (1 - _FEWEST) * min(max(2 * size / _POINTS - 1, 0.0), 1.0))


def _pixels(points: float, size: int) -> int:
    return max(1, round(points * size / _across(size)))


def _side(frame: Frame) -> int:
    shape = frame.shape
    if frame.dtype != np.uint8 or len(shape) != 3 or shape[0] != shape[1] or shape[2] != 3:
        raise ValueError(
            f"A frame must be uint8 of shape (size, size, 3), got {frame.dtype} of shape {shape}."
        )
    return int(shape[0])


def _copied(frame: Frame) -> tuple[Frame, pygame.Surface]:
    """A copy of the frame, and a surface that draws straight into that copy."""
    picture = np.array(frame, order="C")
    size = (picture.shape[1], picture.shape[0])
    return picture, pygame.image.frombuffer(picture.data.cast("B"), size, "RGB")
