"""`Agent`: what anything that acts must offer, what it is shown, and how it says that it failed.

`ChunkedAgent` and `HoldsAction` are for agents that also play games which do not wait for them,
`AsyncAgent` and `RunAware` for agents that ask a remote service and keep a record of it.

Any agent that can be pickled is copied to where it plays, as it was before it played. These are
for agents that hold a model, a connection or an account.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.deprecated import old_names, warn
from arena_breaker_gym.settings import PIXEL_SIZES

if TYPE_CHECKING:
    from arena_breaker_gym.rendering.layers import HudState
    from arena_breaker_gym.rollout.episode import Episode, Plan

NEEDS = ("pixels", "state", "snapshot", "saved", "hud")

Shown = TypeVar("Shown")


class Observations:
    """What an agent sees of some arenas, one row an arena: only what it declared to need.

    Arrays are the batch's own and are written again by the next step: the agent must
    copy what it keeps.
    """

    def __init__(
        self,
        *,
        pixels: NDArray[np.uint8] | None = None,
        state: Mapping[str, NDArray[np.float32]] | None = None,
        snapshots: Sequence[dict[str, Any]] | None = None,
        saved: Sequence[bytes] | None = None,
        hud: Sequence["HudState"] | None = None,
    ) -> None:
        """Holds what is shown.

        Args:
            pixels: (n, size, size, 3), RGB, without HUD.
            state: The tables of `arena_breaker_gym.batch.observation.TABLES`, each (n, ...).
            snapshots: n snapshots; see `arena_breaker_gym.batch.snapshot`.
            saved: n saved states; see `arena_breaker_gym.batch.arenas.Arenas.save`.
            hud: What the HUD shows people, n of them.
        """
        self._pixels = pixels
        self._state = state
        self._snapshots = snapshots
        self._saved = saved
        self._hud = hud

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(n, size, size, 3) uint8, RGB, without HUD."""
        return _declared(self._pixels, "pixels")

    @property
    def state(self) -> Mapping[str, NDArray[np.float32]]:
        """The tables `player`, `enemies`, `enemy_projectiles`, `hazards`, `progress`: (n, ...)."""
        return _declared(self._state, "state")

    @property
    def snapshots(self) -> Sequence[dict[str, Any]]:
        """One dict an arena: the article's JSON."""
        return _declared(self._snapshots, "snapshot")

    @property
    def saved(self) -> Sequence[bytes]:
        """One saved state an arena: all there is to know, what is still to come included."""
        return _declared(self._saved, "saved")

    @property
    def hud(self) -> Sequence["HudState"]:
        """What the HUD shows people, one an arena; `rendering.layers.draw_huds` draws it."""
        return _declared(self._hud, "hud")


def _declared(value: Shown | None, need: str) -> Shown:
    if value is None:
        raise ValueError(f"This agent reads {need!r} without naming it in its `needs`.")
    return value


class Agent(Protocol):
    """Acts for a batch of arenas in one call.

    A rollout numbers its arenas 0, 1, 2, …. Whenever an episode begins in one of them it
    calls `reset([arena], seed)` with that episode's own seed, so an agent that keeps its
    memory and its random generator per arena plays the same episode whatever else the batch
    holds. `act` is called with the arenas still playing, in rising order.
    """

    @property
    def name(self) -> str:
        """Stands in tables, episodes and file names; other weights or prompts: another name."""

    @property
    def needs(self) -> Collection[str]:
        """What `act` is to be shown: some of `NEEDS`."""

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """An episode begins in these arenas.

        Args:
            arenas: Numbers of the arenas.
            seed: Seed for whatever the agent draws; None: any.
        """

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.floating]:
        """Chooses one action for each arena.

        Args:
            observations: What is seen, rows in the order of `arenas`.
            arenas: Numbers of the n arenas.

        Returns:
            (n, 5): move_x, move_z, aim_x, aim_z in [-1, 1], dash (pressed above 0.5).

        Raises:
            AgentFailure: If it can no longer play in some arenas; their episodes end there.
        """

    def close(self) -> None:
        """Lets go of windows, connections and models. The code that made the agent calls it."""


@runtime_checkable
class ChunkedAgent(Protocol):
    """An agent that does not look again at every `act`, as one that plays chunks of actions.

    Only games with a latency ask: an `act` in which it merely played on costs no time there.
    An agent without this method looks at every `act`.
    """

    def was_queried(self, arenas: Sequence[int]) -> Sequence[bool]:
        """Whether the last `act` looked again.

        Args:
            arenas: Numbers of n arenas, all of which that `act` was asked for and did not
                fail in.

        Returns:
            n times: whether it did so in that arena.
        """


@runtime_checkable
class FixedPixels(Protocol):
    """An agent that learned from frames of one size, and is best shown these."""

    @property
    def pixel_size(self) -> int | None:
        """Side of the frames, in pixels; None: any will do."""


def pixel_size_of(agent: Agent, otherwise: int) -> int:
    """Side of the frames that an agent is best shown.

    Args:
        agent: Any agent.
        otherwise: Where it does not care, or the game draws no such frames.
    """
    own = agent.pixel_size if isinstance(agent, FixedPixels) else None
    return own if own in PIXEL_SIZES else otherwise


