"""`NitroGenServer`: predicts for clients on a network, in the form of NitroGen's public server.

Requests and replies are pickled dicts over ZeroMQ. Where the public server runs whatever code a
message brings and mixes the frames of all clients, this one runs none and keeps clients apart.
"""

from __future__ import annotations

import ipaddress
import logging
import signal
import socket
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import zmq
from numpy.typing import NDArray
from PIL import Image

from nitrogen_adapter import gamepad
from nitrogen_adapter.inference import ChunkPredictor
from nitrogen_adapter.remote import wire
from nitrogen_adapter.remote.wire import WireError

PORT = 5555  # the public server's
LOOPBACK = "127.0.0.1"
MAX_SESSIONS = 256  # our own choice; each keeps a frame or more in memory
EXTENSIONS = ("batch", "seed")  # what this server can and the public one cannot

# What the public server tells of itself, where a predictor does not know better.
PUBLIC_INFO: Mapping[str, Any] = MappingProxyType(
    {
        "ckpt_path": None,
        "selected_game": None,
        "old_layout": False,
        "cfg_scale": 1.0,
        "context_length": 1,
        "action_interleaving": False,
        "is_flowmatching": True,
        "action_downsample_ratio": 1,
    }
)

_LOG = logging.getLogger(__name__)
_POLL_MS = 20  # after which a request to stop is seen
_SEND_MS = 1000
_MAX_ROUTE = 8  # frames that lead back to a client, one for each broker between
_MAX_NAME = 255  # bytes of such a frame; ZeroMQ allows no more
_MAX_SEED = 2**64 - 1

_Client = tuple[bytes, ...]  # the frames that lead back to it


