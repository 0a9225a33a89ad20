"""What all tests share: no window opens, no sound plays, one thread computes."""

import os
import sys

import pytest

# Small models gain nothing from threads, and threads that wait for each other cost much.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

THREADS = int(os.environ["OMP_NUM_THREADS"])


@pytest.fixture(autouse=True)
def as_many_threads_as_before():
    """What a test sets is its own: sums are rounded otherwise by other numbers of threads."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != THREADS:
        torch.set_num_threads(THREADS)
