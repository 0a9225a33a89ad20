"""`png_of`: a frame as the bytes of a PNG file."""

import io

import numpy as np
from numpy.typing import NDArray


def png_of(frame: NDArray[np.uint8]) -> bytes:
    """Encodes a frame without loss.

    Args:
        frame: (height, width, 3) uint8, RGB.
    """
    import pygame

    height, width, _ = frame.shape
    surface = pygame.image.frombuffer(frame.tobytes(), (width, height), "RGB")
    file = io.BytesIO()
    pygame.image.save(surface, file, "frame.png")
    return file.getvalue()
