"""Words, keys with their meanings, and panes: what all panels are made of."""

import functools
from collections.abc import Sequence

import pygame

RGB = tuple[int, int, int]
Keys = Sequence[tuple[str, str]]  # what is pressed, and what for

GLASS: RGB = (10, 12, 20)
EDGE: RGB = (70, 84, 112)
INK: RGB = (244, 246, 250)
FAINT: RGB = (168, 180, 200)
ACCENT: RGB = (72, 220, 255)
GOLD: RGB = (255, 214, 92)
RED: RGB = (255, 84, 98)
FIRE: RGB = (255, 184, 60)
LEAST = 9  # pixels: letters are never smaller, where a side is so large that they can be read
_FINE = 3  # fine pixels a pixel: small letters stand unevenly otherwise
_BESIDE, _APART = 0.4, 1.1  # of a line's height: from a key to its meaning, and to the next key


def words(
    surface: pygame.Surface,
    text: str,
    at: tuple[float, float],
    *,
    height: int,
    colour: RGB = INK,
    align: str = "midleft",
) -> pygame.Rect:
    """Writes a line.

    Args:
        surface: What to write on.
        text: The line.
        at: Column and row of the point that `align` names.
        height: Of the letters' line, pixels.
        colour: Of the letters.
        align: Which point of the line lies at `at`: a name of `pygame.Rect`'s, such as "center".

    Returns:
        Where it stands.
    """
    picture = _line(text, height, colour)
    place = picture.get_rect(**{align: (round(at[0]), round(at[1]))})
    surface.blit(picture, place)
    return place


def middle(
    surface: pygame.Surface,
    text: str,
    y: float,
    *,
    height: float,
    side: int,
    colour: RGB = INK,
    room: float = 0.7,
) -> None:
    """Writes a line in the middle of a row, smaller if it has no room.

    Args:
        surface: What to write on.
        text: The line.
        y: Its middle, like all lengths here a share of the side.
        height: Of the letters' line at most.
        side: Of the arena, pixels.
        colour: Of the letters.
        room: How wide it may be.
    """
    letters = fitted(text, height=round(height * side), room=room * side)
    words(surface, text, (0.5 * side, y * side), height=letters, colour=colour, align="center")


def key_row(surface: pygame.Surface, keys: Keys, y: float, *, side: int, room: float) -> None:
    """Writes keys and their meanings in the middle of a row; lengths are shares of the side."""
    height = round(0.034 * side)
    while height > LEAST and width_of(keys, height=height) > room * side:
        height -= 1
    wide = width_of(keys, height=height)
    key_line(surface, keys, ((side - wide) / 2, y * side), height=height, room=wide)


def wrapped(text: str, *, height: int, room: float) -> list[str]:
    """A text in lines that have room, all its letters kept; cut behind blanks and slashes.

    Args:
        text: What may be too long for a line.
        height: Of the letters' line, pixels.
        room: How wide a line may be, pixels.
    """
    lines = []
    while text:
        fits = _letters_that_fit(text, height=height, room=room)
        cuts = [at + 1 for at, letter in enumerate(text[:fits]) if letter in " /\\"]
        cut = fits if fits == len(text) or not cuts else cuts[-1]
        lines.append(text[:cut])
        text = text[cut:]
    return lines


def fitted(text: str, *, height: int, room: float) -> int:
    """The height, at most the given one, at which a line has room."""
    while height > LEAST and _line(text, height, INK).get_width() > room:
        height -= 1
    return height


def key_line(
    surface: pygame.Surface, keys: Keys, at: tuple[float, float], *, height: int, room: float
) -> None:
    """Keys and their meanings in one line: smaller if they have no room, then without the last.

    Args:
        surface: What to write on.
        keys: What is pressed, and what for.
        at: Column and row of the line's left middle.
        height: Of the letters' line at most, pixels.
        room: How wide it may be.
    """
    while height > LEAST and width_of(keys, height=height) > room:
        height -= 1
    while keys and width_of(keys, height=height) > room:
        keys = keys[:-1]
    x, y = at
    for key, meaning in keys:
        place = words(surface, key, (x, y), height=height)
        x = place.right + _BESIDE * height
        place = words(surface, meaning, (x, y), height=height, colour=FAINT)
        x = place.right + _APART * height


def key_table(surface: pygame.Surface, keys: Keys, at: tuple[float, float], *, height: int) -> None:
    """Keys and their meanings below each other, on either side of a line.

    Args:
        surface: What to write on.
        keys: What is pressed, and what for.
        at: Column of the line between them, and row of the first line's middle.
        height: Of the letters' line, pixels.
    """
    x, y = at
    for key, meaning in keys:
        words(surface, key, (x - 0.4 * height, y), height=height, align="midright")
        words(surface, meaning, (x + 0.4 * height, y), height=height, colour=FAINT)
        y += 1.35 * height


def pane(surface: pygame.Surface, place: pygame.Rect, *, edge: RGB = EDGE) -> None:
    """A dark pane with round corners and an edge."""
    corner = max(4, surface.get_width() // 60)
    glass = pygame.Surface(place.size, pygame.SRCALPHA)
    pygame.draw.rect(glass, (*GLASS, 226), glass.get_rect(), border_radius=corner)
    surface.blit(glass, place)
    pygame.draw.rect(surface, edge, place, max(1, corner // 6), border_radius=corner)


def dim(surface: pygame.Surface, place: pygame.Rect, *, dark: int) -> None:
    """Darkens a part of the window; `dark`, 0 to 255, is by how much."""
    veil = pygame.Surface(place.size)
    veil.fill(GLASS)
    veil.set_alpha(dark)
    surface.blit(veil, place)


def width_of(keys: Keys, *, height: int) -> float:
    """How wide a line of keys and meanings is, pixels."""
    letters = sum(_line(word, height, INK).get_width() for pair in keys for word in pair)
    return letters + height * (_BESIDE * len(keys) + _APART * (len(keys) - 1))


def _letters_that_fit(text: str, *, height: int, room: float) -> int:
    """How many of a text's letters a line has room for, at least one."""
    fits = len(text)
    while fits > 1 and _line(text[:fits], height, INK).get_width() > room:
        fits -= 1
    return fits


@functools.lru_cache(maxsize=512)
def _line(text: str, height: int, colour: RGB) -> pygame.Surface:
    # Pictures are kept, not fonts: those die whenever anyone quits pygame.
    pygame.font.init()
    fine = pygame.font.Font(None, _FINE * height).render(text, True, colour)
    return pygame.transform.smoothscale_by(fine, 1.0 / _FINE)
