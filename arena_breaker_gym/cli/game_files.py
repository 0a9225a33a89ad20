"""`arena-breaker stages` and `skins`: which there are, whether a file is one, and its schema."""

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.help import Command, HelpGroup
from arena_breaker_gym.cli.report import checked_files, print_json

stages = typer.Typer(
    cls=HelpGroup,
    help="Lists the stages, checks stage files of your own, prints their schema.",
    epilog="Example: arena-breaker stages check mine.json",
    no_args_is_help=True,
)
skins = typer.Typer(
    cls=HelpGroup,
    help="Lists the skins, checks skin files of your own, prints their schema.",
    epilog="Example: arena-breaker skins check mine.json",
    no_args_is_help=True,
)

Outline = Mapping[str, object]


@stages.command("list", cls=Command)
def list_stages(json: options.Json = False) -> None:
    """Lists the stages that come along, with their files, which are good to begin from.

    Example: arena-breaker stages list --json
    """
    from arena_breaker_gym.stages.loader import PACKAGED

    _show([_stage_in(str(path)) for path in PACKAGED], _stage_in_words, json=json)


@stages.command("check", cls=Command)
def check_stages(
    files: Annotated[list[str], typer.Argument(help="Stage files to check, such as mine.json.")],
    json: options.Json = False,
) -> None:
    """Checks stage files as the game does and says what is in them; exits 1 if one is bad.

    Each thing that is wrong in a file is a line of its own.

    Example: arena-breaker stages check mine.json
    """
    _check(files, _stage_in, _stage_in_words, json=json)


@stages.command("schema", cls=Command)
def schema_of_stages() -> None:
    """Prints the JSON schema of a stage file, for editors that check while you type.

    Example: arena-breaker stages schema > stage.schema.json
    """
    from arena_breaker_gym.stages.loader import stage_schema

    print_json(stage_schema())


@skins.command("list", cls=Command)
def list_skins(json: options.Json = False) -> None:
    """Lists the skins that come along, with their files; each may be a parent of yours.

    Example: arena-breaker skins list --json
    """
    from arena_breaker_gym.rendering.skins import file_of, names

    found = [{**_skin_in(name), "file": str(file_of(name))} for name in names()]
    _show(found, _skin_in_words, json=json)


@skins.command("check", cls=Command)
def check_skins(
    files: Annotated[list[str], typer.Argument(help="Skin files to check, such as mine.json.")],
    json: options.Json = False,
) -> None:
    """Checks skin files as the game does and says what is in them; exits 1 if one is bad.

    Each thing that is wrong in a file is a line of its own.

    Example: arena-breaker skins check mine.json
    """
    _check(files, _skin_in, _skin_in_words, json=json)


@skins.command("schema", cls=Command)
def schema_of_skins() -> None:
    """Prints the JSON schema of a skin file, for editors that check while you type.

    Example: arena-breaker skins schema > skin.schema.json
    """
    from arena_breaker_gym.rendering.skins import schema

    print_json(schema())


def _stage_in(file: str) -> dict[str, object]:
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


def _stage_in_words(one: Outline) -> str:
    return (
        f"{one['file']}: {one['name']}, {one['width']:g} x {one['depth']:g} m, "
        f"{one['waves']} waves, {one['enemies']} enemies, {one['hazards']} hazards"
    )


def _skin_in(name_or_file: str) -> dict[str, object]:
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


def _skin_in_words(one: Outline) -> str:
    return f"{one['file']}: {one['name']}, {one['figures']} on {one['floor']}. {one['description']}"


def _check(
    files: list[str],
    outline: Callable[[str], dict[str, object]],
    in_words: Callable[[Outline], str],
    *,
    json: bool,
) -> None:
    good = checked_files(files, outline)
    _show(good, in_words, json=json)
    if len(good) < len(files):
        raise typer.Exit(1)


def _show(
    outlines: list[dict[str, object]], in_words: Callable[[Outline], str], *, json: bool
) -> None:
    if json:
        print_json(outlines)
    else:
        for one in outlines:
            typer.echo(in_words(one))
