"""`EndPanel`: how a game ended, over the window; it knows no game.

Lengths are shares of the arena's side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pygame

from arena_breaker_gym.play import words
from arena_breaker_gym.play.panels import digits
from arena_breaker_gym.play.scores import Score
from arena_breaker_gym.play.words import Keys

SHOWN = 5  # of the best games
_LEFT, _RIGHT = 0.15, 0.85
_ROW = 0.035  # from one of the best games to the next
_COMMAND_LINES = 3


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
        (f"{score.kills} kills", 0.595, "midright"),
        (seconds, 0.68, "midright"),
        (score.day, _RIGHT, "midright"),
    ):
        words.words(surface, text, (x * side, y), height=height, colour=colour, align=align)
