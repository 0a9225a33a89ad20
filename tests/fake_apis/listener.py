"""`Listener`: an event loop in a thread that answers requests on a loopback port."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

from tests.fake_apis.http import CUT, DROPPED, NEVER, Answer, Request, read_request

_BACKLOG = 1024


class Listener:
    """Hands each request to `handle`, many at once, and closes without waiting for any."""

    def __init__(self, handle: Callable[[Request], Awaitable[Answer]], port=0):
        self._handle = handle
        self._port = port
        self._connections = set()
        self._listening = threading.Event()
        self._fault = None
        self._thread = threading.Thread(target=self._run, name="fake-apis", daemon=True)

    def start(self):
        """Returns the port once requests are heard."""
        self._thread.start()
        self._listening.wait()
        if self._fault is not None:
            raise self._fault
        return self._port

    def close(self):
        """Drops every connection and waits for the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closed.set)
            self._thread.join()

    def _run(self):
        try:
            asyncio.run(self._listen())
        except OSError as fault:
            self._fault = fault
        finally:
            self._listening.set()

    async def _listen(self):
        self._loop = asyncio.get_running_loop()
        self._closed = asyncio.Event()
        server = await asyncio.start_server(
            self._connected, "127.0.0.1", self._port, backlog=_BACKLOG
        )
        self._port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._closed.wait()
        server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connected(self, reader, writer):
        self._connections.add(asyncio.current_task())
        try:
            while await self._exchange(reader, writer):
                pass
        except asyncio.CancelledError:
            writer.transport.abort()  # the server closes, whatever still waits
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass  # the client hung up, or does not speak HTTP
        finally:
            writer.close()
            self._connections.discard(asyncio.current_task())

    async def _exchange(self, reader, writer):
        """Answers one request; says whether the connection goes on."""
        answer = await self._handle(await read_request(reader))
        if answer.sent == NEVER:
            await reader.read()  # until the client hangs up
        if answer.sent in (NEVER, DROPPED) or reader.at_eof():
            return False
        # Before the first byte, so that a client that has the answer finds it in the records.
        answer.settle()
        content = answer.encoded()
        writer.write(content if answer.sent != CUT else content[: -len(answer.body) // 2])
        await writer.drain()
        return answer.sent != CUT
