"""`Episode`: one reset-to-end run as it is kept: seed, settings, actions, and what came of them.

`Plan` says what a rollout is to play, episode by episode, and whether a stored one is part of it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from arena_breaker_gym._runtime.plain import plain_int
from arena_breaker_gym._runtime.stored import shortened
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.env import draw_keys
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.stages.loader import is_text_of_stage, load_campaign

if TYPE_CHECKING:
    from moviepy import VideoClip

    from arena_breaker_gym.rollout.replay import Layers

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

    def clip(
        self,
        *,
        skin: str | None = None,
        size: int = 512,
        layers: "Layers | None" = None,
        caption: str | None = None,
    ) -> "VideoClip":
        """The episode as a moviepy `VideoClip`, to be cut and combined with moviepy's own tools.

        Frames are drawn when moviepy asks for them: `episode.clip().subclipped(3, 8)` draws five
        seconds.

        Args:
            skin: Looks; None: those that it was played in.
            size: Side of the frames in pixels, 32 to 1024.
            layers: What is drawn over the frames (`replay.Layers`); None: HUD and caption.
            caption: The words of the caption layer, in which {agent}, {seed}, {kills} and {score}
                stand for the episode's; None: agent, seed and kills.

        Raises:
            ValueError: If the size is out of range, or, once frames are asked for, if the episode
                does not play as recorded.
            MissingExtraError: If the extra "video" is not installed.
        """
        from arena_breaker_gym.rollout.replay import CAPTION
        from arena_breaker_gym.rollout.video import DEFAULT_LAYERS, moviepy_clip

        layers = DEFAULT_LAYERS if layers is None else layers
        caption = CAPTION if caption is None else caption
        return moviepy_clip(self, skin=skin, size=size, layers=layers, caption=caption)

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

    def _identity(self, index: int, stages_digest: str) -> dict[str, object]:
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


def _identity(episode: Episode) -> dict[str, object]:
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


def _played_settings(settings: Settings) -> dict[str, object]:
    """Settings by name, less the stages, which digest and stage say better, and `observation`.

    An agent is shown what it needs, whatever the environment would hand out.
    """
    values = settings.to_dict()
    del values["stages"], values["start_stage"], values["observation"]
    return values
