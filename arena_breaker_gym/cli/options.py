"""Options that several commands share, so that they are called and explained alike."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from arena_breaker_gym.rollout.backends import Backend
    from arena_breaker_gym.settings import Settings

AGENT_HELP = (
    "Who plays: idle, random, scripted, expert, planner, claude; or a name and what it needs, as "
    "sb3:model.zip, nitrogen:base, nitrogen:ng.pt?n_action_steps=12, "
    "nitrogen:tcp://127.0.0.1:5555, claude:MODEL?decision_steps=12, "
    "openai:MODEL?base_url=URL or replay:TRANSCRIPT; or a class of your own in this folder, as in "
    "my_agents:Mine or my_agents:Mine?depth=3."
)

Episodes = Annotated[
    int, typer.Option("--episodes", "-n", min=1, help="How many episodes to play, such as -n 5.")
]
Seed = Annotated[
    int, typer.Option(min=0, help="Seed of the first episode; the second has one more, and so on.")
]
Steps = Annotated[
    int, typer.Option(min=1, help="Longest episode, in steps of 1/30 s: 1800 is a minute.")
]
Arenas = Annotated[
    int | None,
    typer.Option(
        "--num-envs",
        min=1,
        help="How many episodes are played side by side, which changes speed and no result. "
        "Default: one "
        "for each episode, at most 16.",
    ),
]
StageFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--stages",
        help="A stage file of your own, instead of the three stages that come along; say it again "
        "for each further stage, as in --stages one.json --stages two.json. Default: those three.",
    ),
]
Fix = Annotated[
    bool,
    typer.Option(
        "--point-blank-fix/--point-blank-bug",
        help="Whether shots hit an enemy that touches the muzzle (fix), or pass through it as "
        "in the "
        "article (bug).",
    ),
]
MaybeFix = Annotated[
    bool | None,
    typer.Option(
        "--point-blank-fix/--point-blank-bug",
        help="Whether shots hit an enemy that touches the muzzle (fix), or pass through it as "
        "in the "
        "article (bug). Default: the fix; for replay:TRANSCRIPT what the transcript was played "
        "with.",
    ),
]
Latency = Annotated[
    str | None,
    typer.Option(
        "--latency",
        metavar="TICKS|measured",
        help="How long the game goes on while the agent thinks: a number of ticks of 1/60 s, "
        "such as "
        "6 for 0.1 s, or 'measured' for as long as it really takes (then one episode at a time). "
        "Default: the game waits.",
    ),
]
Skin = Annotated[
    str,
    typer.Option(help="How the game looks, such as garden, random, or a JSON file of yours."),
]
PixelSize = Annotated[
    int | None,
    typer.Option(
        help="Side of the picture that the agent sees, in pixels: 64, 84, 96, 128 or 256. Default: "
        "as the agent learned from, or 256.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder in which episodes are kept, such as runs/demo. The same command again plays "
        "only what is missing there. Default: nothing is kept."
    ),
]
Budget = Annotated[
    float | None,
    typer.Option(
        "--budget",
        metavar="USD",
        min=0.0,
        help="Most dollars to spend on an agent that costs money, such as 5; the run stops before. "
        "Default: no limit.",
    ),
]
BackendName = Annotated[
    str,
    typer.Option(
        "--backend",
        metavar="local|ray",
        help="Where episodes are played: local, in this process, or ray, by many processes or "
        "machines.",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="ADDRESS",
        help="With --backend ray: a cluster that runs already, as auto, HOST:PORT or "
        "ray://HOST:PORT. Default: one is started on this machine for the time of the run.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="With --backend ray: how many processes play. Default: one for each CPU.",
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print the results as JSON for a script to read, instead of a table."
    ),
]


@contextlib.contextmanager
def opened_backend(name: str, *, address: str | None, workers: int | None) -> "Iterator[Backend]":
    """The backend that options name, until the block ends.

    Raises:
        ValueError: If there is none.
    """
    from arena_breaker_gym.rollout.backends import make_backend

    backend = make_backend(name, address=address, workers=workers)
    try:
        yield backend
    finally:
        backend.close()


def settings_from(
    stages: list[str] | None, *, fix: bool, skin: str, pixel_size: int | None = None
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
        pixel_size=Settings.pixel_size if pixel_size is None else pixel_size,
    )
    settings.check_skin()
    return settings
