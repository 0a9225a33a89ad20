"""`arena-breaker stages`: what stages there are, whether a file is one, and its schema."""

from typing import Annotated, Any

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.help import Command, Group
from arena_breaker_gym.cli.report import checked_files, print_json

stages = typer.Typer(
    cls=Group,
    help="Lists the stages, checks stage files of your own, prints their schema.",
    epilog="Example: arena-breaker stages check mine.json",
    no_args_is_help=True,
)


@stages.command("list", cls=Command)
def list_(json: options.Json = False) -> None:
    """Lists the stages that come along, with their files, which are good to begin from.

    Example: arena-breaker stages list --json
    """
    from arena_breaker_gym.stages.loader import PACKAGED

    _show([_outline(str(path)) for path in PACKAGED], json=json)


@stages.command(cls=Command)
def check(
    files: Annotated[list[str], typer.Argument(help="Stage files to check, such as mine.json.")],
    json: options.Json = False,
) -> None:
    """Checks stage files as the game does and says what is in them; exits 1 if one is bad.

    Each thing that is wrong in a file is a line of its own.

    Example: arena-breaker stages check mine.json
    """
    good = checked_files(files, _outline)
    _show(good, json=json)
    if len(good) < len(files):
        raise typer.Exit(1)


@stages.command(cls=Command)
def schema() -> None:
    """Prints the JSON schema of a stage file, for editors that check while you type.

    Example: arena-breaker stages schema > stage.schema.json
    """
    from arena_breaker_gym.stages.loader import stage_schema

    print_json(stage_schema())


def _outline(file: str) -> dict[str, Any]:
    """What is in a stage file, once it is checked as the game checks it."""
    from arena_breaker_gym.stages.loader import load_campaign

    (stage,) = load_campaign(file).models
    return {
        "file": file,
        "name": stage.name,
        "width": stage.size.width,
        "depth": stage.size.depth,
        "waves": len(stage.waves),
        "enemies": sum(group.count for wave in stage.waves for group in wave.groups),
        "hazards": len(stage.hazards),
    }


def _show(outlines: list[dict[str, Any]], *, json: bool) -> None:
    if json:
        print_json(outlines)
        return
    for one in outlines:
        typer.echo(
            f"{one['file']}: {one['name']}, {one['width']:g} x {one['depth']:g} m, "
            f"{one['waves']} waves, {one['enemies']} enemies, {one['hazards']} hazards"
        )
