"""`ArenaServer`: the tools on the official library, with errors that are one sentence.

The tools that clients see stand first: what each takes, in which units, and what it answers.
"""

import contextlib
import json
import re
import reprlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated, Any, Literal

import anyio
import anyio.to_thread
import numpy as np
import uvicorn
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import Field, ValidationError

from arena_breaker_gym import __version__
from arena_breaker_gym._runtime.json_file import AS_NUMBER, AS_TRUTH, AS_WHOLE
from arena_breaker_gym._runtime.stored import without_surrogates
from arena_breaker_gym.engine import hazards, player, roster, shots, waves
from arena_breaker_gym.engine.arena import TICK, TICKS_PER_SECOND
from arena_breaker_gym.engine.damage import GRACE
from arena_breaker_gym.mcp_server.games import (
    LONGEST,
    Ending,
    GameError,
    Games,
    House,
    Moment,
    Started,
    Turn,
)
from arena_breaker_gym.rendering import skins
from arena_breaker_gym.rendering.frames import png_of
from arena_breaker_gym.settings import Settings, closest
from arena_breaker_gym.stages.loader import load_campaign
from arena_breaker_gym.stages.table import ENEMY_TYPES

MOST_STEPS = 60  # of one call: two seconds at the standard pace
_USUAL_STEPS = 6
SIZES = [64, 84, 96, 128, 256, 512]
_LARGEST_SEED = 2**53 - 1  # the whole numbers that every client's JSON holds exactly

Name = Annotated[str, Field(strict=True, description="The episode, as start_episode named it.")]
Steps = Annotated[
    int, Field(strict=True, ge=1, le=MOST_STEPS, description="Steps to play."), AS_WHOLE
]


def _stick(meaning: str) -> object:
    return Field(strict=True, ge=-1.0, le=1.0, allow_inf_nan=False, description=meaning)


MoveX = Annotated[float, _stick("Move stick: 1 is full speed right."), AS_NUMBER]
MoveZ = Annotated[float, _stick("Move stick: 1 is full speed towards the viewer."), AS_NUMBER]
AimX = Annotated[float, _stick("Aim stick: right; from a length of 0.3 it fires."), AS_NUMBER]
AimZ = Annotated[float, _stick("Aim stick: towards the viewer."), AS_NUMBER]
Dash = Annotated[bool, Field(strict=True, description="Dash along the move stick."), AS_TRUTH]


def _optional(description: str, **schema: object) -> object:
    """A whole number that may be left out, or null, without a schema that says so.

    Some clients know no unions: they send text for whatever may be a number or null. So the
    schema is a plain integer's, without the default that is none.
    """

    def plain(told: dict[str, Any]) -> None:
        told.pop("anyOf", None)
        told.pop("default", None)
        told.update(type="integer", **schema)

    return Field(description=description, json_schema_extra=plain)


Seed = Annotated[int, Field(strict=True, ge=0, le=_LARGEST_SEED), AS_WHOLE]
Stage = Annotated[int, Field(strict=True, ge=1), AS_WHOLE]
MaxSteps = Annotated[int, Field(strict=True, ge=1, le=LONGEST), AS_WHOLE]
Size = Annotated[Literal[64, 84, 96, 128, 256, 512], AS_WHOLE]


def start_episode(
    ctx: Context[Games],
    seed: Annotated[
        Seed | None,
        _optional("Of all chance; left out: any.", minimum=0, maximum=_LARGEST_SEED),
    ] = None,
    stage: Annotated[
        Stage | None, _optional("Stage to begin on, from 1; left out: the first.", minimum=1)
    ] = None,
    max_steps: Annotated[
        MaxSteps | None,
        _optional(
            "Steps after which it is cut off; left out: as the server says.",
            minimum=1,
            maximum=LONGEST,
        ),
    ] = None,
) -> Annotated[CallToolResult, Started]:
    """Begins an episode and gives the name that all other tools ask for."""
    return _result(_games(ctx).start(seed=seed, stage=stage, max_steps=max_steps))


def get_snapshot(ctx: Context[Games], episode: Name) -> Annotated[CallToolResult, Moment]:
    """Reads the arena as JSON: player, enemies, projectiles, hazards, stage, wave, score."""
    return _result(_games(ctx).look(episode))


