"""`arena-breaker play`: a person plays in a window, with keyboard and mouse or a gamepad."""

import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.settings import MAX_EPISODE_STEPS

_SEEDS = 2**31  # seeds that are drawn for those who name none


def play(
    *,
    stage: Annotated[
        int | None,
        typer.Option(min=1, help="Stage to begin on at once; without it a menu asks."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Seed of the first game; the next has one more. Default: any."),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Folder in which to keep what is played.")
    ] = None,
    name: Annotated[
        str, typer.Option(help="Who plays, for tables; another person: another name.")
    ] = "human",
    max_steps: options.Steps = MAX_EPISODE_STEPS,
    stages: options.StageFiles = None,
    point_blank_fix: options.Fix = True,
    skin: options.Skin = "default",
    size: Annotated[
        int | None,
        typer.Option(help="Width of the window in pixels; default: as fits, at most 768."),
    ] = None,
    hud: Annotated[bool, typer.Option(help="Show life, dash, stage, wave and score.")] = True,
    gamepad_overlay: Annotated[
        bool,
        typer.Option("--gamepad-overlay", help="Show a gamepad that moves as you do."),
    ] = False,
) -> None:
    """Plays in a window: WASD and mouse, or any gamepad; the keys stand on the screen."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    from agents.human import HumanAgent
    from arena_breaker_gym.play.playing import play as play_until_left
    from arena_breaker_gym.play.screen import Screen
    from arena_breaker_gym.play.session import Session, Terms
    from arena_breaker_gym.rollout.store import EpisodeStore

    settings = options.settings_from(stages, fix=point_blank_fix, skin=skin)
    terms = Terms(
        settings=replace(settings, start_stage=stage or settings.start_stage),
        seed=secrets.randbelow(_SEEDS) if seed is None else seed,
        store=None if record is None else EpisodeStore(record),
        agent=name,
        max_steps=max_steps,
    )
    session = Session(terms)
    if stage is not None:
        session.begin(stage)
    screen = Screen(settings, size=size, hud=hud, gamepad=gamepad_overlay)
    try:
        human = HumanAgent(name)
        screen.prepare()
        play_until_left(session, screen, human)
    finally:
        screen.close()
    if record is not None:
        typer.echo(f"Episodes kept: {session.kept}, in {record}", err=True)
