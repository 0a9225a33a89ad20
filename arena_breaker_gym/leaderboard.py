"""The leaderboard: agents measured on one public list of seeds, a file a row.

All agents play the same episodes: `EPISODES` games from stage 1 in the default skin, with the
point-blank fix, seeded `FIRST_SEED` and on, and the game waits. A file more in the folder is a row
more on the page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.rollout.agent import Agent, pixel_size_of
from arena_breaker_gym.rollout.backends import Backend
from arena_breaker_gym.rollout.benchmark import BenchmarkConfig, Watch, evaluate
from arena_breaker_gym.rollout.metrics import Row
from arena_breaker_gym.rollout.results import is_whole_row
from arena_breaker_gym.settings import Settings

EPISODES, FIRST_SEED = 100, 20_000
"""The public list of seeds: 20,000 to 20,099, apart from those of demonstrations and trainings."""

_MOST_BYTES = 2**20

__all__ = [
    "EPISODES",
    "FIRST_SEED",
    "Entry",
    "EntryError",
    "measure_entry",
    "ranked",
    "read_entries",
]


class EntryError(ValueError):
    """A file that is no entry of the leaderboard."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An agent's row.

    Attributes:
        agent: What it is called on the page.
        source: What it was made from, as on a command line.
        command: The command that measured it.
        note: What a reader should know: how it was trained, on what.
        package_version: Of the package that measured.
        engine_version: Of the rules; rows of different rules cannot be compared.
        pixel_size: Side of the frames that it was offered, in pixels.
        row: As `metrics.row_of` makes it.
        format: What the file is.
    """

    agent: str
    source: str
    command: str
    note: str
    package_version: str
    engine_version: int
    pixel_size: int
    row: Row
    format: Literal["arena-breaker-leaderboard"] = "arena-breaker-leaderboard"

    def save(self, path: Path) -> Path:
        """Writes the entry as JSON, whole or not at all."""
        with written_whole(path) as part:
            text = json.dumps(asdict(self), indent=1, allow_nan=False)
            part.write_text(text + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: Path) -> Entry:
        """Reads what `save` wrote.

        Raises:
            EntryError: If the file is damaged or something else.
        """
        try:
            with path.open("rb") as file:
                entry = _FILE.validate_json(file.read(_MOST_BYTES))
            told = is_whole_row(entry.row) and entry.row["kills"]["mean"] is not None
        except (OSError, ValueError, KeyError, TypeError):
            told = False
        if not told:
            raise EntryError(f"{path}: this is no entry of the leaderboard.")
        return entry


_FILE: TypeAdapter[Entry] = TypeAdapter(Entry)


def measure_entry(
    make: Callable[[], Agent],
    *,
    agent: str,
    source: str,
    command: str,
    note: str = "",
    pixel_size: int | None = None,
    out: Path | None = None,
    backend: Backend | str | None = None,
    watch: Watch | None = None,
) -> Entry:
    """Measures an agent on the public list of seeds.

    Args:
        make: How the agent is made.
        agent: As in `Entry`.
        source: As in `Entry`.
        command: As in `Entry`.
        note: As in `Entry`.
        pixel_size: As in `Entry`; None: as the agent learned from, or 256.
        out: Where its episodes are kept, so that an interrupted call goes on; None: nowhere.
        backend: Where episodes are played; see `rollout`.
        watch: Called after every step of the batch.

    Raises:
        ValueError: If the agent failed in an episode, so that its mean would be of the others.
    """
    if pixel_size is None:
        with closing(make()) as one:
            pixel_size = pixel_size_of(one, Settings.pixel_size)
    terms = BenchmarkConfig(
        episodes=EPISODES,
        seed=FIRST_SEED,
        settings=Settings(pixel_size=pixel_size),
        num_envs=EPISODES,
    )
    (row,) = evaluate(agent, make, terms, out=out, backend=backend, watch=watch)
    if "failures" in row:
        raise ValueError(f"{agent} failed in episodes, and gets no row: {row['failures']}.")
    return Entry(
        agent=agent,
        source=source,
        command=command,
        note=note,
        package_version=version("arena-breaker-gym"),
        engine_version=ENGINE_VERSION,
        pixel_size=pixel_size,
        row=row,
    )


def read_entries(folder: Path) -> list[Entry]:
    """All entries of a folder, best first.

    Raises:
        EntryError: If a file of the folder is none.
    """
    return ranked(Entry.load(path) for path in sorted(folder.glob("*.json")))


def ranked(entries: Iterable[Entry]) -> list[Entry]:
    """Entries by kills, most first; those of equal kills by name."""

    def place(entry: Entry) -> tuple[float, str]:
        kills: Any = entry.row["kills"]["mean"]
        return -float(kills), entry.agent

    return sorted(entries, key=place)
