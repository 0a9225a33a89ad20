"""`Episode`: one reset-to-end run as it is kept: seed, settings, actions, and what came of them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.plain import plain_int
from arena_breaker_gym._runtime.stored import shortened
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.stages.loader import is_text_of_stage

# Ticks of 1/60 s that pass between a look and the moment its answer takes effect; "measured":
# as many as the agent really took; None: the game waits.
Latency = int | Literal["measured"] | None

MEASURED: Literal["measured"] = "measured"

COMPLETED = "completed"
TIME_LIMIT = "time limit"
AGENT_FAILED = "agent failed"
STATUSES = (COMPLETED, TIME_LIMIT, AGENT_FAILED)


def checked_latency(latency: object) -> Latency:
    """A latency as plans and files hold it: 0 ticks are a game that waits, None.

    Raises:
        ValueError: If it is none.
    """
    if latency is None:
        return None
    if isinstance(latency, str) and latency == MEASURED:
        return MEASURED
    try:
        return plain_int("latency", latency, least=0) or None
    except ValueError:
        raise ValueError(
            "latency must be a whole number of ticks (0: the game waits) or 'measured', "
            f"got {latency!r}."
        ) from None


def latency_from(text: str | None) -> Latency:
    """A latency from what a command line says: a whole number of ticks, or "measured".

    Raises:
        ValueError: If it is neither.
    """
    if text is None or not text.isdecimal():
        return checked_latency(text)
    return checked_latency(int(text))


def words_for(latency: Latency) -> str:
    """How a table calls it."""
    if latency is None:
        return "the game waits"
    return "real time" if latency == MEASURED else f"latency {latency} ticks"


@dataclass(frozen=True, kw_only=True, eq=False)
class Episode:
    """One episode of T steps, enough to play it again bit for bit.

    There are T actions and T + 1 moments. Moment t is what there was to see before action t,
    so frame t of a replay and `snapshots[t]` belong to `actions[t]`; moment T is the end.

    Attributes:
        agent: Name of the agent that played.
        settings: The game's settings.
        seed: The episode's seed, as for `env.reset(seed=...)`.
        stage: The stage it began on (1, 2, …).
        max_steps: Steps after which it would have been cut off.
        actions: (T, 5) float32, as they were played.
        rewards: (T,) float64.
        status: "completed" (defeat or victory), "time limit" or "agent failed".
        reason: How it ended, in a few words, such as "victory" or "killed by saw".
        metrics: What `metrics.METRICS` names, as plain numbers.
        final_hash: SHA-256 of the engine version and the arena's final record.
        engine_version: Version of the rules that it was played under.
        stages_digest: SHA-256 of the stages that it was played on.
        snapshots: The T snapshots of the moments before each action, if they were kept: those
            that the agent saw, and with a latency those between.
        latency: What the agent was charged for its thinking; see `rollout`.
        drawn_by: The pygame that drew what the agent saw, such as "pygame 2.6.1"; None: it saw
            no pixels, or it was not recorded.
    """

    agent: str
    settings: Settings
    seed: int
    stage: int
    max_steps: int
    actions: NDArray[np.float32]
    rewards: NDArray[np.float64]
    status: str
    reason: str
    metrics: Mapping[str, float]
    final_hash: str
    engine_version: int
    stages_digest: str
    snapshots: Sequence[Mapping[str, Any]] | None = field(default=None, repr=False)
    latency: Latency = None
    drawn_by: str | None = None

    def __len__(self) -> int:
        """The number of steps, T."""
        return len(self.actions)

    @property
    def failed(self) -> bool:
        """Whether the agent gave up, so that this is no play to be judged."""
        return self.status == AGENT_FAILED

    def _repr_html_(self) -> str:
        """What a notebook shows of it: a small video, or words where that cannot be had."""
        from arena_breaker_gym.rollout.video import inline_video

        return inline_video(self)


class StoredEpisode(Episode):
    """An episode that was read from a file.

    Its settings come from a file: a path in them is not opened, since the user did not name it.
    If you have stages or a skin of your own for it, name them.
    """

    def stages_named(self) -> bool:
        """Whether its stages can be had: those that come along, or texts that lie in its file."""
        return all(is_text_of_stage(one) for one in self.settings.stages or ())

    def named(self, stages: Sequence[str] | None) -> Episode:
        """The same episode with stage files that the caller trusts."""
        own = None if stages is None else tuple(stages)
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return Episode(**{**values, "settings": replace(self.settings, stages=own)})


def looks_of(episode: Episode, skin: str | None = None) -> str:
    """What an episode is drawn in.

    Args:
        episode: Any.
        skin: The one that the caller asks for; None: that in which it was played.

    Raises:
        ValueError: If it was read from a file and was played in a skin that is a file of its own.
    """
    own = episode.settings.skin
    if skin is None and isinstance(episode, StoredEpisode) and own.endswith(".json"):
        raise ValueError(
            f"The episode of {shortened(episode.agent)} with seed {shortened(episode.seed)} was "
            f"played in a skin of its own, {shortened(own)}: say which skin to draw it in."
        )
    return own if skin is None else skin


def hash_of(record: np.record) -> str:
    """SHA-256 of the engine version and an arena's whole record, in hexadecimal digits."""
    digest = hashlib.sha256(f"engine {ENGINE_VERSION}\n".encode())
    digest.update(record.tobytes())
    return digest.hexdigest()
