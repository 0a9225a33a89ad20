"""The ways to reach a server: `serve_stdio` for a client that starts it, `serve_http` for many."""

import contextlib
import signal
import socket
import sys

import anyio
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings

from arena_breaker_gym.mcp_server.server import ArenaServer

PATH = "/mcp"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PATIENCE_S = 2  # for requests under way when the server is told to stop


def serve_stdio(server: ArenaServer) -> None:
    """Serves the client at the other end of standard input and output until it leaves.

    Standard output carries the protocol and nothing else.
    """
    anyio.run(_serve_stdio, server)


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
