"""`compass`: headings as unit vectors."""

import numpy as np
from numpy.typing import NDArray


def compass(headings: int) -> NDArray[np.float64]:
    """Unit vectors (headings, 2) all round, the first along +x, the second towards +z of it."""
    angles = 2.0 * np.pi * np.arange(headings) / headings
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).round(12)
