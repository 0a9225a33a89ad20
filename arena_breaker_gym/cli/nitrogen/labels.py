"""`arena-breaker nitrogen balance` and `export`: what stored episodes teach, and their labels."""

from pathlib import Path
from typing import Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.report import bar, print_json, say_where

RunFolder = Annotated[
    Path, typer.Argument(help="Folder with stored episodes, such as a rollout's --out.")
]


def balance(
    run_folder: RunFolder,
    *,
    stride: Annotated[
        int, typer.Option(min=1, help="Steps from one example to the next: 4 counts a quarter.")
    ] = 1,
    action_shift: Annotated[
        int, typer.Option(min=0, help="Steps between a frame and the first action of its chunk.")
    ] = 0,
    json: options.Json = False,
) -> None:
    """Says how often each button and stick is used, and how much rare ones should count.

    Example: arena-breaker nitrogen balance runs/demo
    """
    from arena_breaker_gym._runtime.extras import require

    require("torch", "nitrogen")
    from arena_breaker_gym.rollout import EpisodeStore
    from nitrogen_adapter.data.dataset import ChunkSettings, episode_statistics

    store = EpisodeStore(run_folder)
    if len(store) == 0:
        raise ValueError(f"{run_folder}: holds no stored episodes.")
    settings = ChunkSettings(stride=stride, action_shift=action_shift)
    report = episode_statistics(store, settings)
    if json:
        print_json(report.to_dict())
    else:
        typer.echo(str(report))


def export(
    run_folder: RunFolder,
    *,
    out: Annotated[
        Path, typer.Option(help="Folder for the labels; run again with the same to continue.")
    ],
    shard: Annotated[
        str, typer.Option(help="Name of the folder in it, which the public data set calls a shard.")
    ] = "shard_0000",
    frame_size: Annotated[
        int | None,
        typer.Option(
            min=32,
            max=1024,
            help="Also write the frames, as squares of so many pixels, such as 256: "
            "`posttrain --labels` needs them. Default: no frames.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Writes episodes as NitroGen's public labels: a folder of parquet files for every 20 s.

    Example: arena-breaker nitrogen export runs/demo --out runs/labels --frame-size 256
    """
    from arena_breaker_gym._runtime.extras import require

    require("pyarrow", "nitrogen")
    from arena_breaker_gym.rollout import EpisodeStore
    from nitrogen_adapter.data.label_recorder import export_labels

    resume = f"Finished episodes are kept in {out}; run the same command again to continue."
    with bar(resume=resume) as advance:

        def show(done: int, total: int) -> None:
            advance(f"{done} of {total} episodes", done / total)

        videos = export_labels(
            EpisodeStore(run_folder), out, shard=shard, frame_size=frame_size, progress=show
        )
    if json:
        print_json({"videos": [str(video) for video in videos], "out": str(out)})
    else:
        typer.echo(f"{len(videos)} episodes, each a folder of chunks of up to 1,200 rows.")
    say_where("Labels", out)
