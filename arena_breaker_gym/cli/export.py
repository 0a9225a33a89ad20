"""`arena-breaker export`: stored episodes as data sets that other libraries read."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.help import Command, HelpGroup
from arena_breaker_gym.cli.report import bar, print_json, say_where

export = typer.Typer(
    cls=HelpGroup,
    help="Writes stored episodes as data sets that other libraries read.",
    epilog="Example: arena-breaker export minari runs/demo --name arenabreaker/demo-v0",
    no_args_is_help=True,
)

Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Folder of episodes, such as runs/demo.")
]
AGAIN = "Finished episodes are kept; the same command goes on with the rest."


class Observation(StrEnum):
    """What `--observation` may say."""

    BOTH = "both"
    PIXELS = "pixels"
    STATE = "state"


@export.callback()
def _group() -> None:
    """Keeps a single command's name from being left out."""


@export.command(cls=Command)
def minari(
    run_folder: Folder,
    *,
    name: Annotated[
        str, typer.Option(help="Name of the data set, such as arenabreaker/expert-v0.")
    ],
    root: Annotated[
        Path | None,
        typer.Option(
            help="Folder of data sets, such as datasets. Default: Minari's own, which "
            "MINARI_DATASETS_PATH names."
        ),
    ] = None,
    observation: Annotated[
        Observation, typer.Option(help="What of the game is written.")
    ] = Observation.BOTH,
    pixel_size: Annotated[
        int | None,
        typer.Option(help="Side of the pixels: 64, 84, 96, 128 or 256. Default: as it was played."),
    ] = None,
    author: Annotated[
        str | None, typer.Option(help="Who made it. Default: no name is given.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Under which others may use it.")] = "MIT",
    json: options.Json = False,
) -> None:
    """Writes episodes as a Minari data set: lossless, with seeds, infos and the environment.

    Example: arena-breaker export minari runs/demo --name arenabreaker/demo-v0 --observation state
    """
    from arena_breaker_gym.export import export_minari
    from arena_breaker_gym.rollout import EpisodeStore

    with bar(resume=AGAIN) as advance:
        place = export_minari(
            EpisodeStore(run_folder),
            name,
            root=root,
            observation=observation.value,
            pixel_size=pixel_size,
            author=author,
            licence=licence,
            progress=lambda done, total: advance(f"{done} of {total} steps", done / total),
        )
    if json:
        print_json({"name": name, "out": str(place)})
    say_where("Data set", place)


@export.command(cls=Command)
def lerobot(
    run_folder: Folder,
    *,
    out: Annotated[Path, typer.Option(help="Folder of the data set, such as datasets/demo.")],
    pixel_size: Annotated[
        int | None,
        typer.Option(help="Side of the pixels: 64, 84, 96, 128 or 256. Default: as it was played."),
    ] = None,
    licence: Annotated[str, typer.Option(help="Under which others may use it.")] = "MIT",
    json: options.Json = False,
) -> None:
    """Writes episodes as a LeRobot data set (v3.0): frames as video, state and actions as tables.

    Example: arena-breaker export lerobot runs/demo --out datasets/demo
    """
    from arena_breaker_gym.export import export_lerobot
    from arena_breaker_gym.rollout import EpisodeStore

    with bar(resume=AGAIN) as advance:
        place = export_lerobot(
            EpisodeStore(run_folder),
            out,
            pixel_size=pixel_size,
            licence=licence,
            progress=lambda done, total: advance(f"{done} of {total} steps", done / total),
        )
    if json:
        print_json({"out": str(place)})
    say_where("Data set", place)
