"""`arena-breaker mcp`: the arena for any client of the Model Context Protocol."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.settings import MAX_EPISODE_STEPS


def mcp(
    *,
    http: Annotated[
        bool,
        typer.Option(
            "--http", help="Listen on a port, for many clients, instead of standard input."
        ),
    ] = False,
    host: Annotated[
        str,
        typer.Option(
            help="With --http: address to listen on. Any other than 127.0.0.1 opens the server "
            "to other "
            "machines, without a password."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="With --http: the port, such as 8000; 0 takes any free one."
        ),
    ] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="With --host: a name by which clients call this machine, such as games.lan; "
            "say it "
            "again for more. Default: its address and localhost."
        ),
    ] = None,
    max_steps: options.Steps = MAX_EPISODE_STEPS,
    idle_minutes: Annotated[
        float,
        typer.Option(min=0.01, help="Minutes without a call after which an episode is given up."),
    ] = 30.0,
    name: Annotated[
        str, typer.Option(help="Name of the player in tables; give each model one of its own.")
    ] = "mcp",
    stages: options.StageFiles = None,
    point_blank_fix: options.Fix = True,
    skin: options.Skin = "default",
    pixel_size: Annotated[
        int, typer.Option(help="Side of pictures in pixels, where the client asks for none.")
    ] = 256,
    out: Annotated[Path, typer.Option(help="Folder in which episodes are kept.")] = Path(
        "mcp_episodes"
    ),
) -> None:
    """Lets any client of the Model Context Protocol play, such as an assistant on your desk.

    Without --http a client starts this command itself and talks to it over standard input and
    output.

    Example: arena-breaker mcp --http --port 8000 --out runs/mcp
    """
    from arena_breaker_gym._runtime.extras import require

    require("mcp.server.mcpserver", "mcp")
    # pygame greets on standard output, which is the protocol's.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    from arena_breaker_gym.mcp_server.games import House
    from arena_breaker_gym.mcp_server.server import ArenaServer, serve_http, serve_stdio
    from arena_breaker_gym.rollout.store import EpisodeStore

    settings = options.settings_from(stages, fix=point_blank_fix, skin=skin)
    house = House(
        settings=replace(settings, pixel_size=pixel_size),
        store=EpisodeStore(out),
        agent=name,
        max_steps=max_steps,
        idle_s=60.0 * idle_minutes,
    )
    server = ArenaServer(house)
    if http:
        serve_http(server, host=host, port=port, allowed_hosts=tuple(allow_host or ()))
    else:
        serve_stdio(server)
