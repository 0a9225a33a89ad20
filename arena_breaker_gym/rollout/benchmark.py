"""`benchmark`: several agents on equal seeds, stages and settings, side by side in one result."""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from arena_breaker_gym._runtime.plain import plain_int
from arena_breaker_gym._runtime.pools import ReportShare
from arena_breaker_gym.deprecated import old_names
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.rollout.agent import Agent, pixel_size_of
from arena_breaker_gym.rollout.backends import Backend, opened
from arena_breaker_gym.rollout.episode import Latency, checked_latency
from arena_breaker_gym.rollout.metrics import Row, row_of
from arena_breaker_gym.rollout.results import FILE_NAME, Results
from arena_breaker_gym.rollout.rollout import Progress, rollout
from arena_breaker_gym.rollout.store import EpisodeStore
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings
from arena_breaker_gym.stages.loader import load_campaign

# Told after every step of the batch who plays on which stage, and how far that is.
Watch = Callable[[str, int, Progress], None]
# What rows call an agent, of what it was called by and the agent.
Label = Callable[[str, Agent], str]


__getattr__ = old_names(__name__, {"Terms": f"{__name__}.BenchmarkConfig"})


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """What all agents of a benchmark have in common.

    Attributes:
        episodes: Episodes for each agent on each stage.
        seed: Episode i of every agent on every stage is seeded seed + i.
        settings: The game's settings.
        own_pixel_size: Whether an agent that learned from frames of one size (`FixedPixels`) is
            shown these, whatever `settings` say.
        stages: Stages that episodes begin on; each gives a row.
        max_steps: Steps after which an episode is cut off.
        num_envs: Arenas side by side, which changes no result; None: see `rollout`.
        latency: What agents are charged for their thinking; see `rollout`.

    Raises:
        ValueError: If a number is none, or out of range.
    """

    episodes: int
    seed: int = 0
    settings: Settings = field(default_factory=Settings)
    own_pixel_size: bool = False
    stages: tuple[int, ...] = (1,)
    max_steps: int = MAX_EPISODE_STEPS
    num_envs: int | None = None
    latency: Latency = None

    def __post_init__(self) -> None:
        """Makes plain numbers of what was given."""
        plain = {
            "episodes": plain_int("episodes", self.episodes),
            "seed": plain_int("seed", self.seed, least=0),
            "stages": tuple(plain_int("stage", stage) for stage in self.stages),
            "max_steps": plain_int("max_steps", self.max_steps),
            "latency": checked_latency(self.latency),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """What was played, in plain JSON values."""
        return {
            **self.settings.to_dict(),
            "own_pixel_size": self.own_pixel_size,
            "episodes": self.episodes,
            "seed": self.seed,
            "start_stages": list(self.stages),
            "max_steps": self.max_steps,
            "latency": self.latency,
            "engine_version": ENGINE_VERSION,
        }


def benchmark(
    agents: Mapping[str, Callable[[], Agent]],
    terms: BenchmarkConfig,
    *,
    out: Path | None = None,
    backend: Backend | str | None = None,
    watch: Watch | None = None,
    label: Label | None = None,
) -> Results:
    """Measures agents on equal terms.

    Each agent is made when its turn comes and closed after it. With `out`, episodes are kept
    as they end, an interrupted call goes on where it stopped when it is made again, and
    `results.json` is written after each agent. `timings_s` are of the call that played last.

    Args:
        agents: By the name that is to stand in the rows, how to make each.
        terms: What they play.
        out: Folder for episodes and results; None keeps nothing.
        backend: Where episodes are played; see `rollout`.
        watch: Called after every step of the batch.
        label: What rows call an agent; None: what `agents` calls it. Folders stay as they are.

    Returns:
        A row for each agent and stage.

    Raises:
        ValueError: If an argument is bad, there is no such skin or stage, or `out` holds episodes
            played on other terms.
    """
    if not agents or not terms.stages:
        raise ValueError("A benchmark needs at least one agent and one stage.")
    terms.settings.check_skin()
    count = len(load_campaign(terms.settings.stages).models)
    for stage in terms.stages:
        plain_int("stage", stage, most=count)
    timings = _last_timings(agents, terms, out)
    began = time.perf_counter()
    rows: list[Row] = []
    with opened(backend) as chosen:
        for name, make in agents.items():
            rows += evaluate(name, make, terms, out=out, backend=chosen, watch=watch, label=label)
            taken = timings or {"evaluation": round(time.perf_counter() - began, 3)}
            results = Results(rows, terms.to_dict(), taken)
            if out is not None:
                results.save(out)
    return results


def evaluate(
    name: str,
    make: Callable[[], Agent],
    terms: BenchmarkConfig,
    *,
    out: Path | None = None,
    backend: Backend | str | None = None,
    watch: Watch | None = None,
    label: Label | None = None,
) -> list[Row]:
    """Measures one agent: a row for each stage. See `benchmark` for the arguments."""
    rows = []
    agent = make()
    settings = terms.settings
    if terms.own_pixel_size:
        settings = replace(settings, pixel_size=pixel_size_of(agent, settings.pixel_size))
    try:
        for stage in terms.stages:
            episodes = rollout(
                agent,
                episodes=terms.episodes,
                seed=terms.seed,
                num_envs=terms.num_envs,
                env=settings,
                stage=stage,
                max_steps=terms.max_steps,
                latency=terms.latency,
                recorder=None if out is None else store_of(out, name, stage=stage),
                backend=backend,
                progress=None if watch is None else _reporter(watch, name, stage),
            )
            rows.append(row_of(label(name, agent) if label else name, episodes))
    finally:
        agent.close()
    return rows


def store_of(out: Path, name: str, *, stage: int) -> EpisodeStore:
    """Where the episodes of an agent on a stage are kept."""
    folder = re.sub(r"[^\w.-]+", "_", name)
    return EpisodeStore(out / "episodes" / folder / f"stage_{stage}")


@dataclass(frozen=True)
class RowTask:
    """Who is measured, how that agent is made, on what terms, and where that is kept.

    Called, it plays what is not in the folder yet: `rows` then finds all of it there.

    Attributes:
        name: Who plays.
        make: How that agent is made; in another process, if it is played there.
        terms: What is played.
        folder: Where the episodes are kept.
    """

    name: str
    make: Callable[[], Agent]
    terms: BenchmarkConfig
    folder: Path

    def __call__(self, report: ReportShare) -> None:
        """Plays; see `work_side_by_side`."""
        self.rows(report)

    def rows(self, report: ReportShare, *, backend: Backend | None = None) -> list[Row]:
        """The rows, one for each stage; what is not in the folder yet is played here.

        Args:
            report: Told what share is played, one stage after another.
            backend: Where; see `rollout`.
        """
        stages = self.terms.stages

        def watch(name: str, stage: int, now: Progress) -> None:
            report((stages.index(stage) + now.share) / len(stages))

        return evaluate(
            self.name, self.make, self.terms, out=self.folder, backend=backend, watch=watch
        )

    def by_stage(self) -> list["RowTask"]:
        """A task for each row."""
        alone = (replace(self.terms, stages=(stage,)) for stage in self.terms.stages)
        return [replace(self, terms=terms) for terms in alone]

    def done(self) -> bool:
        """Whether all of its episodes are in the folder."""
        return _all_played([self.name], self.terms, self.folder)


def _reporter(watch: Watch, name: str, stage: int) -> Callable[[Progress], None]:
    return lambda progress: watch(name, stage, progress)


def _last_timings(
    agents: Mapping[str, Callable[[], Agent]], terms: BenchmarkConfig, out: Path | None
) -> Mapping[str, float] | None:
    """The timings on file if nothing is left to play, so that a second look keeps them."""
    if out is None or not (out / FILE_NAME).exists():
        return None
    return Results.load(out).timings_s if _all_played(agents, terms, out) else None


def _all_played(names: Iterable[str], terms: BenchmarkConfig, out: Path) -> bool:
    stores = [store_of(out, name, stage=stage) for name in names for stage in terms.stages]
    return all(store.has(index) for store in stores for index in range(terms.episodes))
