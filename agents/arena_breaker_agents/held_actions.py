"""`HeldActions`: actions of an agent that decides less often than the game steps."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.batch.arenas import ACTION_LENGTH


class HeldActions:
    """Holds each arena's action for some steps, then asks for a new one."""

    def __init__(self, steps: int) -> None:
        """Holds nothing yet.

        Args:
            steps: For how many steps an action is held.
        """
        self._steps = steps
        self._held: dict[int, NDArray[np.float32]] = {}
        self._left: dict[int, int] = {}  # steps for which an action is still held
        self._decided: set[int] = set()

    @staticmethod
    def steps_of(name: str, own: int, game: int) -> int:
        """For how many steps an agent holds an action.

        Args:
            name: The agent's.
            own: Ticks between two of its decisions.
            game: Ticks of a step.

        Raises:
            ValueError: If decisions would not fall on steps.
        """
        if own % game:
            raise ValueError(
                f"{name} decides every {own} ticks, which {game} ticks a step do not divide."
            )
        return own // game

    def reset(self, arenas: Sequence[int]) -> None:
        """Lets go of these arenas' actions."""
        for arena in arenas:
            self._left[arena] = 0

    def act(
        self, arenas: Sequence[int], decide: Callable[[list[int]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """One action for each arena, (n, 5).

        Args:
            arenas: Numbers of the n arenas.
            decide: Gives new actions, (m, 5), for some rows of the n.
        """
        due = [row for row, arena in enumerate(arenas) if self._left.get(arena, 0) == 0]
        self._decided = {arenas[row] for row in due}
        if due:
            for row, action in zip(due, decide(due), strict=True):
                self._held[arenas[row]], self._left[arenas[row]] = action, self._steps
        for arena in arenas:
            self._left[arena] -= 1
        return np.array([self._held[arena] for arena in arenas]).reshape(-1, ACTION_LENGTH)

    def decided(self, arenas: Sequence[int]) -> list[bool]:
        """In which of these arenas the last `act` decided anew."""
        return [arena in self._decided for arena in arenas]
