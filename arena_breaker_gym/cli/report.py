"""How commands end: a table or JSON on standard output, and where the results lie."""

import contextlib
import json
import shlex
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from arena_breaker_gym.report import Report

WIDE = 200  # columns where nothing but a file or a pipe reads along

Advance = Callable[[str, float], None]

EVERY_S = 60.0  # from one line to the next where there is no terminal


def print_json(value: object) -> None:
    """Prints a value as JSON, and nothing else, on standard output."""
    # A terminal that knows fewer letters is given JSON's own spelling of the others.
    plain = not (sys.stdout.encoding or "").lower().startswith("utf")
    typer.echo(json.dumps(value, indent=2, ensure_ascii=plain, allow_nan=False))


def print_tables(*tables: "Table") -> None:
    """Prints tables as wide as the terminal, or as they need where there is none."""
    from rich.console import Console

    Console(width=_width()).print(*tables)


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """Prints rows of results: what they come to, as tables that fit, and what each line means."""
    from arena_breaker_gym.rollout.results import legend, results_tables, verdict

    _echo_wrapped(verdict(rows))
    print_tables(*results_tables(rows, width=_width()))
    _echo_wrapped(legend(rows))
    for row in rows:
        for reason, count in row.get("failures", {}).items():
            typer.echo(f"{row['agent']}, stage {row['stage']}: failed in {count}: {reason}")


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE


def _echo_wrapped(lines: str) -> None:
    """Prints lines, those too long for the terminal on several, indented from the second on."""
    for line in lines.splitlines():
        wrapped = textwrap.wrap(line, width=_width(), subsequent_indent="    ")
        # Not by `echo`, which takes a terminal of ASCII for one of UTF-8.
        sys.stdout.write("\n".join(wrapped) + "\n")


def say_where(what: str, place: Path | None) -> None:
    """Says on standard error where results lie, or that none were kept."""
    if place is None:
        typer.echo("Nothing was kept; name a folder with --out to keep it.", err=True)
    else:
        typer.echo(f"{what}: {place}", err=True)


def keep_page(report: "Report", path: Path) -> None:
    """Writes a run's page and says where; without its extra, says in a line what to install."""
    from arena_breaker_gym._runtime.extras import MissingExtraError
    from arena_breaker_gym.report import write_report

    try:
        say_where("Report", write_report(report, path))
    except MissingExtraError as error:
        typer.echo(f"There is no {path.name}. {error}", err=True)


def this_command() -> str:
    """The command that runs, as it can be pasted into a shell."""
    return shlex.join(["arena-breaker", *sys.argv[1:]])


def how_to_resume(place: Path | None) -> str:
    """What a user who presses Ctrl-C needs to know."""
    if place is None:
        return "Nothing was kept; with --out DIR finished episodes are, and a second run continues."
    return f"Finished episodes are kept in {place}; run the same command again to continue."


def checked_files(
    files: Sequence[str], outline: Callable[[str], dict[str, object]]
) -> list[dict[str, object]]:
    """What is in the files that are sound; what is wrong in the others is said on standard error.

    Args:
        files: Their names.
        outline: Says what is in a file, or raises a ValueError.
    """
    good = []
    for file in files:
        try:
            good.append(outline(file))
        except ValueError as error:
            say_faults(error)
    return good


def say_faults(error: ValueError) -> None:
    """Says on standard error what is wrong with a file, a line for each fault."""
    from arena_breaker_gym._runtime.json_file import FileError

    for sentence in error.sentences if isinstance(error, FileError) else (str(error),):
        typer.echo(f"Error: {sentence}", err=True)


@contextlib.contextmanager
def bar(*, resume: str) -> Iterator[Advance]:
    """Shows a bar with time left while the block runs; without a terminal, a line a minute.

    Ctrl-C ends the program with status 1 and says how to go on.

    Args:
        resume: A sentence for a user who presses Ctrl-C: what is kept, how to continue.

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
