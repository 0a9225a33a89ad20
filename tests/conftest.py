"""What all tests share: no window opens, no sound plays, one thread computes."""

import os

# Small models gain nothing from threads, and threads that wait for each other cost much.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
