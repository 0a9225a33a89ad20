"""Layers for people's eyes: HUD, gamepad and caption, drawn over a copy of a finished frame.

Students never see them: nothing here is called on the way to `pixels`. Lengths are points, of
which a frame of any size has 512 a side.
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
from arena_breaker_gym.rendering.art.colours import RGB, WHITE

Frame = NDArray[np.uint8]

_POINTS = 512
_FINE = 3  # fine pixels a pixel: pygame's shapes have no smooth edges of their own
_MARGIN = 8
_ROW = 44  # height of the HUD's panels
_CAPTION_HEIGHT = 32

_GLASS: RGB = (10, 12, 20)
_INK: RGB = (244, 246, 250)
_FAINT: RGB = (188, 198, 214)
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
        score=int(arena.tally.score),
        kills=int(arena.tally.kills),
        stage=int(arena.stage) + 1,
        wave=int(arena.director.wave) + 1,
        dash_ready=1.0 - int(arena.player.dash_cooldown) / DASH_COOLDOWN,
        victory=bool(arena.outcome == VICTORY),
    )


def draw_hud(frame: Frame, state: HudState) -> Frame:
    """The frame with life, dash, stage, wave, score and kills along its top.

    Args:
        frame: (size, size, 3) uint8, RGB; it stays as it is.
        state: What to show.

    Returns:
        A new frame of the same shape.

    Raises:
        ValueError: If the frame is not a square RGB one.
    """
    size = _side(frame)
    panels = [
        (_life_panel(size, state.hp, state.max_hp, state.dash_ready), "left"),
        (_stage_panel(size, state.stage, state.wave), "middle"),
        (_score_panel(size, state.score, state.kills), "right"),
    ]
    picture, surface = _copied(frame)
    for panel, place in panels:
        _lay(surface, panel, place=place, top=_MARGIN)
    if state.victory:
        _lay(surface, _banner(size, "VICTORY", _GOLD), place="middle", top=0.38 * _POINTS)
    elif state.hp <= 0:
        _lay(surface, _banner(size, "DEFEATED", _LIFE), place="middle", top=0.38 * _POINTS)
    return picture


def draw_gamepad(frame: Frame, action: ArrayLike) -> Frame:
    """The frame with the gamepad as the agent holds it, low on the right, above the caption.

    The ring about the right stick is the length at which the gun fires; beyond it the stick
    lights up, and so does the dash button when it is pressed.

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
    top = _POINTS - _CAPTION_HEIGHT - _MARGIN - panel.get_height() * _POINTS / size
    _lay(surface, panel, place="right", top=top)
    return picture


