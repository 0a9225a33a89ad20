"""Panels over the window: menu, pause, countdown, help line, crosshair; none knows a game.

Lengths are shares of the arena's side.

Lengths are shares of the arena's side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pygame

from arena_breaker_gym.play import words
from arena_breaker_gym.play.scores import Score
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

SHOWN = 5  # of the best games
_LEFT, _RIGHT = 0.15, 0.85
_ROW = 0.035  # from one of the best games to the next
_COMMAND_LINES = 3


@dataclass(frozen=True)
class Card:
    """A stage as the menu offers it.

    Attributes:
        name: What it is called.
        picture: A square picture of it.
        best: The most points of a game that began there; None: there is none.
    """

    name: str
    picture: pygame.Surface
    best: int | None = None


def card_places(count: int, side: int) -> list[pygame.Rect]:
    """Where the menu's cards stand, at most five in a row.

    Args:
        count: How many.
        side: Of the arena, pixels.
    """
    columns = min(count, 5)
    gap = _CARDS_GAP * side
    wide = min(_CARDS_WIDEST * side, (0.94 * side - (columns - 1) * gap) / columns)
    rows = -(-count // columns)
    tall = min(1.34 * wide, (0.4 * side - (rows - 1) * gap) / rows)
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
    surface: pygame.Surface,
    cards: Sequence[Card],
    chosen: int,
    *,
    side: int,
    back: bool,
    turns: Keys,
) -> None:
    """The choice of a stage, over whatever is there.

    Args:
        surface: The window.
        cards: The stages.
        chosen: The one pointed at, from 1.
        side: Of the arena, pixels.
        back: Whether a game waits behind the menu.
        turns: What else keys turn on and off.
    """
    words.dim(surface, pygame.Rect(0, 0, side, side), dark=210)
    words.middle(surface, "ARENA BREAKER", 0.105, height=0.105, side=side)
    words.middle(surface, "Choose a stage", 0.2, height=0.042, side=side, colour=words.FAINT)
    for number, (card, place) in enumerate(
        zip(cards, card_places(len(cards), side), strict=True), start=1
    ):
        _draw_card(surface, card, number, place, lit=number == chosen)
    height = round(0.032 * side)
    top = 0.7 * side
    words.key_table(surface, _HANDS, (0.46 * side, top), height=height)
    words.words(
        surface,
        "or a gamepad: left stick, right stick, A or right shoulder; A begins",
        (0.5 * side, top + 1.35 * 4 * height),
        height=height,
        colour=words.FAINT,
        align="center",
    )
    rest: Keys = (("M", "back to the game"),) if back else ()
    begin = f"{digits(len(cards))}, click or Enter"
    keys: Keys = ((begin, "begin"), *rest, *turns, ("Q", "quit"))
    words.key_row(surface, keys, 0.955, side=side, room=0.94)


def draw_pause(
    surface: pygame.Surface, *, stages: int, side: int, by_gamepad: bool, turns: Keys
) -> None:
    """A halt in the middle of play.

    Args:
        surface: The window.
        stages: How many there are.
        side: Of the arena, pixels.
        by_gamepad: Whether keys or buttons are named.
        turns: What else keys turn on and off.
    """
    words.dim(surface, pygame.Rect(0, 0, side, side), dark=120)
    place = pygame.Rect(0, 0, round(0.74 * side), round(0.72 * side))
    place.center = (side // 2, side // 2)
    words.pane(surface, place)
    words.middle(surface, "PAUSED", 0.225, height=0.1, side=side)
    height = round(0.034 * side)
    hands = _GAMEPAD if by_gamepad else _HANDS
    words.key_table(surface, hands, (0.48 * side, 0.325 * side), height=height)
    keys: Keys = (
        ("P", "go on"),
        ("R", "restart"),
        (digits(stages), "another stage"),
        ("M", "menu"),
        *turns,
        ("Q", "quit"),
    )
    if by_gamepad:
        keys = (("Start", "go on"), ("Y", "restart"), ("Back", "menu"), *turns)
    words.key_table(surface, keys, (0.48 * side, 0.535 * side), height=height)


def draw_help(
    surface: pygame.Surface,
    place: pygame.Rect,
    clock: str,
    *,
    keeps_firing: bool,
    by_gamepad: bool,
    records: bool,
) -> None:
    """The line below the arena: what to press, and the time.

    Args:
        surface: The window.
        place: Where the line is.
        clock: Minutes and seconds, played or left.
        keeps_firing: Whether the gun fires by itself.
        by_gamepad: Whether keys or buttons are named.
        records: Whether episodes are kept.
    """
    height, y = round(0.56 * place.height), place.centery
    margin = 0.35 * place.height
    right = place.right - margin
    left = words.words(surface, clock, (right, y), height=height, align="midright").left - margin
    if records:
        said = words.words(surface, "REC", (left, y), height=height, align="midright")
        pygame.draw.circle(surface, words.RED, (said.left - 0.35 * height, y - 1), 0.24 * height)
        left = said.left - 0.35 * height - margin
    keys = _HELP_GAMEPAD if by_gamepad else _HELP
    if keeps_firing and not by_gamepad:
        keys = tuple(("F", "auto-fire is on") if key == "F" else (key, to) for key, to in keys)
    words.key_line(surface, keys, (margin, y), height=height, room=left - 2 * margin)


def draw_line(surface: pygame.Surface, place: pygame.Rect, text: str) -> None:
    """Words in the line below the arena, where no keys need to stand."""
    height = words.fitted(text, height=round(0.56 * place.height), room=0.96 * place.width)
    words.words(surface, text, place.center, height=height, colour=words.ACCENT, align="center")


def draw_crosshair(surface: pygame.Surface, at: tuple[int, int], *, side: int, fires: bool) -> None:
    """Where the mouse aims."""
    radius = max(6, side // 64)
    colour = words.FIRE if fires else words.INK
    for wide, shade in ((4, words.GLASS), (2, colour)):
        pygame.draw.circle(surface, shade, at, radius + wide // 4, wide)
    pygame.draw.circle(surface, words.GLASS, at, 3)
    pygame.draw.circle(surface, colour, at, 2)


def draw_countdown(
    surface: pygame.Surface, count: int, stage: str, *, side: int, by_gamepad: bool
) -> None:
    """The seconds before a game's first step, over the arena as it stands.

    Args:
        surface: The window.
        count: Seconds left.
        stage: What the stage is called.
        side: Of the arena, pixels.
        by_gamepad: Whether keys or buttons are named.
    """
    place = pygame.Rect(0, 0, round(0.5 * side), round(0.3 * side))
    place.center = (side // 2, round(0.27 * side))
    words.pane(surface, place)
    words.middle(surface, stage, 0.165, height=0.045, side=side, colour=words.FAINT, room=0.44)
    words.middle(surface, str(count), 0.275, height=0.2, side=side, colour=words.ACCENT)
    keys: Keys = (("A" if by_gamepad else "Space  or Enter", "begins at once"),)
    words.key_row(surface, keys, 0.39, side=side, room=0.44)


def _draw_card(
    surface: pygame.Surface, card: Card, number: int, place: pygame.Rect, *, lit: bool
) -> None:
    words.pane(surface, place, edge=words.ACCENT if lit else words.EDGE)
    margin = max(4, place.width // 24)
    label = round(0.15 * place.height)
    below = round(1.65 * label)
    side = min(place.width, place.height - below) - 2 * margin
    picture = pygame.transform.smoothscale(card.picture, (side, side))
    surface.blit(picture, picture.get_rect(midtop=(place.centerx, place.top + margin)))
    text = f"{number}  {card.name}"
    height = words.fitted(text, height=round(0.62 * label), room=place.width - 2 * margin)
    at = (place.centerx, place.bottom - margin / 2 - below + label / 2)
    colour = words.INK if lit else words.FAINT
    words.words(surface, text, at, height=height, colour=colour, align="center")
    said = "not played yet" if card.best is None else f"best {card.best}"
    colour = words.FAINT if card.best is None else words.GOLD
    at = (place.centerx, place.bottom - margin - label / 3)
    words.words(surface, said, at, height=round(0.8 * height), colour=colour, align="center")


def digits(stages: int) -> str:
    """The keys that choose among so many stages."""
    return "  ".join("123"[:stages]) if stages <= 3 else f"1 – {min(stages, 9)}"


@dataclass(frozen=True, kw_only=True)
class EndPanel:
    """What there is to be said of a game's end.

    Attributes:
        title: In a word or two.
        colour: The title's.
        reason: In a few words.
        figures: Names and values, six.
        best: The best games of this kind, best first.
        place: This game's place among them, from 1; None: it has none.
        command: What makes a film of it; empty if nothing can.
        clip: How the film stands; empty if none was asked for.
        note: Where the game is kept, or what went wrong; empty for nothing.
        stages: How many there are.
        by_gamepad: Whether keys or buttons are named.
    """

    title: str
    colour: words.RGB
    reason: str
    figures: Sequence[tuple[str, str]]
    best: Sequence[Score]
    place: int | None
    command: str
    clip: str
    note: str
    stages: int
    by_gamepad: bool

    def draw(self, surface: pygame.Surface, side: int) -> None:
        """Draws it over an arena of some side, pixels."""
        words.dim(surface, pygame.Rect(0, 0, side, side), dark=120)
        pane = pygame.Rect(0, 0, round(0.78 * side), round(0.86 * side))
        pane.center = (side // 2, side // 2)
        words.pane(surface, pane, edge=self.colour)
        words.middle(surface, self.title, 0.145, height=0.1, side=side, colour=self.colour)
        words.middle(surface, self.reason, 0.213, height=0.036, side=side, colour=words.FAINT)
        self._draw_figures(surface, side)
        self._draw_best(surface, side)
        self._draw_film(surface, side)
        keys: Keys = (("R", "again"), (digits(self.stages), "stage"), ("M", "menu"), ("Q", "quit"))
        if self.by_gamepad:
            keys = (("A", "again"), ("Back", "menu"))
        words.key_row(surface, keys, 0.89, side=side, room=0.7)

    def _draw_figures(self, surface: pygame.Surface, side: int) -> None:
        for number, (name, value) in enumerate(self.figures):
            x = (0.27 + 0.23 * (number % 3)) * side
            y = (0.278 + 0.098 * (number // 3)) * side
            words.words(surface, value, (x, y), height=round(0.056 * side), align="center")
            below = (x, y + 0.041 * side)
            height = round(0.029 * side)
            words.words(surface, name, below, height=height, colour=words.FAINT, align="center")

    def _draw_best(self, surface: pygame.Surface, side: int) -> None:
        """The first of the best games; one that stands below them takes the last row."""
        if not self.best:
            return
        words.middle(
            surface,
            "BEST GAMES FROM THIS STAGE",
            0.485,
            height=0.027,
            side=side,
            colour=words.FAINT,
        )
        shown = list(enumerate(self.best[:SHOWN], start=1))
        if self.place is not None and self.place > SHOWN:
            shown[-1] = (self.place, self.best[self.place - 1])
        for row, (place, score) in enumerate(shown):
            y = (0.523 + _ROW * row) * side
            _draw_row(surface, place, score, y, side, lit=place == self.place)

    def _draw_film(self, surface: pygame.Surface, side: int) -> None:
        """The note, how the film stands, and the command that makes it."""
        height, room = round(0.028 * side), (_RIGHT - _LEFT) * side
        y = 0.725
        if self.note:
            words.middle(surface, self.note, y, height=0.028, side=side, colour=words.ACCENT)
            y += 0.034
        if not self.command:
            return
        if self.clip:
            lines, colour = words.wrapped(self.clip, height=height, room=room), words.ACCENT
        else:
            keys: Keys = (("C", "makes a clip of this game, or in a terminal:"),)
            words.key_line(surface, keys, (_LEFT * side, y * side), height=height, room=room)
            y += 0.034
            lines, colour = words.wrapped(self.command, height=height, room=room), words.INK
        for line in lines[:_COMMAND_LINES]:
            at = (_LEFT * side, y * side)
            words.words(surface, line, at, height=height, colour=colour)
            y += 0.034


def _draw_row(
    surface: pygame.Surface, place: int, score: Score, y: float, side: int, *, lit: bool
) -> None:
    """A line of the list: place, name, points, kills, time and day."""
    height, colour = round(0.03 * side), words.GOLD if lit else words.INK
    seconds = f"{score.seconds // 60}:{score.seconds % 60:02d}"
    name = score.name
    while len(name) > 1 and words.fitted(name, height=height, room=0.17 * side) < height:
        name = f"{name[:-2].rstrip()}…" if name.endswith("…") else f"{name[:-1]}…"
    for text, x, align in (
        (f"{place}", _LEFT + 0.03, "midright"),
        (name, _LEFT + 0.05, "midleft"),
        (f"{score.score}", 0.46, "midright"),
        (f"{score.kills} kill{'' if score.kills == 1 else 's'}", 0.595, "midright"),
        (seconds, 0.68, "midright"),
        (score.day, _RIGHT, "midright"),
    ):
        words.words(surface, text, (x * side, y), height=height, colour=colour, align=align)
