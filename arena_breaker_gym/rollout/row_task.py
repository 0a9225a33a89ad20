"""`RowTask`: rows of a benchmark's table that another process can play ahead."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from arena_breaker_gym._runtime.side_by_side import Report
from arena_breaker_gym.rollout.agent import Agent
from arena_breaker_gym.rollout.backends import Backend
from arena_breaker_gym.rollout.benchmark import BenchmarkConfig, Watch, evaluate, store_of
from arena_breaker_gym.rollout.metrics import Row


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

    def __call__(self, report: Report) -> None:
        """Plays; see `work_side_by_side`."""
        stages = self.terms.stages
        self.rows(
            watch=lambda _, stage, now: report((stages.index(stage) + now.share) / len(stages))
        )

    def rows(self, *, backend: Backend | None = None, watch: Watch | None = None) -> list[Row]:
        """The rows, one for each stage; what is not in the folder yet is played here."""
        return evaluate(
            self.name, self.make, self.terms, out=self.folder, backend=backend, watch=watch
        )

    def by_stage(self) -> list["RowTask"]:
        """A task for each row."""
        alone = (replace(self.terms, stages=(stage,)) for stage in self.terms.stages)
        return [replace(self, terms=terms) for terms in alone]

    def done(self) -> bool:
        """Whether all of its episodes are in the folder."""
        stores = [store_of(self.folder, self.name, stage=stage) for stage in self.terms.stages]
        return all(store.has(index) for store in stores for index in range(self.terms.episodes))
