"""The command line, `arena-breaker`: one small file a command, listed in `COMMANDS`.

Command files import what they run inside the function that runs it, so that `--help` waits
for neither the engine nor a model.
"""

import codecs
import contextlib
import io
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from arena_breaker_gym.cli.help import Command, HelpGroup
from arena_breaker_gym.deprecated import warn

EXAMPLE = "Example: arena-breaker rollout scripted -n 5 --out runs/demo"

# What a terminal that knows few letters is given instead of those that we use.
_SPELT_OUT = "arena-breaker-spelt-out"
_PLAIN_LETTERS = {"…": "...", "×": "x", "−": "-", "–": "-", "—": "-", "·": "-", "→": "->"}
_PLAIN_LETTERS |= {"“": '"', "”": '"', "‘": "'", "’": "'", "±": "+-", "≥": ">=", "≤": "<="}

# Each command's name, and where its function or its group of commands stands.
COMMANDS = {
    "play": "arena_breaker_gym.cli.play:play",
    "rollout": "arena_breaker_gym.cli.rollout:rollout",
    "benchmark": "arena_breaker_gym.cli.benchmark:benchmark",
    "leaderboard": "arena_breaker_gym.cli.leaderboard:leaderboard",
    "throughput": "arena_breaker_gym.cli.throughput:throughput",
    "video": "arena_breaker_gym.cli.video:video",
    "stages": "arena_breaker_gym.cli.game_files:stages",
    "skins": "arena_breaker_gym.cli.game_files:skins",
    "mcp": "arena_breaker_gym.cli.mcp:mcp",
    "bootcamp": "arena_breaker_gym.cli.bootcamp:bootcamp",
    "nitrogen": "arena_breaker_gym.cli.nitrogen:nitrogen",
    "export": "arena_breaker_gym.cli.export:export",
    "doctor": "arena_breaker_gym.cli.doctor:doctor",
}

# What options were called once; they work for one release.
OLD_OPTIONS = {"--engine": "--backend", "--execute": "--n-action-steps"}

_LONGEST = 2000  # letters of an error's sentence


def add_commands(app: typer.Typer, commands: Mapping[str, str]) -> typer.Typer:
    """Adds commands, or groups of them, to a command line.

    Args:
        app: What they are added to.
        commands: By name, where each function or group stands, as "module:attribute".

    Returns:
        The same command line.
    """
    app.callback()(lambda: None)  # so that a single command would still be called by its name
    for name, place in commands.items():
        module, _, attribute = place.partition(":")
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, cls=Command)(command)
    return app


def _print_version(asked: bool) -> None:
    if not asked:
        return
    from arena_breaker_gym import __version__

    typer.echo(f"arena-breaker {__version__}")
    raise typer.Exit


def top(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Runs before every command; the version has been printed by then, if it was asked for."""


def build() -> typer.Typer:
    """The command line with all its commands."""
    app = typer.Typer(
        cls=HelpGroup,
        help="Arena Breaker: a twin-stick arena for agents that play, teach and learn.",
        epilog=EXAMPLE,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # `help.Command` says why
    )
    add_commands(app, COMMANDS).callback()(top)
    return app


def main() -> None:
    """Runs the command line: exit status 0, 1 for a failure in one sentence, 2 for wrong usage."""
    codecs.register_error(_SPELT_OUT, _spelt_out)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_SPELT_OUT)
    try:
        with _polite_end():
            _check_folder()
            build()(_renamed(sys.argv[1:]), prog_name="arena-breaker")
    except (ValueError, ImportError, OSError) as error:
        sys.stderr.write(f"Error: {_sentence(error)}\n")
        sys.exit(1)


def _spelt_out(error: UnicodeError) -> tuple[str, int]:
    """What stands for letters that a terminal does not know: plain ones, or else "?"."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(_PLAIN_LETTERS.get(letter, "?") for letter in letters), error.end


def _renamed(arguments: list[str]) -> list[str]:
    """What was typed, with options under the names that they have now."""
    renamed = []
    for argument in arguments:
        name, *value = argument.split("=", 1)
        new = OLD_OPTIONS.get(name, name)
        if new != name:
            warn(name, new)
        renamed.append("=".join([new, *value]))
    return renamed


@contextlib.contextmanager
def _polite_end() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # no other thread may
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, _: object) -> NoReturn:
    """A polite request to end (`kill`, a cluster's scheduler) ends a command as Ctrl-C does."""
    signal.signal(number, signal.SIG_DFL)  # the second time it is meant
    raise KeyboardInterrupt


def _check_folder() -> None:
    """Looks whether the working folder is there, which libraries ask for in many places.

    Raises:
        ValueError: If it has been deleted.
    """
    try:
        Path.cwd()
    except OSError:
        raise ValueError("The working folder has been deleted: change to another.") from None


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return _cut(f"{error.filename}: {error.strerror or error}.")
    return _cut(" ".join(str(error).split()))


def _cut(sentence: str) -> str:
    """A sentence that quotes a damaged file may be as long as the file."""
    if len(sentence) <= _LONGEST:
        return sentence
    half = _LONGEST // 2
    return f"{sentence[:half]} ... {sentence[-half:]}"
