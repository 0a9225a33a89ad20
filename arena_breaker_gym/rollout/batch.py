"""`ArenaBatch`: arenas of a rollout with what each has played so far, which becomes episodes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.batch.arenas import ACTION_LENGTH, Arenas
from arena_breaker_gym.batch.observation import TABLES
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.rollout.agent import Observations
from arena_breaker_gym.rollout.episode import (
    AGENT_FAILED,
    COMPLETED,
    TIME_LIMIT,
    Episode,
    Plan,
    hash_of,
)
from arena_breaker_gym.rollout.metrics import metrics_of

if TYPE_CHECKING:
    from arena_breaker_gym.rendering.layers import HudState


class ArenaBatch:
    """Arenas that play a plan's episodes side by side.

    Attributes:
        arenas: The arenas.
        playing: (n,) bool, which of them hold an episode under way.
        episodes: (n,) the number of the episode that each holds.
        steps: (n,) steps played of it.
        last_actions: (n, 5) float32, the last played of it; zeros before the first.
    """

    def __init__(self, plan: Plan, *, count: int, keep_snapshots: bool = False) -> None:
        """Makes `count` arenas, none of which plays yet.

        Args:
            plan: What is to be played.
            count: How many arenas.
            keep_snapshots: Whether episodes keep a snapshot of each moment before an action.
        """
        self.plan = plan
        self.arenas = Arenas(plan.settings, count=count, limit=plan.max_steps)
        self.playing = np.zeros(count, dtype=np.bool_)
        self.episodes = np.zeros(count, dtype=np.int64)
        self.steps = np.zeros(count, dtype=np.int64)
        # Zeros cost no memory until they are written, so the longest episode may have its room.
        self._actions = np.zeros((count, plan.max_steps, ACTION_LENGTH), dtype=np.float32)
        self._rewards = np.zeros((count, plan.max_steps))
        self._snapshots: list[list[dict[str, object]]] = [[] for _ in range(count)]
        self._keep_snapshots = keep_snapshots
        self._drawn_by: str | None = None
        self._numbers = np.arange(count)
        self.last_actions = np.zeros((count, ACTION_LENGTH), dtype=np.float32)

    def begin(self, arena: int, episode: int) -> None:
        """Begins an episode of the plan in an arena."""
        plan = self.plan
        self.arenas.reset(arena, plan.keys_of(episode), stage=plan.stage_of(episode))
        self.playing[arena] = True
        self.episodes[arena] = episode
        self.steps[arena] = 0
        self.last_actions[arena] = 0.0
        self._snapshots[arena] = []

    def observe(self, needs: Collection[str], arenas: Sequence[int]) -> Observations:
        """What the agent is to see of some arenas that play; nothing else is computed."""
        if "pixels" in needs and self._drawn_by is None:
            from arena_breaker_gym.rendering.atlas import build

            self._drawn_by = build()  # who draws is noted with the episodes
        look = self._look if self._keep_snapshots else None
        return observations_of(self.arenas, arenas, needs, look=look)

    def move(self, actions: NDArray[np.float32], arenas: Sequence[int]) -> NDArray[np.intp]:
        """Moves some arenas on by one step.

        Args:
            actions: (n, 5), a row for each of the arenas.
            arenas: n of those that play, rising.

        Returns:
            The arenas whose episodes ended with it.

        Raises:
            ValueError: If an action is not finite; no arena has moved then.
        """
        live = np.array(arenas, dtype=np.intp)
        if self._keep_snapshots:
            self._look(arenas)
        self.last_actions[live] = actions
        self.arenas.step(self.last_actions, np.isin(self._numbers, live))
        at = self.steps[live]
        self._actions[live, at] = actions
        self._rewards[live, at] = self.arenas.rewards[live]
        self.steps[live] = at + 1
        return live[self.arenas.terminated[live] | self.arenas.truncated[live]]

    def finish(
        self,
        arena: int,
        *,
        failure: tuple[str, str] | None = None,
        latency_ticks: float = 0.0,
        looks: int = 0,
    ) -> Episode:
        """Takes the episode out of an arena, which then plays no longer.

        Args:
            arena: Which arena.
            failure: Status and reason if something other than the game ended it.
            latency_ticks: Mean ticks that the agent was charged for an answer.
            looks: How many answers that were.
        """
        self.playing[arena] = False
        plan, index, steps = self.plan, int(self.episodes[arena]), int(self.steps[arena])
        summary = self.arenas.summary(arena)
        status, reason = failure or self._ending(arena, summary)
        rewards = self._rewards[arena, :steps].copy()
        return Episode(
            agent=plan.agent,
            settings=plan.settings,
            seed=plan.seed_of(index),
            stage=plan.stage_of(index),
            max_steps=plan.max_steps,
            actions=self._actions[arena, :steps].copy(),
            rewards=rewards,
            status=status,
            reason=reason,
            metrics=metrics_of(summary, rewards=rewards, latency_ticks=latency_ticks, looks=looks),
            final_hash=hash_of(self.arenas.records[arena]),
            engine_version=ENGINE_VERSION,
            stages_digest=self.arenas.loaded.digest,
            snapshots=self._snapshots[arena][:steps] if self._keep_snapshots else None,
            latency=plan.latency,
            drawn_by=self._drawn_by,
        )

    def _ending(self, arena: int, summary: Mapping[str, object]) -> tuple[str, str]:
        if not self.arenas.terminated[arena]:
            return TIME_LIMIT, f"cut off after {self.plan.max_steps} steps"
        if summary["victory"]:
            return COMPLETED, "victory"
        return COMPLETED, f"killed by {summary['cause_of_death']}"

    def _look(self, arenas: Sequence[int]) -> list[dict[str, object]]:
        """Snapshots of this moment, each of which is made once."""
        for arena in arenas:
            kept = self._snapshots[arena]
            if len(kept) == self.steps[arena]:
                kept.append(self.arenas.snapshot(arena))
        return [self._snapshots[arena][-1] for arena in arenas]


def observations_of(
    arenas: Arenas,
    rows: Sequence[int],
    needs: Collection[str],
    *,
    look: Callable[[Sequence[int]], Sequence[dict[str, object]]] | None = None,
) -> Observations:
    """What an agent with such needs sees of some arenas; nothing else is computed.

    Args:
        arenas: The arenas.
        rows: Which of them.
        needs: The agent's.
        look: Gives the snapshots of some arenas; None: they are made again.
    """
    state = None
    if "state" in needs:
        tables = zip(TABLES, arenas.observe(), strict=True)
        state = {name: _rows(table, rows) for name, table in tables}
    snapshots = None
    if "snapshot" in needs:
        snapshots = look(rows) if look else [arenas.snapshot(row) for row in rows]
    return Observations(
        pixels=_rows(arenas.compose(), rows) if "pixels" in needs else None,
        state=state,
        snapshots=snapshots,
        saved=[arenas.save(row) for row in rows] if "saved" in needs else None,
        hud=_huds(arenas, rows) if "hud" in needs else None,
    )


def _huds(arenas: Arenas, rows: Sequence[int]) -> "list[HudState]":
    from arena_breaker_gym.rendering.layers import hud_state_of  # with pygame, which few need

    return [hud_state_of(arenas.records, row) for row in rows]


def _rows(table: NDArray[Any], arenas: Sequence[int]) -> NDArray[Any]:
    """The rows of some arenas; the table itself if they are all."""
    return table if len(arenas) == len(table) else table[arenas]


class Game:
    """An episode under way, whose player may come and go.

    Attributes:
        plan: What is played: a plan of one episode.
        over: Whether the game itself has ended, by victory, defeat or the step limit.
    """

    def __init__(self, plan: Plan) -> None:
        """Begins the plan's first episode.

        Raises:
            ValueError: If the plan's settings cannot be met.
        """
        self.plan = plan
        self.over = False
        self._batch = ArenaBatch(plan, count=1)
        self._batch.begin(0, 0)

    @property
    def arenas(self) -> Arenas:
        """The arena, a batch of one; to be read only."""
        return self._batch.arenas

    @property
    def steps(self) -> int:
        """Steps played so far."""
        return int(self._batch.steps[0])

    def step(self, action: NDArray[np.float32]) -> None:
        """Plays one step.

        Args:
            action: (5,) move_x, move_z, aim_x, aim_z, dash.

        Raises:
            ValueError: If the action is not finite; nothing has been played then.
        """
        self.over = self._batch.move(action[np.newaxis], [0]).size > 0

    def result(self, unfinished: str) -> Episode:
        """The episode, to be kept; it is played no further.

        Args:
            unfinished: Why it ends here if it is not over: such an episode is marked as failed,
                so that it is not mistaken for play.
        """
        reason = f"{unfinished} after {self.steps} steps"
        return self._batch.finish(0, failure=None if self.over else (AGENT_FAILED, reason))