def draw_caption(frame: Frame, text: str) -> Frame:
    """The frame with a line of words in a bar along its bottom, shortened if it is too long.

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
    _lay(surface, _caption_bar(size, text), place="middle", top=_POINTS - _CAPTION_HEIGHT)
    return picture


class _Panel:
    """A translucent pane, drawn fine and made smooth by `finish`."""

    def __init__(
        self, size: int, *, width: float, height: float, corner: int = 8, dark: int = 196
    ) -> None:
        """Makes an empty pane for a frame of that size; `dark`, 0 to 255, is its opacity."""
        self._unit = _FINE * size / _POINTS
        self._pixels = (_pixels(width, size), _pixels(height, size))
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
    ) -> None:
        """A line of words about the height y, from, about or up to x."""
        picture = _line(text, round(height * self._unit)).copy()
        picture.fill((*colour, 255), special_flags=pygame.BLEND_RGBA_MULT)
        at = (round(x * self._unit), round(y * self._unit))
        side = {"left": "midleft", "middle": "center", "right": "midright"}[align]
        self._surface.blit(picture, picture.get_rect(**{side: at}))

    def disc(self, x: float, y: float, radius: float, colour: RGB) -> None:
        centre = (x * self._unit, y * self._unit)
        pygame.draw.circle(self._surface, colour, centre, radius * self._unit)

    def ring(self, x: float, y: float, radius: float, colour: RGB, *, width: float = 2.0) -> None:
        centre, line = (x * self._unit, y * self._unit), max(_FINE, round(width * self._unit))
        pygame.draw.circle(self._surface, colour, centre, radius * self._unit, line)

    def polygon(self, points: Sequence[tuple[float, float]], colour: RGB) -> None:
        fine = [(x * self._unit, y * self._unit) for x, y in points]
        pygame.draw.polygon(self._surface, colour, fine)

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: RGB) -> None:
        first, last = ((x * self._unit, y * self._unit) for x, y in (start, end))
        pygame.draw.line(self._surface, colour, first, last, round(4 * self._unit))

    def bar(self, box: tuple[float, float, float, float], colour: RGB) -> None:
        """A bar with round ends: left, top, width, height."""
        fine = pygame.Rect(*(round(length * self._unit) for length in box))
        pygame.draw.rect(self._surface, colour, fine, border_radius=fine.height // 2)


@functools.lru_cache(maxsize=64)
def _life_panel(size: int, hp: int, max_hp: int, dash_ready: float) -> pygame.Surface:
    width = max(24 * max_hp + 16, 40)
    panel = _Panel(size, width=width, height=_ROW)
    for place in range(max_hp):
        _heart(panel, 20 + 24 * place, 16, _LIFE if place < hp else _HOLLOW)
    share = min(max(dash_ready, 0.0), 1.0)
    length = width - 20
    panel.bar((10, 31, length, 7), _HOLLOW)
    if share > 0.0:
        panel.bar((10, 31, max(length * share, 7), 7), _READY if share >= 1.0 else _COOLING)
    return panel.finish()


def _heart(panel: _Panel, x: float, y: float, colour: RGB) -> None:
    for side in (-1, 1):
        panel.disc(x + side * 4.8, y - 2.6, 5.4, colour)
    panel.polygon([(x - 9.8, y - 0.2), (x, y + 10), (x + 9.8, y - 0.2), (x, y - 5)], colour)


@functools.lru_cache(maxsize=64)
def _stage_panel(size: int, stage: int, wave: int) -> pygame.Surface:
    return _two_rows(size, [("STAGE", stage), ("WAVE", wave or "–")], width=116)


@functools.lru_cache(maxsize=64)
def _score_panel(size: int, score: int, kills: int) -> pygame.Surface:
    return _two_rows(size, [("SCORE", score), ("KILLS", kills)], width=148)


def _two_rows(size: int, rows: Sequence[tuple[str, int | str]], *, width: float) -> pygame.Surface:
    panel = _Panel(size, width=width, height=_ROW)
    for (name, number), y in zip(rows, (13.5, 32), strict=True):
        panel.words(name, 10, y, height=20, colour=_FAINT)
        panel.words(str(number), width - 10, y, height=22, colour=_INK, align="right")
    return panel.finish()


@functools.lru_cache(maxsize=64)
def _banner(size: int, word: str, colour: RGB) -> pygame.Surface:
    panel = _Panel(size, width=340, height=92, corner=14)
    panel.words(word, 170, 47, height=58, colour=colour, align="middle")
    return panel.finish()


def _gamepad_panel(size: int, action: Sequence[float]) -> pygame.Surface:
    move_x, move_z, aim_x, aim_z, dash = action
    panel = _Panel(size, width=232, height=88, corner=12, dark=140)
    fires = math.hypot(aim_x, aim_z) >= FIRE_THRESHOLD
    _stick(panel, 42, (move_x, move_z), colour=_READY)
    _stick(panel, 190, (aim_x, aim_z), colour=_FIRE if fires else _INK, fire_ring=True)
    pressed = dash > DASH_THRESHOLD
    panel.bar((83, 28, 66, 32), _READY if pressed else _HOLLOW)
    ink = _ON_READY if pressed else _INK
    panel.words("DASH", 116, 44.5, height=19, colour=ink, align="middle")
    return panel.finish()


def _stick(
    panel: _Panel, x: float, stick: tuple[float, float], *, colour: RGB, fire_ring: bool = False
) -> None:
    """A stick in its round gate; the gate's edge is length 1, as far as the rules let it go."""
    y, gate = 44.0, 29.0
    panel.disc(x, y, gate + 7, _HOLLOW)
    panel.disc(x, y, gate + 5, _GATE)
    across, down = stick
    length = max(math.hypot(across, down), 1.0)
    tip = (x + gate * across / length, y + gate * down / length)
    panel.line((x, y), tip, colour)
    if fire_ring:
        panel.ring(x, y, gate * FIRE_THRESHOLD + 1, colour if colour == _FIRE else _FAINT)
    panel.disc(*tip, 5.5, colour)


@functools.lru_cache(maxsize=64)
def _caption_bar(size: int, text: str) -> pygame.Surface:
    bar = _Panel(size, width=_POINTS, height=_CAPTION_HEIGHT, corner=0, dark=216)
    bar.words(_fitted(text), _POINTS / 2, 16.5, height=21, colour=_INK, align="middle")
    return bar.finish()


@functools.lru_cache(maxsize=64)
def _fitted(text: str) -> str:
    """The words, or as many of their letters and an ellipsis as a caption has room for."""
    whole = " ".join(text.split())
    room, letters = _POINTS - 2 * _MARGIN, len(whole)
    shown = whole
    while _line(shown, 21).get_width() > room:
        letters -= 1
        shown = whole[:letters].rstrip() + "…"
    return shown


@functools.lru_cache(maxsize=256)
def _line(text: str, height: int) -> pygame.Surface:
    """White words. Pictures are kept, not fonts: those die whenever anyone quits pygame."""
    pygame.font.init()
    return pygame.font.Font(None, max(height, 4)).render(text, True, WHITE)


def _lay(surface: pygame.Surface, panel: pygame.Surface, *, place: str, top: float) -> None:
    size = surface.get_width()
    free = size - panel.get_width()
    margin = _pixels(_MARGIN, size)
    left = {"left": margin, "middle": free // 2, "right": free - margin}[place]
    surface.blit(panel, (left, round(top * size / _POINTS)), None, pygame.BLEND_PREMULTIPLIED)


def _pixels(points: float, size: int) -> int:
    return max(1, round(points * size / _POINTS))


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
