"""`top`: what the command line answers before any command is named, such as its version."""

from typing import Annotated

import typer

EXAMPLE = "Example: arena-breaker rollout scripted -n 5 --out runs/demo"


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
