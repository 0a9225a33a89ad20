"""`bar`: how far long jobs are, on standard error, and what an interrupted one says."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import typer

Advance = Callable[[str, float], None]

EVERY_S = 60.0  # from one line to the next where there is no terminal


@contextlib.contextmanager
def bar(*, resume: str) -> Iterator[Advance]:
    """Shows a bar with time left while the block runs; without a terminal, a line a minute.

    Ctrl-C ends the program with status 1 and says how to go on.

    Args:
        resume: A sentence for whoever presses Ctrl-C: what is kept, how to continue.

    Yields:
        A function to call with what is going on and the share of all work done, in [0, 1].
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    try:
        if not console.is_terminal:
            yield _Lines().advance
            return
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=1.0)
            yield lambda words, share: progress.update(task, description=words, completed=share)
    except KeyboardInterrupt:
        sys.stderr.write(f"\nInterrupted. {resume}\n")
        raise typer.Exit(1) from None


class _Lines:
    """Plain lines for logs: what is going on, how far it is, and about how long it will take."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._first: tuple[float, float] | None = None  # when, and how far it was then

    def advance(self, words: str, share: float) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = (now, share)  # work of an earlier run took none of this one's time
        if now - self._said < EVERY_S:
            return
        self._said = now
        sys.stderr.write(f"{words}, {100 * share:.0f} %{self._left(now, share)}\n")
        sys.stderr.flush()

    def _left(self, now: float, share: float) -> str:
        assert self._first is not None  # `advance` has seen to it
        began, had = self._first
        if share <= had:
            return ""
        seconds = (now - began) * (1.0 - share) / (share - had)
        minutes = round(seconds / 60.0)
        if minutes < 1:
            return ", less than a minute left"
        hours, rest = divmod(minutes, 60)
        return f", {hours} h {rest} min left" if hours else f", {rest} min left"
