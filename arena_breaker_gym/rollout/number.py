"""`claimed_number`: the next free number of a folder of episodes, for one writer alone."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from arena_breaker_gym.rollout.store import EpisodeStore


@contextmanager
def claimed_number(store: EpisodeStore) -> Iterator[int]:
    """Gives the next number, which no other process is given while the block saves under it.

    A claim is an empty hidden file. One whose process was killed stays, and its number is
    left out.

    Args:
        store: Where an episode is to be saved; the folder is made if it is missing.

    Yields:
        The number.

    Raises:
        OSError: If the folder cannot be written.
    """
    store.folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(max(store.indices(), default=-1) + 1):
        claim = store.folder / f".episode_{number:06d}.claim"
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            continue
        try:
            if store.has(number):  # saved and let go of since we looked
                continue
            yield number
            return
        finally:
            claim.unlink()
