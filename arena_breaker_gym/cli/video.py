"""`arena-breaker video`: stored episodes as a film, several side by side."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.progress import bar
from arena_breaker_gym.cli.report import print_json, say_where


class Layer(StrEnum):
    """What `--layer` may say."""

    HUD = "hud"
    GAMEPAD = "gamepad"
    CAPTION = "caption"
    NONE = "none"


def video(
    sources: Annotated[
        list[Path],
        typer.Argument(help="Episode files, or folders of them; several stand side by side."),
    ],
    *,
    out: Annotated[Path, typer.Option(help="File to write: .mp4 or .gif.")],
    episode: Annotated[int, typer.Option(min=0, help="Which episode of a folder.")] = 0,
    label: Annotated[
        list[str] | None, typer.Option(help="Caption; again for each further episode.")
    ] = None,
    layer: Annotated[
        list[Layer] | None,
        typer.Option(help="What is drawn over the frames; again for more. Default: hud, caption."),
    ] = None,
    size: Annotated[int, typer.Option(help="Side of each panel in pixels.")] = 512,
    skin: Annotated[str | None, typer.Option(help="Looks; default: as played.")] = None,
    speed: Annotated[float, typer.Option(help="2 is twice as fast as play.")] = 1.0,
    json: options.Json = False,
) -> None:
    """Stored episodes as a film, several side by side."""
    from arena_breaker_gym.rollout.layers import Layers
    from arena_breaker_gym.rollout.store import EpisodeStore, load_episode
    from arena_breaker_gym.rollout.video import DEFAULT_LAYERS, export_side_by_side

    files = [
        EpisodeStore(source).path_of(episode) if source.is_dir() else source for source in sources
    ]
    episodes = [load_episode(file) for file in files]
    chosen = DEFAULT_LAYERS
    if layer:
        chosen = Layers(**{one.value: True for one in layer if one is not Layer.NONE})
    with bar(resume="No video was written; run the same command again.") as advance:
        film = export_side_by_side(
            episodes,
            out,
            size=size,
            skin=skin,
            layers=chosen,
            labels=label,
            speed=speed,
            progress=lambda share: advance("Video", share),
        )
    if json:
        print_json({"out": str(film.path), "frames": film.frames, "fps": film.fps})
    say_where("Video", film.path)