class NitroGenServer:
    """Serves a predictor until it is stopped.

    Every client has a session of its own, or several: earlier frames and noise. A message that
    cannot be read is answered with an error and logged in one line, and the server lives on.
    What ZeroMQ itself holds back for a peer that sends without end is not bounded: keep the port
    among machines that you trust.

    Attributes:
        address: where it listens, as in "tcp://127.0.0.1:5555".
        max_sessions: how many sessions it remembers; of more, the one that waited longest goes.
    """

    def __init__(
        self,
        predictor: ChunkPredictor,
        *,
        host: str = LOOPBACK,
        port: int = PORT,
        checkpoint: str | None = None,
        max_sessions: int = MAX_SESSIONS,
    ) -> None:
        """Listen, but answer nothing yet.

        Args:
            predictor: what predicts; the server closes it in the end.
            host: the interface; anything but this machine's own lets strangers ask.
            port: 0 for any free one.
            checkpoint: what clients are told the weights are from.
            max_sessions: how many sessions are remembered, at least 1.

        Raises:
            ValueError: if it may remember no session.
            OSError: if it cannot listen there.
        """
        if max_sessions < 1:
            raise ValueError(f"max_sessions must be at least 1, got {max_sessions}.")
        self._predictor = predictor
        self._checkpoint = checkpoint
        most = predictor.max_sessions
        self.max_sessions = max_sessions if most is None else min(max_sessions, most)
        self._numbers: OrderedDict[tuple[_Client, int], int] = OrderedDict()
        self._free: list[int] = [*range(self.max_sessions)][::-1]  # numbers of no session
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._handlers = {"predict": self._predict, "reset": self._reset, "info": self._info}
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        try:
            self.address = _listen(self._socket, host, port)
        except OSError:
            self._context.destroy(linger=0)
            raise

    def __enter__(self) -> Self:
        """Return itself; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def start(self) -> Self:
        """Serve in a thread of its own, until `stop` or `close`."""
        self._thread = threading.Thread(target=self.serve, name=self.address, daemon=True)
        self._thread.start()
        return self

    def serve(self) -> None:
        """Answer requests until `stop` is called or, in the main thread, a signal ends it."""
        with _signals_call(self.stop):
            while not self._stopping.is_set():
                if self._socket.poll(_POLL_MS):
                    self._answer(self._socket.recv_multipart())

    def stop(self) -> None:
        """Let `serve` return once the request at hand is answered; callable from any thread."""
        self._stopping.set()

    def close(self) -> None:
        """Stop, and let go of the port and the predictor."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
        if not self._context.closed:
            self._context.destroy(linger=0)
            self._predictor.close()

    # One request

    def _answer(self, frames: list[bytes]) -> None:
        """Reply to one message of ZeroMQ: the way back, an empty frame, a request."""
        route, body = _parted(frames)
        try:
            request = _request_in(body)
        except WireError as error:
            _LOG.warning("Refused %d bytes: %s", sum(map(len, frames[1:])), error)
            self._send([*route, b"", wire.dumps(_fault(error))])
        else:
            self._send([*route, b"", self._reply(_client_of(route), request)])

    def _reply(self, client: _Client, request: Mapping[str, Any]) -> bytes:
        kind = request.get("type")
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is None:
            _LOG.warning("Refused a request of no known type.")
            return wire.dumps(_fault(f"The type is none of {', '.join(self._handlers)}."))
        try:
            return wire.dumps({"status": "ok", **handler(client, request)})
        except ValueError as error:
            _LOG.warning("Refused to %s: %s", kind, _one_line(error))
            return wire.dumps(_fault(error))
        # Whatever fails in a model must not end the server; the client is told, the log has it.
        except Exception as error:
            _LOG.error("Failed to %s: %s: %s", kind, type(error).__name__, _one_line(error))
            return wire.dumps(_fault(f"Failed to {kind}: {type(error).__name__}: {error}"))

    def _send(self, frames: list[bytes]) -> None:
        try:
            self._socket.send_multipart(frames)
        except zmq.ZMQError as error:
            _LOG.warning("A reply could not be sent: %s", error)

    # The three requests

    def _predict(self, client: _Client, request: Mapping[str, Any]) -> dict[str, Any]:
        if "images" not in request:
            rows = self._rows(client, _frame_of(request.get("image"))[None], [0])
            return {"pred": _pred(rows[0])}
        frames = _frames_of(request["images"])
        sessions = self._sessions_of(request, default=list(range(len(frames))))
        if len(sessions) != len(frames):
            raise ValueError(f"There are {len(frames)} images for {len(sessions)} sessions.")
        return {"pred": _pred(self._rows(client, frames, sessions))}

    def _rows(
        self, client: _Client, frames: NDArray[np.uint8], sessions: Sequence[int]
    ) -> NDArray[np.float32]:
        rows = self._predictor.predict(frames, self._numbered(client, sessions))
        if not np.isfinite(rows).all():
            raise ValueError("The model predicted numbers that are not finite.")
        return rows

    def _reset(self, client: _Client, request: Mapping[str, Any]) -> dict[str, Any]:
        seed = request.get("seed")
        if seed is not None and (type(seed) is not int or not 0 <= seed <= _MAX_SEED):
            raise ValueError(f"The seed is no whole number from 0 to {_MAX_SEED}.")
        known = sorted({0} | {one for owner, one in self._numbers if owner == client})
        numbers = self._numbered(client, self._sessions_of(request, default=known))
        self._predictor.reset(numbers, seed)
        return {}

    def _info(self, client: _Client, request: Mapping[str, Any]) -> dict[str, Any]:
        known: Mapping[str, Any] = getattr(self._predictor, "info", dict)()
        info = {**PUBLIC_INFO, **known, "extensions": list(EXTENSIONS)}
        info["action_horizon"] = self._predictor.horizon
        info["max_sessions"] = self.max_sessions
        if self._checkpoint is not None:
            info["ckpt_path"] = self._checkpoint
        return {"info": info}

    # Sessions

    def _sessions_of(self, request: Mapping[str, Any], *, default: list[int]) -> list[int]:
        sessions = request.get("sessions", default)
        if not isinstance(sessions, list | tuple) or not sessions:
            raise ValueError("The sessions are no list of whole numbers.")
        if any(type(one) is not int or one < 0 for one in sessions):
            raise ValueError("The sessions are no list of whole numbers from 0.")
        if len(set(sessions)) != len(sessions) or len(sessions) > self.max_sessions:
            raise ValueError(f"The sessions are not up to {self.max_sessions} different ones.")
        return list(sessions)

    def _numbered(self, client: _Client, sessions: Sequence[int]) -> list[int]:
        """Return the predictor's own numbers of a client's sessions, the latest used last."""
        for one in sessions:
            if (client, one) in self._numbers:
                self._numbers.move_to_end((client, one))
        for one in sessions:
            if (client, one) not in self._numbers:
                self._numbers[client, one] = self._free_number()
        return [self._numbers[client, one] for one in sessions]

    def _free_number(self) -> int:
        """Return a number of the predictor that nobody uses, its memory empty."""
        if not self._free:
            _, number = self._numbers.popitem(last=False)
            self._free.append(number)
        self._predictor.reset(self._free[-1:], None)
        return self._free.pop()


