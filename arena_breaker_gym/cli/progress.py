"""`bar`: the progress bar of long jobs on standard error, and what an interrupted one says."""

import contextlib
import sys
from collections.abc import Callable, Iterator

import typer

Advance = Callable[[str, float], None]


@contextlib.contextmanager
def bar(*, resume: str) -> Iterator[Advance]:
    """Shows a bar with time left while the block runs; nothing where there is no terminal.

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
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("", total=1.0)
            yield lambda words, share: progress.update(task, description=words, completed=share)
    except KeyboardInterrupt:
        sys.stderr.write(f"\nInterrupted. {resume}\n")
        raise typer.Exit(1) from None
