"""How large a frame may be, in pixels a side."""

from arena_breaker_gym._runtime.plain import plain_int

SMALLEST, LARGEST = 32, 1024
SMALLEST_RENDER = 64  # with a HUD that can be read


def frame_size(size: object) -> int:
    """The side of a renderer's frames.

    Raises:
        ValueError: If it is no whole number or out of range.
    """
    return plain_int("A frame's side", size, least=SMALLEST, most=LARGEST)


def render_size_of(size: object) -> int:
    """The side of the pictures that `render` gives.

    Raises:
        ValueError: If it is no whole number or out of range.
    """
    return plain_int("render_size", size, least=SMALLEST_RENDER, most=LARGEST)