def get_frame(
    ctx: Context[Games],
    episode: Name,
    size: Annotated[
        Size | None,
        _optional("Side of the picture in pixels; left out: as the server says.", enum=SIZES),
    ] = None,
    hud: Annotated[
        bool,
        Field(strict=True, description="Draw hp, score, stage and wave over it, for people."),
        AS_TRUTH,
    ] = False,
) -> Image:
    """Shows the arena as a PNG, seen from above at an angle: x right, z down."""
    return Image(data=png_of(_games(ctx).draw(episode, size=size, hud=hud)), format="png")


def act(
    ctx: Context[Games],
    episode: Name,
    move_x: MoveX = 0.0,
    move_z: MoveZ = 0.0,
    aim_x: AimX = 0.0,
    aim_z: AimZ = 0.0,
    dash: Dash = False,
    steps: Steps = _USUAL_STEPS,
) -> Annotated[CallToolResult, Turn]:
    """Holds the sticks so for some steps (1/30 s each by default) and tells what came of it.

    A stick longer than 1 is scaled to 1.
    """
    action = np.array([move_x, move_z, aim_x, aim_z, dash], dtype=np.float32)
    return _result(_games(ctx).act(episode, action, steps))


def end_episode(ctx: Context[Games], episode: Name) -> Annotated[CallToolResult, Ending]:
    """Gives up an episode: it is kept, but marked, so that it is never scored as play."""
    return _result(_games(ctx).end(episode))


_LOOKS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_PLAYS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)

TOOLS: tuple[tuple[Callable[..., Any], ToolAnnotations], ...] = (
    (start_episode, _PLAYS),
    (get_snapshot, _LOOKS),
    (get_frame, _LOOKS),
    (act, _PLAYS),
    (end_episode, _PLAYS),
)


def _games(ctx: Context[Games]) -> Games:
    return ctx.request_context.lifespan_context


def _result(answer: Started | Moment | Turn | Ending) -> CallToolResult:
    """The answer both as a value and as compact text, which is what models pay for."""
    return CallToolResult(
        content=[TextContent(type="text", text=answer.model_dump_json())],
        structured_content=answer.model_dump(mode="json"),
    )


_HABITS = {
    "swarmer": "runs at you; a crowd comes from all sides",
    "shooter": "keeps 5 to 7 m away, fires aimed shots",
    "charger": "winds up, then charges fast in a line; a wall stuns it",
    "splitter": "on death becomes three swarmers",
    "bomber": "lights a fuse near you; its blast hurts you and its friends; shoot it before",
    "sentinel": "slow; rings of shots and aimed triples",
}

_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a surrogate pair, in JSON

_WHOLE_ID = re.compile(r'"id"\s*:\s*\d+\.0')  # a message's number, or something of that name
_NOTHING = ("", "null", "none")  # text for a value that is left out

LEFT_OPEN = "left open by the client"
_SWEEPS = 10  # looks for abandoned episodes in the time that makes one
_LONG = 10**18  # a whole number from here on is not repeated to its sender

PATH = "/mcp"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PATIENCE_S = 2  # for requests under way when the server is told to stop


