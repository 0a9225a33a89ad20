"""The leaderboard: agents measured on one public list of seeds, a file a row."""

from arena_breaker_gym.leaderboard.entry import (
    EPISODES,
    FIRST_SEED,
    Entry,
    EntryError,
    measure_entry,
    ranked,
    read_entries,
)

__all__ = [
    "EPISODES",
    "FIRST_SEED",
    "Entry",
    "EntryError",
    "measure_entry",
    "ranked",
    "read_entries",
]
