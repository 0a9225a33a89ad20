"""What tools answer: plain JSON, whose schema every client is shown."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    """An immutable answer; the text under a field is its description in the schema."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Moment(_Answer):
    """The game as it stands."""

    step: int
    """Steps played so far."""

    steps_left: int
    """Steps until the episode is cut off."""

    snapshot: dict[str, Any]
    """The arena: metres, x right, z towards the viewer, dx and dz from the player, m/s."""


class Started(Moment):
    """An episode that has just begun."""

    episode: str
    """What all other tools call it."""

    seed: int
    """The same seed, stage and actions play the same episode."""

    stage: int
    """The stage it begins on."""


class Ending(_Answer):
    """How an episode ended, and where it is kept."""

    status: str
    """"completed" (victory or defeat), "time limit", or "agent failed": not played to its end."""

    reason: str
    """Such as "victory", "killed by saw" or "ended by the client after 30 steps"."""

    steps: int
    """Steps played in all."""

    score: int
    """The score at the end."""

    file: str
    """The episode's file, to be replayed, filmed or learnt from."""


class Turn(Moment):
    """What came of one call of `act`."""

    played: int
    """Steps that this call played; fewer than asked for if the episode ended."""

    reward: float
    """Sum over these steps: score gained / 10, less 1 for each hp lost, unless set otherwise."""

    hp_lost: int
    """Hit points lost in these steps."""

    kills: int
    """Enemies killed in these steps."""

    ended: Ending | None
    """Null while the episode goes on."""