def rules_for(settings: Settings) -> str:
    """The rules and how to play, for people and models alike.

    Args:
        settings: The game's settings.

    Raises:
        StageError: If a stage's file is refused.
    """
    models = load_campaign(settings.stages).models
    sizes = ", ".join(
        f"{number}: {model.size.width:g} x {model.size.depth:g}"
        for number, model in enumerate(models, start=1)
    )
    enemies = "\n".join(f"- {_enemy(code)}" for code in range(1, len(ENEMY_TYPES)))
    return f"""\
Arena Breaker is a twin-stick survival arena. The game stands still between your calls. \
start_episode begins an episode and gives its name, act plays some steps of \
{settings.frame_skip / TICKS_PER_SECOND:.3g} s, get_snapshot and get_frame look, end_episode \
gives up.

Units: metres, seconds. x points right, z towards the viewer (down in the picture). The arena's \
middle is 0, 0; sizes in x and z by stage: {sizes}. Snapshots give the player's place, and \
enemies, enemy projectiles and hazards by dx, dz from the player, nearest first.

Player: {player.HP} hp, radius {player.RADIUS:g}, {player.SPEED:g} m/s along the move stick. Aim \
at dx, dz by an aim stick of that direction: while it is at least {player.FIRE_THRESHOLD:g} long \
the gun fires by itself, a shot every {shots.RELOAD * TICK:.2g} s, {shots.SPEED:g} m/s, range \
{shots.RANGE:g}, damage {shots.DAMAGE}. Walls and pillars stop shots. A dash along the move stick \
({player.DASH_SPEED:g} m/s for {player.DASH_TICKS * TICK:.2g} s, unhurt meanwhile) is ready again \
after {player.DASH_COOLDOWN * TICK:.2g} s. After a hit nothing hurts for {GRACE * TICK:.2g} s.

Score: {waves.WAVE_SCORE} for each wave begun and each killed enemy's value. A cleared stage \
gives {waves.STAGE_HEAL} hp back; clearing the last is victory, no hp is defeat.

Enemies; touching one costs hp:
{enemies}
Hazards: saws travel along a track, spikes hurt while active; each costs {hazards.DAMAGE} hp.\
"""


def _enemy(code: int) -> str:
    name = ENEMY_TYPES[code]
    return (
        f"{name}: {roster.HP[code]} hp, radius {roster.RADIUS[code]:g}, "
        f"{roster.SPEED[code]:g} m/s, value {roster.VALUE[code]}; {_HABITS[name]}"
    )


def _mended(message: object) -> str:
    message = without_surrogates(message)
    number = message.get("id") if isinstance(message, dict) else None
    if isinstance(message, dict) and isinstance(number, float) and number.is_integer():
        message["id"] = int(number)
    return json.dumps(message)


class MendedLines(TextIOWrapper):
    r"""Lines of JSON in which no half of a surrogate pair stands alone.

    A model that breaks off in the middle of an emoji leaves such a half ("\ud800"), which the
    library's reader takes for no message at all: its client would wait for ever. So it does with
    a message numbered 6.0, as languages write it that know no whole numbers.
    """

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        """The next line, mended."""
        line = super().readline(size).removeprefix("\ufeff")
        if _HALF.search(line) or _WHOLE_ID.search(line):
            with suppress(ValueError, RecursionError):  # no JSON: as it was
                return _mended(json.loads(line)) + "\n"
        return line

    def close(self) -> None:
        """Lets go of standard input, which is not ours to close."""
        with suppress(ValueError):
            self.detach()


