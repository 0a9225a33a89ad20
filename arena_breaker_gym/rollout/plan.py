"""`Plan`: what a rollout is to play, episode by episode, and whether a stored one is part of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.utils import seeding

from arena_breaker_gym._runtime.plain import plain_int
from arena_breaker_gym._runtime.stored import shortened
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.env import draw_keys
from arena_breaker_gym.rollout.episode import Episode, Latency
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.stages.loader import load_campaign


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Episodes 0, 1, 2, … of one agent: equal plans, equal episodes.

    Attributes:
        agent: The agent's name.
        settings: The game's settings.
        seed: Episode i is seeded seed + i.
        stages: Episode i begins on stage stages[i modulo their number].
        max_steps: Steps after which an episode is cut off.
        latency: What the agent is charged for its thinking; None: the game waits.
    """

    agent: str
    settings: Settings
    seed: int
    stages: tuple[int, ...]
    max_steps: int
    latency: Latency = None

    def seed_of(self, index: int) -> int:
        """The seed of an episode."""
        return self.seed + index

    def stage_of(self, index: int) -> int:
        """The stage that an episode begins on."""
        return self.stages[index % len(self.stages)]

    def keys_of(self, index: int) -> list[int]:
        """The game's random keys, those that `env.reset(seed=seed_of(index))` draws."""
        return draw_keys(seeding.np_random(self.seed_of(index))[0])

    def checked_digest(self) -> str:
        """Digest of the stage files as they are now.

        Raises:
            ValueError: If an episode is to begin on a stage that there is not; a stage file is
                refused with a `StageError`.
        """
        campaign = load_campaign(self.settings.stages)
        count = len(campaign.models)
        for stage in self.stages:
            plain_int("stage", stage, most=count)
        return campaign.digest

    def difference(self, index: int, episode: Episode, *, stages_digest: str) -> str | None:
        """What keeps a stored episode from being this plan's; None if it is this plan's.

        Args:
            index: The episode's number.
            episode: What is stored under it.
            stages_digest: Digest of the stages as they are now.
        """
        stored, wanted = _identity(episode), self._identity(index, stages_digest)
        for name, value in wanted.items():
            if stored[name] != value:
                if name == "stages_digest":
                    return "other stage files than there are now"
                return f"{name}={shortened(stored[name])}, not {shortened(value)}"
        return None

    def _identity(self, index: int, stages_digest: str) -> dict[str, Any]:
        return {
            "agent": self.agent,
            **_played_settings(self.settings),
            "seed": self.seed_of(index),
            "stage": self.stage_of(index),
            "max_steps": self.max_steps,
            "latency": self.latency,
            "engine_version": ENGINE_VERSION,
            "stages_digest": stages_digest,
        }


def stages_from(stage: int | Sequence[int] | None, settings: Settings) -> tuple[int, ...]:
    """The stages that episodes begin on in turn: one, several, or the settings' own."""
    if stage is None:
        return (settings.start_stage,)
    stages = tuple(stage) if isinstance(stage, Sequence | np.ndarray) else (stage,)
    if not stages:
        raise ValueError("stage must name at least one stage, but the list is empty.")
    return tuple(plain_int("stage", one) for one in stages)


def _identity(episode: Episode) -> dict[str, Any]:
    return {
        "agent": episode.agent,
        **_played_settings(episode.settings),
        "seed": episode.seed,
        "stage": episode.stage,
        "max_steps": episode.max_steps,
        "latency": episode.latency,
        "engine_version": episode.engine_version,
        "stages_digest": episode.stages_digest,
    }


def _played_settings(settings: Settings) -> dict[str, Any]:
    """Settings by name, less the stages, which digest and stage say better, and `observation`.

    An agent is shown what it needs, whatever the environment would hand out.
    """
    values = settings.to_dict()
    del values["stages"], values["start_stage"], values["observation"]
    return values
