"""Memory between two steps of a training: kept by the process instead of given back."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Names of mallopt(3)'s settings in glibc's malloc.h."""

_NEVER = 2**31 - 1


def keep_memory() -> None:
    """Let this process keep the memory of large tensors for the next ones, where glibc serves it.

    By default glibc returns each large block to the system when it is freed, and the next step of
    a training pays for every page of it anew. It changes no number. On other systems and with
    other C libraries nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _NEVER)
