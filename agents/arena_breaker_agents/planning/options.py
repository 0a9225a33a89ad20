"""`PlannerOptions`: how far a planner looks ahead, and at how many futures."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

from arena_breaker_agents.options import split_options
from arena_breaker_gym._runtime.plain import plain_int


@dataclass(frozen=True, kw_only=True)
class PlannerOptions:
    """How a planner searches; all its play depends on these and on the episode's seed.

    Attributes:
        horizon: Steps of the environment that it looks ahead; a multiple of `hold`.
        hold: Steps that a move is held, and after which it plans anew.
        candidates: Futures played at once in a round.
        rounds: Rounds in a plan, each around the best futures of those before.
    """

    horizon: int = 36
    hold: int = 4
    candidates: int = 64
    rounds: int = 2

    def __post_init__(self) -> None:
        """Checks every value and keeps plain ones, whatever numbers were given.

        Raises:
            ValueError: If one is not allowed.
        """
        least = {"horizon": 1, "hold": 1, "candidates": 2, "rounds": 1}
        for name, lowest in least.items():
            object.__setattr__(self, name, plain_int(name, getattr(self, name), least=lowest))
        if self.horizon % self.hold:
            raise ValueError(
                f"horizon must be a multiple of hold, got {self.horizon} and {self.hold}."
            )

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Reads "?horizon=24&candidates=32", as a command line has it behind the agent's name.

        Raises:
            ValueError: If an option is unknown or not allowed.
        """
        place, options, _ = split_options(text, {field.name: int for field in fields(cls)})
        if place:
            raise ValueError(f"The planner takes options such as ?horizon=24, got {text!r}.")
        return cls(**options)

    @property
    def segments(self) -> int:
        """Held moves in a future."""
        return self.horizon // self.hold

    @property
    def name(self) -> str:
        """All of them in a few words, as an agent's name has them."""
        return ", ".join(f"{field.name} {getattr(self, field.name)}" for field in fields(self))
