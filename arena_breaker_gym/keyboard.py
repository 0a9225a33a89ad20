"""`keys_to_actions`: what held keys do in `gymnasium.utils.play`; our own play room has more."""

import itertools
import math
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

_WAYS = [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)]  # right, left, down, up


def keys_to_actions() -> dict[tuple[int, ...], NDArray[np.float32]]:
    """An action for every way to hold some of nine keys: WASD moves, arrows aim, space dashes."""
    import pygame

    moves = dict(zip((pygame.K_d, pygame.K_a, pygame.K_s, pygame.K_w), _WAYS, strict=True))
    arrows = (pygame.K_RIGHT, pygame.K_LEFT, pygame.K_DOWN, pygame.K_UP)
    aims = dict(zip(arrows, _WAYS, strict=True))
    keys = sorted([*moves, *aims, pygame.K_SPACE])
    return {
        held: np.array(
            [
                *_stick([moves[key] for key in held if key in moves]),
                *_stick([aims[key] for key in held if key in aims]),
                float(pygame.K_SPACE in held),
            ],
            np.float32,
        )
        for count in range(1, len(keys) + 1)
        for held in itertools.combinations(keys, count)
    }


def _stick(pulls: Collection[tuple[float, float]]) -> tuple[float, float]:
    """Where keys pull together, at most 1 long; opposite ones cancel out."""
    x, z = sum(pull[0] for pull in pulls), sum(pull[1] for pull in pulls)
    length = max(math.hypot(x, z), 1.0)
    return x / length, z / length
