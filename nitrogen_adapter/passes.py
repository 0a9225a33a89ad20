"""`Passes`: how often a training went over its examples, of how often it was to."""

from __future__ import annotations

from typing import Any, NamedTuple


class Passes(NamedTuple):
    """Passes over the examples.

    Attributes:
        done: how many, the last perhaps in part.
        planned: how many there were to be.
    """

    done: float
    planned: float

    @classmethod
    def counted(cls, *, steps: int, examples: int, batch_size: int, planned: float) -> Passes:
        """Count them from the steps that were taken.

        Args:
            steps: how many.
            examples: how many there are to go over.
            batch_size: examples in a step.
            planned: passes that there were to be.
        """
        a_pass = -(-examples // batch_size)  # steps; the last takes what is left
        return cls(min(steps / a_pass, planned), planned)

    @property
    def cut_short(self) -> bool:
        """Whether the training ended before its time, as with a limit on its seconds."""
        return self.done < self.planned

    def __str__(self) -> str:
        """In words, such as "2.5 of 4 passes"; rounded down, so that none is claimed too much."""
        done = int(self.done * 10) / 10
        return f"{done:g} of {self.planned:g} passes"

    def to_dict(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return {"done": round(self.done, 3), "planned": self.planned}
