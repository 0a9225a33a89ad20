"""`between`: a moment between two states of an arena, for the eye alone."""

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.engine.arena import TICK

FARTHEST = 2.0  # m: nothing runs or dashes so far in a step, so it was put there


def between(before: NDArray[np.void], after: NDArray[np.void], share: float) -> NDArray[np.void]:
    """The later state with all that moves set back to where it was on its way there.

    Only places are blended; everything else, such as hits and bursts, is as it is after the
    step. Neither state is written to.

    Args:
        before: (1,) record of dtype `engine.arena.ARENA`, a step earlier.
        after: (1,) record, a step later.
        share: How much of the step's time has passed, 0 to 1.

    Returns:
        (1,) record to be drawn.
    """
    shown = after.copy()
    left = 1.0 - share
    if before["stage"][0] != after["stage"][0] or before["tick"][0] >= after["tick"][0]:
        return shown  # another stage, or another game
    for table, same in (
        ("player", np.ones(1, dtype=np.bool_)),
        ("enemies", _equal(before["enemies"], after["enemies"], ("kind", "serial"))),
        ("hazards", _equal(before["hazards"], after["hazards"], ("kind",))),
    ):
        _set_back(shown[table], before[table], same, left)
    passed = left * TICK * float(after["tick"][0] - before["tick"][0])
    for table in ("shots", "enemy_shots"):
        _pull_back(shown[table], passed)
    return shown


def _equal(
    before: NDArray[np.void], after: NDArray[np.void], names: tuple[str, ...]
) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = np.all([before[name] == after[name] for name in names], axis=0)
    return equal


def _set_back(
    shown: NDArray[np.void], before: NDArray[np.void], same: NDArray[np.bool_], left: float
) -> None:
    """Moves those that are the same towards where they were, unless they were put elsewhere."""
    dx, dz = before["x"] - shown["x"], before["z"] - shown["z"]
    moved = same & (np.hypot(dx, dz) < FARTHEST)
    shown["x"] += np.where(moved, left * dx, 0.0)
    shown["z"] += np.where(moved, left * dz, 0.0)


def _pull_back(shots: NDArray[np.void], seconds: float) -> None:
    """Shots fly straight, so where they were follows from their velocity, newborn ones' too."""
    shots["x"] -= seconds * shots["vx"]
    shots["z"] -= seconds * shots["vz"]
