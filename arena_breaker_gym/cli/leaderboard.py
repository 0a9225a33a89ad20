"""`arena-breaker leaderboard`: a row for an agent, and the table of all of them."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.help import Command, HelpGroup
from arena_breaker_gym.cli.report import (
    bar,
    how_to_resume,
    print_json,
    print_table,
    say_where,
    this_command,
)

if TYPE_CHECKING:
    from arena_breaker_gym.leaderboard import Entry

FOLDER = Path("docs/leaderboard")

leaderboard = typer.Typer(
    cls=HelpGroup,
    help="Measures an agent on the public seeds, and shows all that were measured.",
    epilog="Example: arena-breaker leaderboard show docs/leaderboard",
    no_args_is_help=True,
)


@leaderboard.command(cls=Command)
def measure(
    agent: Annotated[str, typer.Argument(help=options.AGENT_HELP)],
    *,
    entry: Annotated[
        Path, typer.Option(help="The file to write, such as docs/leaderboard/mine.json.")
    ],
    name: Annotated[
        str | None, typer.Option(help="What the agent is called in the table. Default: as it is.")
    ] = None,
    note: Annotated[
        str,
        typer.Option(
            help="A sentence on how it was made, such as 'PPO, 10 million steps'. Default: none."
        ),
    ] = "",
    pixel_size: options.PixelSize = None,
    out: options.Out = None,
    backend: options.BackendName = "local",
    ray_address: options.RayAddress = None,
    workers: options.Workers = None,
    json: options.Json = False,
) -> None:
    """Plays the 100 public episodes and writes the agent's row.

    Example: arena-breaker leaderboard measure scripted --entry docs/leaderboard/scripted.json
    """
    from arena_breaker_agents.registry import costs_money, make_agent
    from arena_breaker_gym.leaderboard import measure_entry
    from arena_breaker_gym.rollout import Progress

    if costs_money(agent) and out is None:
        raise ValueError(f"{agent} costs money: name a folder with --out, to keep what it bought.")
    chosen = options.opened_backend(backend, address=ray_address, workers=workers)
    with bar(resume=how_to_resume(out)) as advance, chosen as player:

        def show(_: str, __: int, now: Progress) -> None:
            advance(f"{now.done} of {now.total} episodes", now.share)

        found = measure_entry(
            functools.partial(make_agent, agent),
            agent=name or agent,
            source=agent,
            command=this_command(),
            note=note,
            pixel_size=pixel_size,
            out=out,
            backend=player,
            watch=show,
        )
    found.save(entry)
    _print([found], json=json)
    say_where("Entry", entry)


@leaderboard.command(cls=Command)
def show(
    folder: Annotated[Path, typer.Argument(help="Folder of entries.")] = FOLDER,
    json: options.Json = False,
) -> None:
    """Prints the table of all entries of a folder, best first.

    Example: arena-breaker leaderboard show docs/leaderboard
    """
    from arena_breaker_gym.leaderboard import read_entries

    entries = read_entries(folder)
    if not entries:
        raise ValueError(f"{folder}: holds no entries; expected JSON files of `measure`.")
    _print(entries, json=json)


def _print(entries: "list[Entry]", *, json: bool) -> None:
    from dataclasses import asdict

    if json:
        print_json([asdict(one) for one in entries])
    else:
        print_table([one.row for one in entries])
