"""`compiling`: what whoever waits for the compiler is told."""

import atexit
import sys
import threading
import time


class Announcer:
    """Says on standard error that functions are being compiled, and that it is done.

    Which function is the last nobody knows, so it is done when none has been compiled for a while.
    """

    QUIET_S = 2.0

    def __init__(self) -> None:
        """Says nothing yet."""
        self._began: float | None = None
        self._done: float | None = None
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """A function is about to be compiled."""
        self._wait_no_more()
        if self._began is None:
            self._began = time.perf_counter()
            atexit.register(self._finish)
            _say("compiling, once on this machine (under a minute) ...")

    def end(self) -> None:
        """It has been."""
        self._wait_no_more()
        self._done = time.perf_counter()
        self._timer = threading.Timer(self.QUIET_S, self._finish)
        self._timer.daemon = True
        self._timer.start()

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _finish(self) -> None:
        """Says that it is done, if anything has been compiled since the last time."""
        began, done = self._began, self._done
        self._began = self._done = None
        if began is not None and done is not None:
            _say(f"compiled, {done - began:.0f} s.")


def _say(words: str) -> None:
    sys.stderr.write(f"Arena Breaker: {words}\n")
    sys.stderr.flush()


compiling = Announcer()
