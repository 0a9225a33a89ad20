"""`arena-breaker skins`: what skins there are, whether a file is one, and its schema."""

from typing import Annotated, Any

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.help import Command, Group
from arena_breaker_gym.cli.report import checked_files, print_json

skins = typer.Typer(
    cls=Group,
    help="Lists the skins, checks skin files of your own, prints their schema.",
    epilog="Example: arena-breaker skins check mine.json",
    no_args_is_help=True,
)


@skins.command("list", cls=Command)
def list_(json: options.Json = False) -> None:
    """Lists the skins that come along, with their files; each may be a parent of yours.

    Example: arena-breaker skins list --json
    """
    from arena_breaker_gym.rendering.skins import file_of, names

    _show([{**_outline_of_file(name), "file": str(file_of(name))} for name in names()], json=json)


@skins.command(cls=Command)
def check(
    files: Annotated[list[str], typer.Argument(help="Skin files to check, such as mine.json.")],
    json: options.Json = False,
) -> None:
    """Checks skin files as the game does and says what is in them; exits 1 if one is bad.

    Each thing that is wrong in a file is a line of its own.

    Example: arena-breaker skins check mine.json
    """
    good = checked_files(files, _outline_of_file)
    _show(good, json=json)
    if len(good) < len(files):
        raise typer.Exit(1)


@skins.command(cls=Command)
def schema() -> None:
    """Prints the JSON schema of a skin file, for editors that check while you type.

    Example: arena-breaker skins schema > skin.schema.json
    """
    from arena_breaker_gym.rendering.skins import schema as schema_of_skins

    print_json(schema_of_skins())


def _outline_of_file(name_or_file: str) -> dict[str, Any]:
    """What is in a skin, once it is checked as the game checks it."""
    from arena_breaker_gym.rendering.skins import load

    skin = load(name_or_file)
    return {
        "file": name_or_file,
        "name": skin.name,
        "figures": skin.shape.figures,
        "floor": skin.ground.texture,
        "description": skin.description,
    }


def _show(outlines: list[dict[str, Any]], *, json: bool) -> None:
    if json:
        print_json(outlines)
        return
    for one in outlines:
        typer.echo(
            f"{one['file']}: {one['name']}, {one['figures']} on {one['floor']}. "
            f"{one['description']}"
        )
