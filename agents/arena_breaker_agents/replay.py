"""`ReplayAgent`: plays a tutor's transcript again, without asking a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from arena_breaker_agents.tutor.deciding import EpisodeContext
from arena_breaker_agents.tutor.decision import Decision
from arena_breaker_agents.tutor.transcript import Line, Transcript, TranscriptError
from arena_breaker_gym._runtime.stored import is_whole
from arena_breaker_gym.rollout.agent import AgentFactory, AgentFailure, Observations, SendRequest

_MOST = 10**6  # whatever a tutor was allowed to answer has been checked when it did


class ReplayAgent:
    """Decides as a transcript says, and fails where it ends or the game is another."""

    needs = ("snapshot",)

    def __init__(self, transcript: Transcript) -> None:
        """Takes a transcript to play from.

        Args:
            transcript: That of a run.
        """
        self.transcript = transcript
        self.name = f"replay of {transcript.heading.get('agent', 'a transcript')}"
        self._contexts: dict[int, EpisodeContext] = {}

    @classmethod
    def from_source(cls, source: str) -> Self:
        """An agent from a transcript's file, or the folder of the run that wrote it.

        Raises:
            TranscriptError: If there is none, or it is damaged.
        """
        return cls(Transcript.find(Path(source)))

    @property
    def played(self) -> Mapping[str, object]:
        """What the transcript's run played, as arguments of `rollout`.

        Raises:
            TranscriptError: If it does not say.
        """
        plan: Any = self.transcript.heading.get("plan")
        if not _is_plan(plan):
            raise TranscriptError(f"{self.transcript.path}: its first line describes no run.")
        seeds = self.transcript.seeds
        return {
            "episodes": max(seeds[-1] - plan["seed"] + 1, 1) if seeds else 1,
            "seed": plan["seed"],
            "stage": plan["stages"],
            "max_steps": plan["max_steps"],
            "settings": plan["settings"],
            "latency": plan["latency"],
        }

    def agent_factory(self) -> AgentFactory:
        """How it is made in another process: from the transcript's lines, without its file."""
        return _Factory(self.transcript.copied())

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """An episode begins in these arenas."""
        for arena in arenas:
            self._contexts[arena] = EpisodeContext(seed or 0, history=0)

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.float32]:
        """The next action of each arena's decision, (n, 5).

        Raises:
            AgentFailure: Where the transcript has none for what is seen.
        """
        rows, failures = np.zeros((len(arenas), 5), dtype=np.float32), {}
        for row, arena in enumerate(arenas):
            context, snapshot = self._contexts[arena], observations.snapshots[row]
            try:
                if context.needs_decision:
                    context.hold(snapshot, self._decision(context, snapshot))
                rows[row] = context.next()
            except LookupError as lack:
                failures[arena] = str(lack.args[0])
        if failures:
            raise AgentFailure(failures, actions=rows)
        return rows

    def close(self) -> None:
        """Holds nothing that needs closing."""

    def _decision(self, context: EpisodeContext, snapshot: Mapping[str, object]) -> Decision:
        lines = self.transcript.of(context.seed, context.decisions)
        if not lines or not lines[-1].answered:
            raise LookupError(_end_of(context, lines))
        if lines[-1].snapshot != snapshot:
            raise LookupError("the game is not the one of the transcript")
        return Decision.from_call(lines[-1].answer, decision_steps=_MOST, most_holds=_MOST)


@dataclass(frozen=True)
class _Factory:
    transcript: Transcript

    def __call__(self, ask: SendRequest) -> ReplayAgent:
        return ReplayAgent(self.transcript)


def _is_plan(plan: Any) -> bool:
    """Whether a transcript's first line says what was played."""
    game = plan.get("settings") if isinstance(plan, dict) else None
    if not isinstance(game, dict) or not isinstance(game.get("point_blank_fix"), bool):
        return False
    files, stages = game.get("stages", 0), plan.get("stages")
    lists = isinstance(stages, list) and (files is None or isinstance(files, list))
    whole = lists and stages and all(is_whole(one, least=1) for one in stages)
    named = all(isinstance(one, str) for one in files or ()) if lists else False
    seed = is_whole(plan.get("seed"), most=2**256)
    steps = is_whole(plan.get("max_steps"), least=1)
    return bool(whole and named and seed and steps and "latency" in plan)


def _end_of(context: EpisodeContext, lines: Sequence[Line]) -> str:
    if lines:
        return lines[-1].problem.rstrip(".")
    if context.decisions == 0:
        return f"the transcript has no episode with seed {context.seed}"
    return f"the transcript ends after {context.decisions} decisions"
