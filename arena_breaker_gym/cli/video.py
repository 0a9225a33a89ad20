"""`arena-breaker video`: stored episodes as a film, several side by side."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.progress import bar
from arena_breaker_gym.cli.report import print_json, say_where

if TYPE_CHECKING:
    from arena_breaker_gym.rollout.layers import Layers

SIDE_BY_SIDE = Path("side_by_side.mp4")


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
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write: .mp4 or .gif. Default: an .mp4 beside the episode, or "
            f"{SIDE_BY_SIDE} for several."
        ),
    ] = None,
    episode: Annotated[int, typer.Option(min=0, help="Which episode of a folder.")] = 0,
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="Caption; again for each further episode. {agent}, {seed}, {kills} and {score} "
            "in it stand for the episode's own."
        ),
    ] = None,
    hud: Annotated[
        bool | None, typer.Option("--hud/--no-hud", help="Bar of life and score; on.")
    ] = None,
    gamepad: Annotated[
        bool | None, typer.Option("--gamepad/--no-gamepad", help="The agent's gamepad; off.")
    ] = None,
    caption: Annotated[
        bool | None,
        typer.Option("--caption/--no-caption", help="Line of agent, seed and kills; on."),
    ] = None,
    layer: Annotated[
        list[Layer] | None,
        typer.Option(help="Only these layers, where the options above say nothing else."),
    ] = None,
    size: Annotated[int, typer.Option(help="Side of each panel in pixels.")] = 512,
    skin: Annotated[str | None, typer.Option(help="Looks; default: as played.")] = None,
    speed: Annotated[float, typer.Option(help="2 is twice as fast as play, 0.5 half.")] = 1.0,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames a second, for smaller files: 15 shows every second one."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Stored episodes as a film, several side by side."""
    from arena_breaker_gym.rollout.store import load_episode
    from arena_breaker_gym.rollout.video import export_side_by_side

    files = [_file_of(source, episode) for source in sources]
    episodes = [load_episode(file) for file in files]
    with bar(resume="No video was written; run the same command again.") as advance:
        film = export_side_by_side(
            episodes,
            out or _own_name(files),
            size=size,
            skin=skin,
            layers=_layers(layer, hud=hud, gamepad=gamepad, caption=caption),
            labels=label,
            speed=speed,
            fps=fps,
            progress=lambda share: advance("Video", share),
        )
    if json:
        print_json({"out": str(film.path), "frames": film.frames, "fps": film.fps})
    say_where("Video", film.path)


def _file_of(source: Path, episode: int) -> Path:
    from arena_breaker_gym.rollout.store import EpisodeStore

    if not source.is_dir():
        return source
    store = EpisodeStore(source)
    kept = store.indices()
    if episode not in kept:
        there = f"those from {kept[0]} to {kept[-1]}" if kept else "none at all"
        raise ValueError(f"{source}: this folder has no episode {episode}; it has {there}.")
    return store.path_of(episode)


def _own_name(files: Sequence[Path]) -> Path:
    return files[0].with_suffix(".mp4") if len(files) == 1 else SIDE_BY_SIDE


def _layers(only: Sequence[Layer] | None, **said: bool | None) -> "Layers":
    from arena_breaker_gym.rollout.layers import Layers
    from arena_breaker_gym.rollout.video import DEFAULT_LAYERS

    usual = vars(DEFAULT_LAYERS) if not only else {name: name in only for name in said}
    return Layers(**{name: usual[name] if wish is None else wish for name, wish in said.items()})
