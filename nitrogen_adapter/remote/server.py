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
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import zmq
from numpy.typing import NDArray
from PIL import Image

from nitrogen_adapter import gamepad
from nitrogen_adapter.inference import ChunkPredictor, scaled
from nitrogen_adapter.remote import wire
from nitrogen_adapter.remote.batching import (
    MAX_BATCH,
    MAX_QUEUE,
    Batcher,
    Client,
    JobQueue,
    Metrics,
    QueuedRequest,
    QueueFullError,
)
from nitrogen_adapter.remote.wire import WireError

PORT = 5555  # the public server's
LOOPBACK = "127.0.0.1"
MAX_SESSIONS = 256  # our own choice; each keeps a frame or more in memory
LOG_EVERY_S = 60.0
EXTENSIONS = ("batch", "seed")  # what this server can and the public one cannot

# What the public server says about itself, where a predictor does not know better.
PUBLIC_INFO: Mapping[str, object] = MappingProxyType(
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
_REPLIES = 64  # that wait for a peer which does not read; it loses what is beyond
_LINGER_MS = 500  # in which the last replies may leave
_STOPPED = "The server was stopped before this was served."
_MAX_ROUTE = 8  # frames that lead back to a client, one for each broker between
_MAX_NAME = 255  # bytes of such a frame; ZeroMQ allows no more
_MAX_SEED = 2**64 - 1


class NitroGenServer:
    """Serves a predictor until it is stopped.

    Every client has a session of its own, or several: earlier frames and noise. Requests that come
    while the model is busy share its next forward pass; so many may wait, and who comes then is
    told so. A message that cannot be read is answered with an error and logged in one line, and
    the server lives on. What ZeroMQ itself holds back for a peer that sends without end is not
    bounded: keep the port among machines that you trust.

    Attributes:
        address: where it listens, as in "tcp://127.0.0.1:5555".
        max_sessions: how many sessions it remembers; of more, the one that waited longest goes.
        metrics: what it did so far.
    """

    def __init__(
        self,
        predictor: ChunkPredictor,
        *,
        host: str = LOOPBACK,
        port: int = PORT,
        checkpoint: str | None = None,
        max_sessions: int = MAX_SESSIONS,
        max_queue: int = MAX_QUEUE,
        max_batch: int = MAX_BATCH,
        log_every_s: float = LOG_EVERY_S,
    ) -> None:
        """Listen, but answer nothing yet.

        Args:
            predictor: what predicts; the server closes it in the end.
            host: the interface; anything but this machine's own lets strangers ask.
            port: 0 for any free one.
            checkpoint: what clients are told the weights are from.
            max_sessions: how many sessions are remembered, at least 1.
            max_queue: how many requests may wait for the model, at least 1.
            max_batch: how many frames may share a forward pass, at least 1.
            log_every_s: seconds after which the log has what was done meanwhile, above 0.

        Raises:
            ValueError: if one of these numbers is too small.
            OSError: if it cannot listen there.
        """
        if max_sessions < 1:
            raise ValueError(f"max_sessions must be at least 1, got {max_sessions}.")
        if not log_every_s > 0:
            raise ValueError(f"log_every_s must be above 0, got {log_every_s}.")
        self._predictor = predictor
        self._checkpoint = checkpoint
        most = predictor.max_sessions
        self.max_sessions = max_sessions if most is None else min(max_sessions, most)
        self._queue = JobQueue(max_queue)
        self._batcher = Batcher(
            predictor, self._queue, max_sessions=self.max_sessions, max_batch=max_batch
        )
        self._served: SimpleQueue[list[QueuedRequest]] = SimpleQueue()
        self.metrics = Metrics()
        self._lately = Metrics()
        self._log_every_s = log_every_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._readers = {"predict": self._read_predict, "reset": self._read_reset}
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
        """Answer requests until `stop` is called or, in the main thread, a signal ends it.

        This thread reads and answers, another one predicts.
        """
        with _signals_call(self.stop), self._predicting() as woken:
            poller = zmq.Poller()
            poller.register(self._socket, zmq.POLLIN)
            poller.register(woken, zmq.POLLIN)
            while not self._stopping.is_set():
                ready = dict(poller.poll(_POLL_MS))
                if woken in ready:
                    woken.recv()
                    self._send_served()
                if self._socket in ready:
                    self._receive(self._socket.recv_multipart())
                if self._lately.seconds >= self._log_every_s:
                    self._log_lately()
        self._log_all()

    def stop(self) -> None:
        """Let `serve` return once the current requests are answered; callable from any thread."""
        self._stopping.set()

    def close(self) -> None:
        """Stop, and let go of the port and the predictor."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
        if not self._context.closed:
            self._context.destroy(linger=_LINGER_MS)
            self._predictor.close()

    # The thread that predicts

    @contextmanager
    def _predicting(self) -> Iterator[zmq.Socket[bytes]]:
        """Let a thread predict meanwhile; yields what receives something when it has served."""
        bell = f"inproc://served-{id(self)}"
        with self._context.socket(zmq.PAIR) as woken, self._context.socket(zmq.PAIR) as waking:
            woken.bind(bell)
            waking.connect(bell)

            def served(jobs: list[QueuedRequest]) -> None:
                self._served.put(jobs)
                with suppress(zmq.Again):  # it has rung often enough
                    waking.send(b"", zmq.NOBLOCK)

            thread = threading.Thread(target=self._batcher.run, args=[served], name="predicting")
            thread.start()
            try:
                yield woken
            finally:
                left = self._queue.close()
                thread.join()
                self._send_served()
                for job in left:
                    self._fail(job, _STOPPED, "turned away")

    def _send_served(self) -> None:
        while not self._served.empty():
            jobs = self._served.get()
            frames = [len(job.frames) for job in jobs if job.frames is not None]
            if frames:
                for metrics in (self.metrics, self._lately):
                    metrics.count_pass(len(frames), sum(frames))
            for job in jobs:
                self._answer(job)

    def _answer(self, job: QueuedRequest) -> None:
        """Reply to a job that was served."""
        kind = "reset" if job.frames is None else "predict"
        if job.rows is not None and job.error is None:
            rows = job.rows[0] if job.single else job.rows
            self._send(job.route, {"status": "ok", "pred": _pred(rows)}, job.received)
        elif job.error is None:
            self._send(job.route, {"status": "ok"}, job.received)
        elif isinstance(job.error, ValueError):
            _LOG.warning("Refused to %s: %s", kind, _one_line(job.error))
            self._fail(job, job.error, "refused")
        else:
            said = f"{type(job.error).__name__}: {job.error}"
            _LOG.error("Failed to %s: %s", kind, _one_line(said))
            self._fail(job, f"Failed to {kind}: {said}", "failed")

    # One message

    def _receive(self, frames: list[bytes]) -> None:
        """Take one message of ZeroMQ: the way back, an empty frame, a request."""
        received = time.monotonic()
        route, body = _parted(frames)
        try:
            request = _request_in(body)
        except WireError as error:
            _LOG.warning("Refused %d bytes: %s", sum(map(len, frames[1:])), error)
            self._send(route, _fault(error), received, "refused")
        else:
            self._take(route, request, received)

    def _take(self, route: list[bytes], request: Mapping[str, object], received: float) -> None:
        """Answer a request at once, or let it wait for the predictor."""
        kind = request.get("type")
        if kind == "info":
            self._send(route, {"status": "ok", "info": self._info()}, received)
            return
        reader = self._readers.get(kind) if isinstance(kind, str) else None
        if reader is None:
            _LOG.warning("Refused a request of no known type.")
            known = ", ".join([*self._readers, "info"])
            self._send(route, _fault(f"The type is none of {known}."), received, "refused")
            return
        try:
            self._queue.put(reader(route, request, received))
        except ValueError as error:
            _LOG.warning("Refused to %s: %s", kind, _one_line(error))
            self._send(route, _fault(error), received, "refused")
        except QueueFullError as error:  # not logged each time: there are many of them, if any
            self._send(route, {**_fault(error), "busy": True}, received, "turned away")

    def _fail(self, job: QueuedRequest, error: object, outcome: str) -> None:
        self._send(job.route, _fault(error), job.received, outcome)

    def _send(
        self,
        route: list[bytes],
        reply: Mapping[str, object],
        received: float,
        outcome: str = "served",
    ) -> None:
        try:
            self._socket.send_multipart([*route, b"", wire.dumps(reply)])
        except zmq.ZMQError as error:
            _LOG.warning("A reply could not be sent: %s", error)
        seconds = time.monotonic() - received
        for metrics in (self.metrics, self._lately):
            metrics.count(outcome, seconds)

    def _log_lately(self) -> None:
        if self._lately.counts:
            _LOG.info("%s", self._lately)
        self._lately = Metrics()

    def _log_all(self) -> None:
        if self.metrics.counts:
            _LOG.info("In all, %s", self.metrics)

    # The three requests

    def _read_predict(
        self, route: list[bytes], request: Mapping[str, object], received: float
    ) -> QueuedRequest:
        single = "images" not in request
        if single:
            frames, sessions = _frame_of(request.get("image"))[None], [0]
        else:
            frames = _frames_of(request["images"])
            default = list(range(len(frames)))
            sessions = self._sessions_of(request.get("sessions", default))
        if len(sessions) != len(frames):
            raise ValueError(f"There are {len(frames)} images for {len(sessions)} sessions.")
        side = getattr(self._predictor, "image_size", None)
        if side is not None:  # here, so that frames of all sizes share a pass
            frames = scaled(frames, side)
        return QueuedRequest(
            _client_of(route), route, received, sessions, frames=frames, single=single
        )

    def _read_reset(
        self, route: list[bytes], request: Mapping[str, object], received: float
    ) -> QueuedRequest:
        seed = request.get("seed")
        if seed is not None and (type(seed) is not int or not 0 <= seed <= _MAX_SEED):
            raise ValueError(f"The seed is no whole number from 0 to {_MAX_SEED}.")
        sessions = self._sessions_of(request["sessions"]) if "sessions" in request else None
        return QueuedRequest(_client_of(route), route, received, sessions, seed=seed)

    def _info(self) -> dict[str, object]:
        known: Mapping[str, object] = getattr(self._predictor, "info", dict)()
        info = {**PUBLIC_INFO, **known, "extensions": list(EXTENSIONS)}
        info["action_horizon"] = self._predictor.horizon
        info["max_sessions"] = self.max_sessions
        if self._checkpoint is not None:
            info["ckpt_path"] = self._checkpoint
        return info

    def _sessions_of(self, sessions: object) -> list[int]:
        if not isinstance(sessions, list | tuple) or not sessions:
            raise ValueError("The sessions are no list of whole numbers.")
        if any(type(one) is not int or one < 0 for one in sessions):
            raise ValueError("The sessions are no list of whole numbers from 0.")
        if len(set(sessions)) != len(sessions) or len(sessions) > self.max_sessions:
            raise ValueError(f"The sessions are not up to {self.max_sessions} different ones.")
        return list(sessions)


def _listen(router: zmq.Socket[bytes], host: str, port: int) -> str:
    """Bind a socket whose limits keep hostile peers small; return where it listens."""
    address = _numeric(host)
    router.maxmsgsize = 2 * wire.MAX_BYTES  # up to this the sender is told; above, cut off
    router.rcvhwm = 2  # messages that wait, for each peer
    router.sndhwm = _REPLIES  # a router drops what a peer does not fetch, and never waits for it
    router.router_handover = True  # a client that comes back under its name is the same client
    router.ipv6 = address.version == 6
    place = f"[{address}]" if address.version == 6 else str(address)
    try:
        router.bind(f"tcp://{place}:{port or '*'}")
    except zmq.ZMQError as error:
        reason = zmq.strerror(error.errno or 0)
        raise OSError(f"Cannot listen on {host}, port {port}: {reason}.") from error
    if not address.is_loopback:
        _LOG.warning("Listening on %s: anyone who reaches this machine there can ask.", host)
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


def _request_in(body: list[bytes]) -> dict[str, object]:
    if len(body) != 1:
        raise WireError("A message is not one part behind an empty one.")
    return wire.loads(body[0])


def _client_of(route: list[bytes]) -> Client:
    """Return who sent a request, whichever brokers it came through.

    A client with the option REQ_CORRELATE adds a number of four bytes that is new each time.
    """
    return tuple(frame for place, frame in enumerate(route) if place == 0 or len(frame) != 4)


def _frame_of(image: object) -> NDArray[np.uint8]:
    """Return an image of a request as (H, W, 3)."""
    if isinstance(image, Image.Image):
        image = np.array(image.convert("RGB"))  # a copy, which may be written to as others may
    return _checked(image, "image", axes=3)


def _frames_of(images: object) -> NDArray[np.uint8]:
    return _checked(images, "images", axes=4)


def _checked(given: object, name: str, *, axes: int) -> NDArray[np.uint8]:
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