@runtime_checkable
class HoldsAction(Protocol):
    """An agent that has plans for the steps on which its answer is still awaited.

    Without this method the last action played in the arena goes on, and before an episode's
    first action all sticks rest.
    """

    def action_while_waiting(self, arenas: Sequence[int]) -> NDArray[np.floating]:
        """What goes on while the answers that `act` gave last are awaited; asked once a step.

        Args:
            arenas: Numbers of the n arenas that wait, rising; not always the same ones, since
                some may wait longer than others.

        Returns:
            (n, 5), as from `act`.
        """


@runtime_checkable
class AsyncAgent(Protocol):
    """An agent that answers in several arenas at once, in each when it is ready.

    Where the game waits for its agent, only arenas with an answer move on, so that none waits
    for the slowest. Each plays the same episode as it would alone.
    """

    def wait_ready(self, observations: Observations, arenas: Sequence[int]) -> Sequence[int]:
        """Wait until `act` can be called for at least one arena.

        Args:
            observations: What is seen, rows in the order of `arenas`; the same for an arena
                until it moves on.
            arenas: Numbers of the n arenas that play, rising.

        Returns:
            Those for which `act` will answer at once: at least one of them.

        Raises:
            RunStopped: If nothing more is to be played.
        """


@runtime_checkable
class RunAware(Protocol):
    """An agent that wants to know what it is to play before it begins, and where that is kept."""

    def prepare(self, plan: "Plan", folder: Path | None, *, episodes: int) -> None:
        """A rollout begins; called once, before its first `reset`.

        Args:
            plan: What is to be played.
            folder: Where the rollout keeps its episodes; None: nowhere.
            episodes: How many are still to be played; 0 if all are there already.

        Raises:
            ValueError: If the agent cannot play that, or the folder is another's.
        """


# What methods of agents were called once.
OLD_METHODS = {
    "looked": "was_queried",
    "meanwhile": "action_while_waiting",
    "ponder": "wait_ready",
}


def adopt_old_methods(agent: Agent) -> None:
    """Gives an agent's class the new names of methods that it has under old ones, and warns.

    Args:
        agent: Any agent.
    """
    own = type(agent)
    for old, new in OLD_METHODS.items():
        if not hasattr(own, new) and callable(getattr(own, old, None)):
            warn(f"{own.__name__}.{old}", new)
            setattr(own, new, getattr(own, old))


__getattr__ = old_names(
    __name__,
    {
        "CarriesOn": f"{__name__}.HoldsAction",
        "Deliberates": f"{__name__}.ChunkedAgent",
        "Ponders": f"{__name__}.AsyncAgent",
        "Prepares": f"{__name__}.RunAware",
    },
)


class RunStopped(ValueError):  # noqa: N818 - it names how a run ended, not a fault in code
    """An agent ends the whole rollout, as when its money is spent or its key is refused.

    Episodes under way are neither failed nor finished: the same call plays them again.

    Attributes:
        wanted: Whether the caller wanted it so, as with a budget.
        episodes: The finished ones, in order.
    """

    def __init__(self, reason: str, *, wanted: bool = False) -> None:
        """Says why.

        Args:
            reason: One sentence.
            wanted: As in this class.
        """
        super().__init__(reason)
        self.wanted = wanted
        self.episodes: list[Episode] = []


class AgentFailure(Exception):  # noqa: N818 - it names an outcome of an episode, not a fault in code
    """An agent cannot go on: the episodes named end with the status "agent failed".

    Attributes:
        reasons: The reason for all arenas that were asked for, or by arena.
        actions: The rows for all arenas that were asked for; those of failed ones are ignored.
    """

    def __init__(
        self, reasons: str | Mapping[int, str], *, actions: NDArray[np.floating] | None = None
    ) -> None:
        """Says which arenas are lost and why.

        Args:
            reasons: One sentence for all arenas asked for, or a sentence for each failed one.
            actions: (n, 5), needed when some of the arenas asked for go on.
        """
        super().__init__(reasons)
        self.reasons = reasons
        self.actions = actions

    def in_arenas(self, arenas: Sequence[int]) -> dict[int, str]:
        """The reason for each failed one of these arenas."""
        if isinstance(self.reasons, str):
            return dict.fromkeys(arenas, self.reasons)
        return {arena: self.reasons[arena] for arena in arenas if arena in self.reasons}


# Sends a request to the agent in the driver's process, and waits for its answer or exception.
SendRequest = Callable[[Any], Any]

# Makes the agent where it is to play. An attribute `gpu` that is true asks for a share of a GPU.
AgentFactory = Callable[[SendRequest], Agent]


@runtime_checkable
class RemoteAgent(Protocol):
    """An agent that says how it is made elsewhere."""

    def agent_factory(self) -> AgentFactory:
        """How to make one that plays the same; called before the agent is prepared for a run.

        It is pickled once, however many workers there are. NumPy arrays in it lie in memory that
        all workers of a machine share, and cannot be written to.

        Raises:
            ValueError: If it can play here only.
        """


@runtime_checkable
class Coordinator(Protocol):
    """An agent that keeps one account for its copies in other processes.

    It is prepared for the run as if it played itself.
    """

    def handle_request(self, worker: int, request: object) -> Any:
        """Answers a copy at once; what this raises is raised in the copy's process.

        Args:
            worker: Number of the worker that the copy plays in.
            request: What it gave to its `SendRequest`.
        """

    def on_worker_lost(self, worker: int) -> None:
        """A worker has died; what its copy had under way will never be reported."""
