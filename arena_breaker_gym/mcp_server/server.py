"""`ArenaServer`: the tools on the official library, with errors that are one sentence."""

import contextlib
import reprlib
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio
import anyio.to_thread
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.stdio import stdio_server
from mcp_types import CallToolResult, InputRequiredResult
from pydantic import ValidationError

from arena_breaker_gym import __version__
from arena_breaker_gym.mcp_server.games import GameError, Games, House
from arena_breaker_gym.mcp_server.lines import MendedLines
from arena_breaker_gym.mcp_server.rules import rules_for
from arena_breaker_gym.mcp_server.tools import TOOLS
from arena_breaker_gym.rendering import skins
from arena_breaker_gym.settings import closest

LEFT_OPEN = "left open by the client"
_SWEEPS = 10  # looks for abandoned episodes in the time that makes one
_LONG = 10**18  # a whole number from here on is not repeated to whoever sent it


class ArenaServer(MCPServer[Games]):
    """Serves the arena; each run of the server has games of its own, kept when it ends.

    Attributes:
        games: Those of the runs under way: one, but for tests in memory.
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
        self, name: str, arguments: dict[str, Any], context: Context[Games, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Calls a tool.

        Raises:
            ToolError: If the call cannot be met; the message is one sentence for the client.
        """
        for tool in await self.list_tools():
            if tool.name == name:
                _check_names(name, arguments, tool.input_schema["properties"])
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


def _check_names(tool: str, arguments: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuses an argument that the library would pass over in silence."""
    for name in arguments:
        if name not in known:
            raise ToolError(f"{tool} has no argument {_shown(name)}; {closest(name, known)}.")


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
