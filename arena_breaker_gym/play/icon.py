"""`icon`: the picture of the game in title bars and task lists, drawn here."""

import pygame

_SIDE, _FINE = 64, 4  # pixels, and fine pixels a pixel: shapes have no smooth edges of their own
_TILE, _EDGE = (18, 22, 36), (70, 84, 112)
_RING, _BODY, _BARREL, _FLASH = (72, 220, 255), (38, 96, 190), (226, 234, 246), (255, 184, 60)


def icon() -> pygame.Surface:
    """The player with his gun, in his ring, on a dark tile: 64 pixels a side."""
    fine = pygame.Surface((_SIDE * _FINE,) * 2, pygame.SRCALPHA)
    _round(fine, _TILE, (0, 0, 64, 64), 14)
    _round(fine, _EDGE, (0, 0, 64, 64), 14, 2)
    _disc(fine, _RING, (28, 36), 20, 4)
    pygame.draw.line(fine, _BARREL, _at(28, 36), _at(46, 18), 8 * _FINE)
    _disc(fine, _BODY, (28, 36), 12)
    _disc(fine, _FLASH, (50, 14), 6)
    return pygame.transform.smoothscale(fine, (_SIDE, _SIDE))


def _at(x: float, y: float) -> tuple[float, float]:
    return x * _FINE, y * _FINE


def _disc(
    fine: pygame.Surface,
    colour: tuple[int, int, int],
    at: tuple[float, float],
    radius: int,
    line: int = 0,
) -> None:
    pygame.draw.circle(fine, colour, _at(*at), radius * _FINE, line * _FINE)


def _round(
    fine: pygame.Surface,
    colour: tuple[int, int, int],
    box: tuple[int, int, int, int],
    corner: int,
    line: int = 0,
) -> None:
    place = pygame.Rect(*(part * _FINE for part in box))
    pygame.draw.rect(fine, colour, place, line * _FINE, border_radius=corner * _FINE)
