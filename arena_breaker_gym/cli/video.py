"""`arena-breaker video`: stored episodes as a film, several side by side."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.report import bar, print_json, say_where

if TYPE_CHECKING:
    from arena_breaker_gym.rollout.replay import Layers

SIDE_BY_SIDE = Path("side_by_side.mp4")


class FilmLayer(StrEnum):
    """What `--layer` may say."""

    HUD = "hud"
    GAMEPAD = "gamepad"
    CAPTION = "caption"
    NONE = "none"


def video(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Episode files, or folders of them, such as runs/demo; several are shown side "
            "by side."
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write, such as film.mp4 or film.gif. Default: an .mp4 beside the "
            "episode, "
            f"or {SIDE_BY_SIDE} for several."
        ),
    ] = None,
    episode: Annotated[
        int, typer.Option(min=0, help="Which episode of a folder, by its number.")
    ] = 0,
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="Caption of an episode; again for each further one. {agent}, {seed}, {kills} "
            "and {score} are filled in, as in --label 'random: {kills} kills'. Default: agent, "
            "seed and kills."
        ),
    ] = None,
    hud: Annotated[
        bool | None, typer.Option("--hud/--no-hud", help="Show life and score. Default: shown.")
    ] = None,
    gamepad: Annotated[
        bool | None,
        typer.Option(
            "--gamepad/--no-gamepad", help="Show what the agent presses. Default: not shown."
        ),
    ] = None,
    caption: Annotated[
        bool | None,
        typer.Option(
            "--caption/--no-caption", help="Show the line of agent, seed and kills. Default: shown."
        ),
    ] = None,
    layer: Annotated[
        list[FilmLayer] | None,
        typer.Option(
            help="Show only this over the game, or none; say it again for more, as in --layer hud "
            "--layer gamepad. Default: what the three options above say."
        ),
    ] = None,
    size: Annotated[
        int, typer.Option(help="Width and height of each episode's picture, in pixels.")
    ] = 512,
    skin: Annotated[
        str | None,
        typer.Option(help="How the game looks, such as garden. Default: as it was played."),
    ] = None,
    speed: Annotated[
        float, typer.Option(help="2 is twice as fast as it was played, 0.5 half as fast.")
    ] = 1.0,
    fps: Annotated[
        float | None,
        typer.Option(
            help="Pictures a second; fewer make a smaller file, such as 15. Default: all there are."
        ),
    ] = None,
    stages: options.StageFiles = None,
    json: options.Json = False,
) -> None:
    """Films stored episodes, several side by side.

    Example: arena-breaker video runs/demo --episode 2 --out film.mp4
    """
    from arena_breaker_gym.rollout.store import load_episode
    from arena_breaker_gym.rollout.video import export_side_by_side

    files = [_file_of(source, episode) for source in sources]
    episodes = [load_episode(file, stages=stages) for file in files]
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


def _layers(only: Sequence[FilmLayer] | None, **said: bool | None) -> "Layers":
    from arena_breaker_gym.rollout.replay import Layers
    from arena_breaker_gym.rollout.video import DEFAULT_LAYERS

    usual = vars(DEFAULT_LAYERS) if not only else {name: name in only for name in said}
    return Layers(**{name: usual[name] if wish is None else wish for name, wish in said.items()})
