"""Colours as numbers, and mixing them."""

RGB = tuple[int, int, int]

WHITE: RGB = (255, 255, 255)
BLACK: RGB = (0, 0, 0)


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
