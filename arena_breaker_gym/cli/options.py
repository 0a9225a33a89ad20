"""Options that several commands share, so that they are called and explained alike."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from arena_breaker_gym.rollout.engines.engine import Engine
    from arena_breaker_gym.settings import Settings

AGENT_HELP = (
    "Name of an agent (idle, random, scripted, planner, expert, claude, …), name:argument such as "
    "sb3:model.zip, nitrogen:student.pt, nitrogen:ng.pt?execute=12, nitrogen:tcp://127.0.0.1:5555, "
    "claude:claude-haiku-4-5?decision_steps=12, openai:MODEL?base_url=URL or replay:TRANSCRIPT, "
    "or module:Class of your own."
)

Episodes = Annotated[int, typer.Option("--episodes", "-n", min=1, help="Episodes to play.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the first episode; the next has one more.")]
Steps = Annotated[int, typer.Option(min=1, help="Steps after which an episode is cut off.")]
Arenas = Annotated[
    int | None,
    typer.Option("--num-envs", min=1, help="Arenas side by side; changes no result."),
]
StageFiles = Annotated[
    list[str] | None,
    typer.Option("--stages", help="Stage file of your own campaign; again for the next stage."),
]
Fix = Annotated[
    bool,
    typer.Option(
        "--point-blank-fix/--point-blank-bug",
        help="Whether shots hit enemies that overlap the muzzle, or pass as in the article.",
    ),
]
MaybeFix = Annotated[
    bool | None,
    typer.Option(
        "--point-blank-fix/--point-blank-bug",
        help="As elsewhere; where nothing is said, the fix, or what a transcript was played with.",
    ),
]
Latency = Annotated[
    str | None,
    typer.Option(
        "--latency",
        metavar="TICKS|measured",
        help="Ticks of 1/60 s that pass while the agent thinks, or 'measured': as many as it takes "
        "(one arena at a time). Without it the game waits.",
    ),
]
Skin = Annotated[str, typer.Option(help="Looks of the game.")]
PixelSize = Annotated[
    int,
    typer.Option(help="Pixels a side, for agents that see them: 64, 84, 96, 128 or 256."),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for what is played; run again with the same to continue."),
]
Budget = Annotated[
    float | None,
    typer.Option(
        "--budget",
        metavar="USD",
        min=0.0,
        help="Dollars that an agent which costs money may spend in all; it stops before.",
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="local|ray",
        help="Where episodes are played: here, or by Ray's workers.",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="auto|HOST:PORT|ray://HOST:PORT",
        help="A Ray cluster that is there already; without it one is started on this machine.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Ray's workers; one for each CPU of the cluster."),
]
Json = Annotated[bool, typer.Option("--json", help="Print results as JSON on standard output.")]


@contextlib.contextmanager
def opened_engine(name: str, *, address: str | None, workers: int | None) -> "Iterator[Engine]":
    """The engine that options name, until the block ends.

    Raises:
        ValueError: If there is none.
    """
    from arena_breaker_gym.rollout.engines.choice import make_engine

    engine = make_engine(name, address=address, workers=workers)
    try:
        yield engine
    finally:
        engine.close()


def settings_from(
    stages: list[str] | None, *, fix: bool, skin: str, pixel_size: int = 256
) -> "Settings":
    """The game's settings from options.

    Raises:
        ValueError: If a setting cannot be met.
    """
    from arena_breaker_gym.settings import Settings

    settings = Settings(
        stages=tuple(stages) if stages else None,
        point_blank_fix=fix,
        skin=skin,
        pixel_size=pixel_size,
    )
    settings.check_skin()
    return settings
