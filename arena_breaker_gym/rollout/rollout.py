"""`rollout`: an agent plays seeded episodes in a batch of arenas; all measuring starts here."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from arena_breaker_gym._runtime.files import Claim, claimed
from arena_breaker_gym._runtime.plain import plain_int
from arena_breaker_gym.deprecated import warn
from arena_breaker_gym.rollout.agent import NEEDS, Agent, RunStopped, pixel_size_of
from arena_breaker_gym.rollout.backends import MOST_ARENAS, Backend, BackendReport, Work, opened
from arena_breaker_gym.rollout.episode import (
    MEASURED,
    Episode,
    Latency,
    Plan,
    StoredEpisode,
    checked_latency,
    stages_from,
)
from arena_breaker_gym.rollout.store import EpisodeError, EpisodeStore
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings, closest


@dataclass(frozen=True)
class Progress:
    """How far a rollout is.

    Attributes:
        done: Episodes finished, those found on disk included.
        total: Episodes asked for.
        share: Share of the work done, in [0, 1], counting every unfinished episode as if it
            were to last until the step limit.
        steps: Steps played by this call, in all arenas together.
    """

    done: int
    total: int
    share: float
    steps: int


def rollout(
    agent: Agent,
    *,
    episodes: int,
    seed: int = 0,
    num_envs: int | None = None,
    env: Settings | Mapping[str, object] | None = None,
    stage: int | Sequence[int] | None = None,
    max_steps: int = MAX_EPISODE_STEPS,
    latency: Latency = None,
    recorder: EpisodeStore | None = None,
    keep_snapshots: bool = False,
    retry_failed: bool = False,
    backend: Backend | str | None = None,
    engine: Backend | str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[Episode]:
    """Plays episodes; episode i equals a single environment reset with seed + i.

    Results do not depend on `num_envs`, as long as what the agent does in one arena does not
    depend on the others.

    Args:
        agent: Who plays; it is not closed afterwards.
        episodes: How many.
        seed: Of episode 0; 0 or above.
        num_envs: Arenas side by side, in each worker if there are several; None: one an episode,
            at most 16, and one in all where the latency is measured.
        env: Settings of the game, as such or as keywords; where keywords name no `pixel_size`, an
            agent that learned from frames of one size is shown these. None: the defaults.
        stage: Stage that episodes begin on, or several for episodes to take in turn; None:
            the settings' `start_stage`.
        max_steps: Steps after which an episode is cut off.
        latency: Ticks of 1/60 s, rounded up to whole steps, that pass in an arena from the
            agent's look until its answer takes effect; meanwhile it is not asked, and the last
            action goes on (or what `HoldsAction.action_while_waiting` says). "measured": as many
            ticks as went by on the clock while the agent's `act` ran; that needs one arena at a
            time.
            None or 0: the game waits.
        recorder: Where each finished episode is written at once. Episodes that it holds already
            are taken from there and not played again.
        keep_snapshots: Whether episodes of agents that need snapshots keep one for each step.
        retry_failed: Whether episodes that the recorder holds as failed are played again.
        backend: Where episodes are played: "local" (None is the same), "ray" for a Ray cluster on
            this machine, or a backend of your own making, which is not closed afterwards; see
            `backends.ray_backend.RayBackend`.
        engine: The old name of `backend`.
        progress: Called after every step of the batch, by workers some times a second.

    Returns:
        The episodes in order.

    Raises:
        ValueError: If an argument is bad, or the recorder holds episodes of another agent,
            seed, stage, setting or latency; nothing has been played then.
        RunStopped: If the agent ends the whole rollout; it holds the finished episodes.
    """
    if engine is not None:
        warn("rollout(engine=)", "rollout(backend=)")
        backend = engine
    settings = env if isinstance(env, Settings) else _settings_for(agent, env or {})
    settings.check_skin()
    latency = checked_latency(latency)
    episodes = plain_int("episodes", episodes)
    seed = plain_int("seed", seed, least=0)
    count = _most_arenas(latency) if num_envs is None else plain_int("num_envs", num_envs)
    max_steps = plain_int("max_steps", max_steps)
    _check_alone(count, latency)
    _check_needs(agent)
    plan = Plan(
        agent=agent.name,
        settings=settings,
        seed=seed,
        stages=stages_from(stage, settings),
        max_steps=max_steps,
        latency=latency,
    )
    digest = plan.checked_digest()
    with _claimed(recorder) as claim:
        stored = {} if recorder is None else _stored(plan, recorder, digest)
        if retry_failed:
            stored = {index: one for index, one in stored.items() if not one.failed}
        finished = {index: stored[index] for index in range(episodes) if index in stored}
        waiting = deque(index for index in range(episodes) if index not in finished)
        work = Work(
            agent=agent,
            plan=plan,
            waiting=waiting,
            arenas=count,
            keep_snapshots=keep_snapshots and "snapshot" in agent.needs,
            folder=None if recorder is None else recorder.folder,
            watched=progress is not None,
        )
        with opened(backend) as chosen:
            _Run(work, finished, recorder, progress, claim).play(chosen)
    return [finished[index] for index in range(episodes)]


@contextlib.contextmanager
def _claimed(recorder: EpisodeStore | None) -> Iterator[Claim | None]:
    if recorder is None:
        yield None
    else:
        with claimed(recorder.folder) as claim:
            yield claim


class _Run:
    """One call of `rollout` under way: takes what a backend reports, and writes it down."""

    def __init__(
        self,
        work: Work,
        finished: dict[int, Episode],
        recorder: EpisodeStore | None,
        progress: Callable[[Progress], None] | None,
        claim: Claim | None,
    ) -> None:
        self.claim = claim
        self.work = work
        self.finished = finished
        self.recorder = recorder
        self.progress = progress
        self.total = len(work.waiting) + len(finished)
        self.steps = 0

    def play(self, backend: Backend) -> None:
        try:
            # Closed whatever happens, so that an interrupted backend calls its workers back.
            with contextlib.closing(backend.play(self.work)) as reports:
                for report in reports:
                    self._take(report)
        except RunStopped as stop:
            stop.episodes = [self.finished[index] for index in sorted(self.finished)]
            raise

    def _take(self, report: BackendReport) -> None:
        """Writes finished episodes down before anything else is played."""
        for index, episode in report.finished.items():
            if self.recorder is not None and self.claim is not None:
                self.claim.check()
                self.recorder.save(index, episode)
            self.finished[index] = episode
        self.steps += report.steps
        if self.progress is not None:
            done = len(self.finished)
            share = (done + report.begun) / self.total
            self.progress(Progress(done, self.total, share, self.steps))


def _most_arenas(latency: Latency) -> int:
    return 1 if latency == MEASURED else MOST_ARENAS


def _check_alone(count: int, latency: Latency) -> None:
    # The forward pass of a batch is not what one arena would wait for.
    if latency == MEASURED and count > 1:
        raise ValueError(
            "latency='measured' plays one arena at a time: leave num_envs out or make it 1, "
            f"got {count}."
        )


def _settings_for(agent: Agent, keywords: Mapping[str, object]) -> Settings:
    """The game of what was said, with frames of the agent's own size where nothing was."""
    own = pixel_size_of(agent, Settings.pixel_size)
    return Settings.from_keywords({"pixel_size": own, **keywords})


def _check_needs(agent: Agent) -> None:
    for need in agent.needs:
        if need not in NEEDS:
            raise ValueError(f"Agent {agent.name!r} needs {need!r}; {closest(need, NEEDS)}.")


def _stored(plan: Plan, recorder: EpisodeStore, stages_digest: str) -> dict[int, Episode]:
    """The plan's episodes that are on disk.

    Raises:
        EpisodeError: If one of them is not the plan's.
    """
    found: dict[int, Episode] = {}
    for index in recorder.indices():
        episode = recorder.load(index)
        difference = plan.difference(index, episode, stages_digest=stages_digest)
        if difference is not None:
            raise EpisodeError(
                f"{recorder.path_of(index)} belongs to another rollout ({difference}): "
                "give this one a folder of its own."
            )
        # Its stages are the plan's, which the caller has named.
        if isinstance(episode, StoredEpisode):
            episode = episode.named(plan.settings.stages)
        found[index] = episode
    return found