def _listen(router: zmq.Socket[bytes], host: str, port: int) -> str:
    """Bind a socket whose limits keep hostile peers small; return where it listens."""
    address = _numeric(host)
    router.maxmsgsize = 2 * wire.MAX_BYTES  # up to this the sender is told; above, cut off
    router.rcvhwm = 2  # messages that wait, for each peer
    router.linger = 0
    router.sndtimeo = _SEND_MS
    router.router_handover = True  # a client that comes back under its name is the same client
    router.ipv6 = address.version == 6
    place = f"[{address}]" if address.version == 6 else str(address)
    try:
        router.bind(f"tcp://{place}:{port or '*'}")
    except zmq.ZMQError as error:
        reason = zmq.strerror(error.errno or 0)
        raise OSError(f"Cannot listen on {host}, port {port}: {reason}.") from error
    if not address.is_loopback:
        _LOG.warning("Listening on %s: whoever reaches this machine there can ask.", host)
    return router.getsockopt_string(zmq.LAST_ENDPOINT)


def _numeric(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OSError(f"There is no interface {host!r} to listen on.") from error
    addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
    return min(addresses, key=lambda address: address.version)


@contextmanager
def _signals_call(stop: Any) -> Iterator[None]:
    """Has SIGINT and SIGTERM stop the server meanwhile; only the main thread may ask for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    both = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(one, lambda *_: stop()) for one in both]
    try:
        yield
    finally:
        for one, handler in zip(both, before, strict=True):
            signal.signal(one, handler)


def _parted(frames: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Part a message into the way back and what comes after its empty frame."""
    end = frames.index(b"") if b"" in frames else 0
    if not 1 <= end <= _MAX_ROUTE or max(map(len, frames[:end])) > _MAX_NAME:
        return frames[:1], []
    return frames[:end], frames[end + 1 :]


def _request_in(body: list[bytes]) -> dict[str, Any]:
    if len(body) != 1:
        raise WireError("A message is not one part behind an empty one.")
    return wire.loads(body[0])


def _client_of(route: list[bytes]) -> _Client:
    """Return who sent a request, whichever brokers it came through.

    A client with the option REQ_CORRELATE adds a number of four bytes that is new each time.
    """
    return tuple(frame for place, frame in enumerate(route) if place == 0 or len(frame) != 4)


def _frame_of(image: Any) -> NDArray[np.uint8]:
    """Return an image of a request as (H, W, 3)."""
    if isinstance(image, Image.Image):
        image = np.array(image.convert("RGB"))  # a copy, which may be written to as others may
    return _checked(image, "image", axes=3)


def _frames_of(images: Any) -> NDArray[np.uint8]:
    return _checked(images, "images", axes=4)


def _checked(given: Any, name: str, *, axes: int) -> NDArray[np.uint8]:
    expected = "uint8 (height, width, 3)" if axes == 3 else "uint8 (n, height, width, 3)"
    if not isinstance(given, np.ndarray):
        raise ValueError(f"'{name}' is no array; expected {expected}.")
    if given.dtype != np.uint8 or given.ndim != axes or given.shape[-1] != 3 or not given.size:
        raise ValueError(f"'{name}' is {given.dtype} {given.shape}; expected {expected}.")
    return given


def _pred(rows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return rows (..., 18, 25) as a reply has them: sticks from -1 to 1, buttons 0 or 1."""
    parts = gamepad.NEW_LAYOUT
    return {
        "j_left": np.clip(rows[..., parts.left] * 2 - 1, -1, 1),
        "j_right": np.clip(rows[..., parts.right] * 2 - 1, -1, 1),
        "buttons": (rows[..., parts.buttons] > gamepad.DOWN).astype(np.float32),
    }


def _fault(error: object) -> dict[str, str]:
    return {"status": "error", "message": _one_line(error)}


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:500]
