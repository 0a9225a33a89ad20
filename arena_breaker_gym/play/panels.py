"""Panels over the window: menu, pause, end, help line and crosshair; none of them knows a game.

Lengths are shares of the window's side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pygame

from arena_breaker_gym.play import words
from arena_breaker_gym.play.words import Keys

_HANDS: Keys = (
    ("W A S D  or arrows", "move"),
    ("mouse, left button held", "aim and fire"),
    ("F", "auto-fire at the mouse"),
    ("Space  or right button", "dash"),
)
_GAMEPAD: Keys = (
    ("left stick", "move"),
    ("right stick", "aim and fire"),
    ("A  or right shoulder", "dash"),
)
_HELP: Keys = (
    ("WASD", "move"),
    ("hold mouse", "fire"),
    ("F", "auto-fire"),
    ("Space", "dash"),
    ("P", "pause"),
    ("R", "restart"),
    ("M", "menu"),
)
_HELP_GAMEPAD: Keys = (
    ("left stick", "move"),
    ("right stick", "aim and fire"),
    ("A", "dash"),
    ("Start", "pause"),
    ("Back", "menu"),
)
_CARDS_TOP, _CARDS_GAP, _CARDS_WIDEST = 0.27, 0.03, 0.27


@dataclass(frozen=True)
class Card:
    """A stage as the menu offers it.

    Attributes:
        name: What it is called.
        picture: A square picture of it.
    """

    name: str
    picture: pygame.Surface


def card_places(count: int, side: int) -> list[pygame.Rect]:
    """Where the menu's cards stand, at most five in a row.

    Args:
        count: How many.
        side: Of the window, pixels.
    """
    columns = min(count, 5)
    gap = _CARDS_GAP * side
    wide = min(_CARDS_WIDEST * side, (0.94 * side - (columns - 1) * gap) / columns)
    rows = -(-count // columns)
    tall = min(1.22 * wide, (0.4 * side - (rows - 1) * gap) / rows)
    left = (side - columns * wide - (columns - 1) * gap) / 2
    return [
        pygame.Rect(
            round(left + number % columns * (wide + gap)),
            round(_CARDS_TOP * side + number // columns * (tall + gap)),
            round(wide),
            round(tall),
        )
        for number in range(count)
    ]


def draw_menu(
    surface: pygame.Surface, cards: Sequence[Card], chosen: int, *, side: int, back: bool
) -> None:
    """The choice of a stage, over whatever is there.

    Args:
        surface: The window.
        cards: The stages.
        chosen: The one pointed at, from 1.
        side: Of the window, pixels.
        back: Whether a game waits behind the menu.
    """
    words.dim(surface, pygame.Rect(0, 0, side, side), dark=210)
    _middle(surface, "ARENA BREAKER", 0.105, height=0.105, side=side)
    _middle(surface, "Choose a stage", 0.2, height=0.042, side=side, colour=words.FAINT)
    for number, (card, place) in enumerate(
        zip(cards, card_places(len(cards), side), strict=True), start=1
    ):
        _draw_card(surface, card, number, place, lit=number == chosen)
    height = round(0.032 * side)
    words.key_table(surface, _HANDS, (0.46 * side, 0.665 * side), height=height)
    words.words(
        surface,
        "or a gamepad: left stick, right stick, A or right shoulder; A begins",
        (0.5 * side, 0.665 * side + 1.35 * 4 * height),
        height=height,
        colour=words.FAINT,
        align="center",
    )
    rest: Keys = (("M", "back to the game"),) if back else ()
    digits = _digits(len(cards))
    keys: Keys = ((f"{digits}, click or Enter", "begin"), *rest, ("Q", "quit"))
    _key_row(surface, keys, 0.945, side=side)


def draw_pause(surface: pygame.Surface, *, stages: int, side: int, by_gamepad: bool) -> None:
    """A halt in the midst of play.

    Args:
        surface: The window.
        stages: How many there are.
        side: Of the window, pixels.
        by_gamepad: Whether keys or buttons are named.
    """
    words.dim(surface, pygame.Rect(0, 0, side, side), dark=120)
    words.pane(surface, _centred(side, wide=0.74, tall=0.64))
    _middle(surface, "PAUSED", 0.265, height=0.1, side=side)
    height = round(0.034 * side)
    hands = _GAMEPAD if by_gamepad else _HANDS
    words.key_table(surface, hands, (0.48 * side, 0.365 * side), height=height)
    keys: Keys = (
        ("P", "go on"),
        ("R", "restart"),
        (_digits(stages), "another stage"),
        ("M", "menu"),
        ("Q", "quit"),
    )
    if by_gamepad:
        keys = (("Start", "go on"), ("Y", "restart"), ("Back", "menu"))
    words.key_table(surface, keys, (0.48 * side, 0.58 * side), height=height)


def draw_end(
    surface: pygame.Surface,
    title: str,
    reason: str,
    figures: Sequence[tuple[str, str]],
    note: str,
    *,
    colour: words.RGB,
    stages: int,
    side: int,
    by_gamepad: bool,
) -> None:
    """How a game ended.

    Args:
        surface: The window.
        title: In a word or two.
        reason: In a few words.
        figures: Names and values.
        note: Where it is kept; empty for nothing.
        colour: The title's.
        stages: How many there are.
        side: Of the window, pixels.
        by_gamepad: Whether keys or buttons are named.
    """
    words.dim(surface, pygame.Rect(0, 0, side, side), dark=120)
    words.pane(surface, _centred(side, wide=0.74, tall=0.64), edge=colour)
    _middle(surface, title, 0.265, height=0.1, side=side, colour=colour)
    _middle(surface, reason, 0.34, height=0.038, side=side, colour=words.FAINT)
    for number, (name, value) in enumerate(figures):
        x = (0.27 + 0.23 * (number % 3)) * side
        y = (0.43 + 0.12 * (number // 3)) * side
        words.words(surface, value, (x, y), height=round(0.062 * side), align="center")
        below = (x, y + 0.045 * side)
        words.words(
            surface, name, below, height=round(0.03 * side), colour=words.FAINT, align="center"
        )
    if note:
        _middle(surface, note, 0.68, height=0.032, side=side, colour=words.ACCENT)
    keys: Keys = (("R", "play again"), (_digits(stages), "stage"), ("M", "menu"), ("Q", "quit"))
    if by_gamepad:
        keys = (("A", "play again"), ("Back", "menu"))
    _key_row(surface, keys, 0.755, side=side)


def draw_help(
    surface: pygame.Surface,
    place: pygame.Rect,
    time_left: str,
    *,
    keeps_firing: bool,
    by_gamepad: bool,
    records: bool,
) -> None:
    """The line below the arena: what to press, and how much time is left.

    Args:
        surface: The window.
        place: Where the line is.
        time_left: Minutes and seconds.
        keeps_firing: Whether the gun fires by itself.
        by_gamepad: Whether keys or buttons are named.
        records: Whether episodes are kept.
    """
    height, y = round(0.56 * place.height), place.centery
    margin = 0.35 * place.height
    right = place.right - margin
    clock = words.words(surface, time_left, (right, y), height=height, align="midright")
    left = clock.left - margin
    if records:
        said = words.words(surface, "REC", (left, y), height=height, align="midright")
        pygame.draw.circle(surface, words.RED, (said.left - 0.35 * height, y - 1), 0.24 * height)
        left = said.left - 0.35 * height - margin
    keys = _HELP_GAMEPAD if by_gamepad else _HELP
    if keeps_firing and not by_gamepad:
        keys = tuple(("F", "auto-fire is on") if key == "F" else (key, to) for key, to in keys)
    words.key_line(surface, keys, (margin, y), height=height, room=left - 2 * margin)


def draw_crosshair(surface: pygame.Surface, at: tuple[int, int], *, side: int, fires: bool) -> None:
    """Where the mouse aims."""
    radius = max(6, side // 64)
    colour = words.FIRE if fires else words.INK
    for wide, shade in ((4, words.GLASS), (2, colour)):
        pygame.draw.circle(surface, shade, at, radius + wide // 4, wide)
    pygame.draw.circle(surface, words.GLASS, at, 3)
    pygame.draw.circle(surface, colour, at, 2)


def draw_waiting(surface: pygame.Surface, text: str) -> None:
    """A line on an empty window while nothing can be shown yet."""
    surface.fill(words.GLASS)
    width, tall = surface.get_size()
    height = words.fitted(text, height=round(0.045 * width), room=0.92 * width)
    at = (width / 2, tall / 2)
    words.words(surface, text, at, height=height, colour=words.FAINT, align="center")


def _draw_card(
    surface: pygame.Surface, card: Card, number: int, place: pygame.Rect, *, lit: bool
) -> None:
    words.pane(surface, place, edge=words.ACCENT if lit else words.EDGE)
    margin = max(4, place.width // 24)
    label = round(0.18 * place.height)
    side = min(place.width, place.height - label) - 2 * margin
    picture = pygame.transform.smoothscale(card.picture, (side, side))
    surface.blit(picture, picture.get_rect(midtop=(place.centerx, place.top + margin)))
    text = f"{number}  {card.name}"
    height = words.fitted(text, height=round(0.62 * label), room=place.width - 2 * margin)
    at = (place.centerx, place.bottom - margin / 2 - label / 2)
    colour = words.INK if lit else words.FAINT
    words.words(surface, text, at, height=height, colour=colour, align="center")


def _digits(stages: int) -> str:
    return "  ".join("123"[:stages]) if stages <= 3 else f"1 – {min(stages, 9)}"


def _middle(
    surface: pygame.Surface,
    text: str,
    y: float,
    *,
    height: float,
    side: int,
    colour: words.RGB = words.INK,
) -> None:
    letters = words.fitted(text, height=round(height * side), room=0.7 * side)
    at = (0.5 * side, y * side)
    words.words(surface, text, at, height=letters, colour=colour, align="center")


def _key_row(surface: pygame.Surface, keys: Keys, y: float, *, side: int) -> None:
    height = round(0.034 * side)
    wide = words.width_of(keys, height=height)
    words.key_line(surface, keys, ((side - wide) / 2, y * side), height=height, room=wide)


def _centred(side: int, *, wide: float, tall: float) -> pygame.Rect:
    place = pygame.Rect(0, 0, round(wide * side), round(tall * side))
    place.center = (side // 2, side // 2)
    return place
