"""`arena-breaker play`: a person plays in a window, with keyboard and mouse or a gamepad."""

import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena_breaker_gym.cli import options

if TYPE_CHECKING:
    from arena_breaker_gym.play.clip import Clip
    from arena_breaker_gym.play.session import Session
    from arena_breaker_gym.rollout.store import EpisodeStore
    from arena_breaker_gym.settings import Settings

COUNTDOWN_S = 3.0
LATEST = 10  # games that are kept for clips where no folder is named
_SEEDS = 2**31  # seeds that are drawn for those who name none


def play(
    *,
    stage: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Stage to begin on at once: 1, 2 or 3. Default: a menu asks.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Seed of the first game, such as 7: the same seed brings the same enemies. Each "
            "further game has one more. Default: drawn by lot.",
            show_default=False,
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            help="Folder in which all that is played is kept, such as runs/mine. Default: only "
            f"the latest {LATEST} games are, in your data folder, for clips.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str, typer.Option(help="Who plays, for tables and the list of best games.")
    ] = "human",
    max_steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Time limit of a game in steps of 1/30 s, such as 3600 for two minutes, the limit "
            "of agents. Default: no limit.",
            show_default=False,
        ),
    ] = None,
    countdown: Annotated[
        float,
        typer.Option(
            min=0.0, max=60.0, help="Seconds before a game begins; Space or Enter skips them."
        ),
    ] = COUNTDOWN_S,
    stages: options.StageFiles = None,
    point_blank_fix: options.Fix = True,
    skin: options.Skin = "default",
    size: Annotated[
        int | None,
        typer.Option(
            help="Width of the window in pixels, 320 to 1024; never more than the screen has room "
            "for. Default: 768.",
            show_default=False,
        ),
    ] = None,
    full_screen: Annotated[
        bool,
        typer.Option(
            "--full-screen", help="Begin on the whole screen; F11 goes back and forth. Default: no."
        ),
    ] = False,
    sound: Annotated[
        bool, typer.Option("--sound/--no-sound", help="Let the game be heard; N mutes it.")
    ] = True,
    hud: Annotated[
        bool, typer.Option("--hud/--no-hud", help="Show life, dash, stage, wave and score.")
    ] = True,
    gamepad_overlay: Annotated[
        bool,
        typer.Option(
            "--gamepad-overlay", help="Show a gamepad that moves as you do. Default: not shown."
        ),
    ] = False,
) -> None:
    """Opens a window in which you play: WASD and mouse, or any gamepad.

    The window names the keys. Clear all stages to win; your best games are kept.

    Example: arena-breaker play --stage 2 --record runs/mine
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    from arena_breaker_gym.play.window import require_display

    require_display()
    settings = options.settings_from(stages, fix=point_blank_fix, skin=skin)
    session = _session_of(
        replace(settings, start_stage=stage or settings.start_stage),
        seed=secrets.randbelow(_SEEDS) if seed is None else seed,
        record=record,
        name=name,
        max_steps=max_steps,
        countdown=countdown,
    )
    if stage is not None:
        session.begin(stage)
    _play(session, size=size, full=full_screen, hud=hud, pad=gamepad_overlay, heard=sound)
    if record is not None:
        typer.echo(f"Episodes kept: {session.kept}, in {record}", err=True)
    if session.clip is not None:
        _finish(session.clip)


def _session_of(
    settings: "Settings",
    *,
    seed: int,
    record: Path | None,
    name: str,
    max_steps: int | None,
    countdown: float,
) -> "Session":
    from arena_breaker_gym.play.scores import FILE, Scores, data_folder
    from arena_breaker_gym.play.session import ENDLESS, PlayConfig, Session
    from arena_breaker_gym.rollout.store import EpisodeStore

    scores = Scores(data_folder() / FILE)
    if scores.trouble:
        typer.echo(scores.trouble, err=True)
        scores.trouble = ""
    terms = PlayConfig(
        settings=settings,
        seed=seed,
        store=_spare_store() if record is None else EpisodeStore(record),
        most=LATEST if record is None else None,
        agent=name,
        max_steps=ENDLESS if max_steps is None else max_steps,
        countdown_s=countdown,
        scores=scores,
    )
    return Session(terms)


def _spare_store() -> "EpisodeStore | None":
    """Where the latest games are kept for clips; None where no folder can be made."""
    from arena_breaker_gym.play.scores import data_folder
    from arena_breaker_gym.rollout.store import EpisodeStore

    folder = data_folder() / "latest_games"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return EpisodeStore(folder)


def _play(
    session: "Session",
    *,
    size: int | None,
    full: bool,
    hud: bool,
    pad: bool,
    heard: bool,
) -> None:
    """Opens window and loudspeaker, and closes them once the person has left."""
    from arena_breaker_agents.human import HumanAgent
    from arena_breaker_gym.play.playing import play as play_until_left
    from arena_breaker_gym.play.screen import Screen
    from arena_breaker_gym.play.sound import Sound

    sound = Sound(wanted=heard)
    screen = Screen(
        session.terms.settings, size=size, hud=hud, gamepad=pad, full_screen=full, sound=sound
    )
    try:
        human = HumanAgent(session.terms.agent)
        screen.prepare(lambda words: typer.echo(words, err=True))
        play_until_left(session, screen, human, sound)
    finally:
        screen.close()
        sound.close()


def _finish(clip: "Clip") -> None:
    """Waits for a clip that is still being made, and says what has become of it."""
    if clip.under_way:
        typer.echo(f"Finishing the clip {clip.film}; Ctrl-C leaves it out.", err=True)
        try:
            clip.wait()
        except KeyboardInterrupt:
            typer.echo("No clip was written.", err=True)
            raise typer.Exit(1) from None
    typer.echo(clip.words, err=True)
