"""Ends what outlives a driver that was killed: run as a script beside the driver, from its start.

Ray's head and workers die with their driver; agents that belong to each machine go on for a minute,
in which they try to tell the dead head of its death. They are known by the logs that they write, in
the folder of the driver's session, whose name ends in the driver's number. Nothing but the standard
library is imported: it is to start at once and to cost nothing.
"""

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

EVERY_S = 0.5  # between two looks
UNTIL_S = 30.0  # after the driver's death

_PROCESSES = Path("/proc")


def main(driver: int) -> None:
    """Waits until a process is no more the parent of this one, and ends what is left of it.

    Args:
        driver: Its number.
    """
    session = re.compile(rf"/session_[\d_-]+_{driver}/")
    while os.getppid() == driver:
        time.sleep(EVERY_S)
    until = time.monotonic() + UNTIL_S
    while (left := [*_left_of(session)]) and time.monotonic() < until:
        for number in left:
            _end(number)
        time.sleep(EVERY_S)


def _left_of(session: re.Pattern[str]) -> Iterator[int]:
    """Processes that write into a session's folder; those that only read there are not Ray's."""
    for process in _PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is not ours
            files = [file.name for file in (process / "fd").iterdir()]
            if any(_writes_into(session, process, file) for file in files):
                yield int(process.name)


def _writes_into(session: re.Pattern[str], process: Path, file: str) -> bool:
    try:
        if not session.search(str((process / "fd" / file).readlink())):
            return False
        about = (process / "fdinfo" / file).read_text(encoding="ascii").split()
    except OSError:  # closed meanwhile
        return False
    return int(about[about.index("flags:") + 1], 8) & os.O_ACCMODE != os.O_RDONLY


def _end(process: int) -> None:
    with contextlib.suppress(OSError):  # it has ended by itself
        os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