class ArenaServer(MCPServer[Games]):
    """Serves the arena; each run of the server has games of its own, kept when it ends.

    Attributes:
        games: Those of the runs under way: one, except in tests in memory.
    """

    def __init__(self, house: House) -> None:
        """Prepares the server.

        Args:
            house: What all games share.

        Raises:
            ValueError: If the settings cannot be met.
        """
        skins.every(house.settings.skin)
        self.house = house
        self.games: list[Games] = []
        super().__init__(
            "arena-breaker",
            title="Arena Breaker",
            instructions=rules_for(house.settings),
            version=__version__,
            lifespan=_lifespan,
            log_level="WARNING",
        )
        for function, hints in TOOLS:
            self.add_tool(function, annotations=hints)

    def close_games(self) -> None:
        """Keeps every open episode, marked as failed."""
        for games in self.games:
            games.close(LEFT_OPEN)

    async def run_stdio_async(self) -> None:
        """Serves standard input and output; no message is passed over for halves of letters."""
        lines = anyio.wrap_file(MendedLines(sys.stdin.buffer, encoding="utf-8", errors="replace"))
        lowlevel = self._lowlevel_server
        async with stdio_server(stdin=lines) as (incoming, outgoing):
            await lowlevel.run(incoming, outgoing, lowlevel.create_initialization_options())

    async def call_tool(
        self, name: str, arguments: dict[str, object], context: Context[Games, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Calls a tool.

        Raises:
            ToolError: If the call cannot be met; the message is one sentence for the client.
        """
        for tool in await self.list_tools():
            if tool.name == name:
                _check_names(name, arguments, tool.input_schema["properties"])
                arguments = _told(arguments, tool.input_schema.get("required", ()))
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                raise ToolError(f"{name}: {_sentence(cause)}") from None
            if isinstance(cause, GameError):
                raise ToolError(str(cause)) from None
            raise


@contextlib.asynccontextmanager
async def _lifespan(server: MCPServer[Games]) -> AsyncIterator[Games]:
    """The games of one run of the server, warmed up while it already answers."""
    assert isinstance(server, ArenaServer)
    games = Games(server.house)
    server.games.append(games)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, games.warm_up)
            tasks.start_soon(_sweep, games)
            yield games
            tasks.cancel_scope.cancel()
    finally:
        games.close(LEFT_OPEN)
        server.games.remove(games)


async def _sweep(games: Games) -> None:
    while True:
        await anyio.sleep(games.house.idle_s / _SWEEPS)
        await anyio.to_thread.run_sync(games.sweep)


def _check_names(tool: str, arguments: Mapping[str, object], known: Mapping[str, object]) -> None:
    """Refuses an argument that the library would pass over in silence."""
    for name in arguments:
        if name not in known:
            raise ToolError(f"{tool} has no argument {_shown(name)}; {closest(name, known)}.")


def _told(arguments: Mapping[str, object], required: Collection[str]) -> dict[str, object]:
    """Arguments without those that may be left out and are, if only by null or empty text."""
    return {
        name: value
        for name, value in arguments.items()
        if name in required or not _is_nothing(value)
    }


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING)


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong with a call's arguments."""
    first = error.errors(include_url=False)[0]
    place = str(first["loc"][0]) if first["loc"] else "the arguments"
    if first["type"] == "missing":
        return f"{place} is missing."
    message = first["msg"].removeprefix("Input ")
    return f"{place} {message}, got {_shown(first['input'])}."


def _shown(value: object) -> str:
    if isinstance(value, int) and abs(value) >= _LONG:
        return "a number far too large"
    return reprlib.repr(value)


def serve_stdio(server: ArenaServer) -> None:
    """Serves the client at the other end of standard input and output until it leaves.

    Standard output carries the protocol and nothing else.
    """
    try:
        anyio.run(_serve_stdio, server)
    except* BrokenPipeError:  # it left without waiting for an answer; its games are kept
        sys.stdout = None  # what is not written will never be


async def _serve_stdio(server: ArenaServer) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_die_in_order, server)
        await server.run_stdio_async()
        tasks.cancel_scope.cancel()


async def _die_in_order(server: ArenaServer) -> None:
    """Keeps what is open when a signal ends the process.

    The library waits for standard input in a thread that nothing can call back, so the process
    cannot end otherwise than by the signal itself.
    """
    with (
        contextlib.suppress(NotImplementedError),  # Windows ends processes without a word
        anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals,
    ):
        async for number in signals:
            server.close_games()
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


def serve_http(
    server: ArenaServer, *, host: str, port: int, allowed_hosts: tuple[str, ...] = ()
) -> None:
    """Serves clients over streamable HTTP until Ctrl-C.

    Args:
        server: The server.
        host: Interface to listen on.
        port: Port; 0: any free one.
        allowed_hosts: Names by which clients may call this machine, besides `host` and the
            loopback ones: a page in a browser that made its own name point here is refused.

    Raises:
        OSError: If it cannot listen there.
    """
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        transport_security=_security((*LOOPBACK, host, *allowed_hosts)),
    )
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=_PATIENCE_S
    )
    with _listening(host, port) as listener:
        place = f"http://{_bracketed(host)}:{listener.getsockname()[1]}{PATH}"
        sys.stderr.write(f"Arena Breaker listens at {place}; Ctrl-C ends it.\n")
        sys.stderr.flush()
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn passes it on when all is kept
            uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(f"Cannot listen on {host}, port {port}: {reason}.") from error


def _security(hosts: tuple[str, ...]) -> TransportSecuritySettings:
    names = [_bracketed(host) for host in hosts]
    ported = [f"{name}:*" for name in names]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[*names, *ported],
        allowed_origins=[f"http://{name}" for name in (*names, *ported)],
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
