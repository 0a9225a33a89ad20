"""`Source`: the stored episodes that become one data set, and what they have in common."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from arena_breaker_gym.rollout.episode import Episode, looks_of
from arena_breaker_gym.rollout.replay import check_stages_named
from arena_breaker_gym.rollout.store import EpisodeStore
from arena_breaker_gym.settings import Settings


class ExportError(ValueError):
    """Episodes cannot become a data set; the message says which and why."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Episodes of one store that were played under one set of settings.

    Attributes:
        store: Where they are.
        indices: Their numbers, rising; those that an agent failed are left out.
        settings: All of them have these, the stage that they begin on aside.
        max_steps: All of them had this time limit.
        agents: Who played, sorted.
        steps: Of all episodes together.
        digest: Of how each of them ended: another source has another one.
    """

    store: EpisodeStore
    indices: tuple[int, ...]
    settings: Settings
    max_steps: int
    agents: tuple[str, ...]
    steps: int
    digest: str

    def __iter__(self) -> Iterator[Episode]:
        """The episodes in order, read one at a time."""
        return (self.store.load(index) for index in self.indices)

    def __len__(self) -> int:
        """How many episodes there are."""
        return len(self.indices)


def source_of(store: EpisodeStore) -> Source:
    """Reads what the episodes of a store have in common.

    Raises:
        ExportError: If there are none, or they were played under different settings.
        ValueError: If one is damaged, or names stages or a skin that must be vouched for.
    """
    first: Episode | None = None
    indices: list[int] = []
    agents: set[str] = set()
    steps, digest = 0, sha256()
    for index in store.indices():
        episode = store.load(index)
        if episode.failed or not len(episode):
            continue
        check_stages_named(episode)
        looks_of(episode)
        first = first or episode
        _check_alike(
            first, episode, f"{store.folder}: episodes {(indices or [index])[0]} and {index}"
        )
        indices.append(index)
        agents.add(episode.agent)
        steps += len(episode)
        digest.update(f"{index} {episode.seed} {episode.final_hash}\n".encode())
    if first is None:
        raise ExportError(f"{store.folder}: holds no episode to export.")
    return Source(
        store=store,
        indices=tuple(indices),
        settings=replace(first.settings, start_stage=1),
        max_steps=first.max_steps,
        agents=tuple(sorted(agents)),
        steps=steps,
        digest=digest.hexdigest(),
    )


def _check_alike(first: Episode, other: Episode, which: str) -> None:
    """Refuses two episodes that one environment could not have brought forth."""
    mine, yours = _terms(first), _terms(other)
    for name, value in mine.items():
        if yours[name] != value:
            raise ExportError(
                f"{which} differ in {name} ({value!r:.60} and {yours[name]!r:.60}): a data set is "
                "of one environment, so export them apart."
            )


def _terms(episode: Episode) -> dict[str, Any]:
    """What must be alike: all but the stage to begin on, and what an agent was shown."""
    values = episode.settings.to_dict()
    del values["start_stage"], values["observation"], values["pixel_size"]
    return {**values, "max_steps": episode.max_steps}
