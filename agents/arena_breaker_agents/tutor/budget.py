"""`Budget`: how many dollars a run may cost; a bound that it never passes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import anyio

from arena_breaker_gym.rollout.agent import RunStopped


class Budget:
    """Dollars spent, and those that questions under way may still cost.

    A question is asked only while all that are under way could cost their most within the
    limit. Near its end questions wait for one another; when none is under way and the next
    could pass the limit, the run is over.
    """

    def __init__(self, limit: float | None, *, spent: float = 0.0) -> None:
        """Opens the purse.

        Args:
            limit: Dollars; None: as many as it takes.
            spent: Dollars that earlier parts of the run have cost.
        """
        self.limit = limit
        self.spent = spent
        self._reserved: list[float] = []  # of each question under way
        self._changed = anyio.Condition()

    @contextlib.asynccontextmanager
    async def reserve(self, most: float) -> AsyncIterator[None]:
        """Keeps dollars aside while a question is under way.

        Args:
            most: What it may cost at most.

        Raises:
            RunStopped: If that could pass the limit with nothing else under way.
        """
        async with self._changed:
            while not self.hold(most):
                await self._changed.wait()
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                async with self._changed:
                    self.release(most)
                    self._changed.notify_all()

    @property
    def held(self) -> int:
        """How many questions dollars are kept aside for."""
        return len(self._reserved)

    def hold(self, most: float) -> bool:
        """Keeps dollars aside, if that is possible just now; else whoever asks may ask again.

        Raises:
            RunStopped: As `reserve`.
        """
        if self._too_much(most):
            if not self._reserved:
                raise RunStopped(self._sentence(), wanted=True)
            return False
        self._reserved.append(most)
        return True

    def release(self, most: float) -> None:
        """Ends what `hold` began."""
        self._reserved.remove(most)

    def charge(self, dollars: float) -> None:
        """Counts what a reply did cost."""
        self.spent += dollars

    def _too_much(self, most: float) -> bool:
        limit = self.limit
        return limit is not None and self.spent + sum(self._reserved) + most > limit

    def _sentence(self) -> str:
        return (
            f"The budget of ${self.limit:.2f} does not reach for another question: "
            f"${self.spent:.4f} are spent."
        )
