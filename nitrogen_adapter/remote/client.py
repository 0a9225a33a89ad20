"""`RemotePredictor`: asks a server for chunks, one of ours or NitroGen's public one."""

from __future__ import annotations

import re
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import zmq
from numpy.typing import NDArray

from nitrogen_adapter import gamepad
from nitrogen_adapter.remote import wire
from nitrogen_adapter.remote.wire import WireError

HORIZON = 18  # rows in a chunk of the public server, which does not tell
TIMEOUT_S = 30.0

_ADDRESS = re.compile(r"tcp://(?P<host>\[[^]]+\]|[^:/]+):(?P<port>\d{1,5})")
_PAUSES_S = (0.02, 0.5)  # before a busy server is asked again: the first, and the longest
_ROOM = 2**20  # bytes of a request for all that is not frames


class ServerError(ConnectionError):
    """A server that does not answer, refuses, or answers what cannot be."""


class NoAnswerError(ServerError):
    """A server that did not answer in time; it may or may not have seen the request."""


class RemotePredictor:
    """Predicts on a server; see `nitrogen_adapter.inference.ChunkPredictor`.

    Against our server all sessions share one request, and noise is seeded. The public one is asked
    once for each session and draws noise of its own; where its model looks at several frames, it
    would mix those of different sessions, so it can be played with in one session only.

    Attributes:
        address: where the server is.
        name: the weights it says it has, and where.
        horizon: rows in a chunk.
        max_sessions: how many sessions the server can tell apart; None: any number.
    """

    def __init__(self, address: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Connect and ask what is served.

        Args:
            address: as in "tcp://127.0.0.1:5555".
            timeout_s: seconds after which a request counts as lost, above 0.

        Raises:
            ValueError: if the address is none.
            ServerError: if no server answers there.
        """
        parts = _ADDRESS.fullmatch(address)
        if parts is None:
            raise ValueError(f"{address!r} is no address; expected one as in tcp://127.0.0.1:5555.")
        if not timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, got {timeout_s}.")
        self.address = address
        self._timeout_s = timeout_s
        self._identity = uuid.uuid4().hex.encode()  # our server knows it again after a failure
        self._held: set[int] = set()  # sessions since the public server's last reset
        _look_for_server(address, parts["host"].strip("[]"), int(parts["port"]), timeout_s)
        self._context = zmq.Context()
        self._socket = self._connected()
        try:
            self._told = self._entry(self._ask_again({"type": "info"}), "info")
        except ServerError:
            self.close()
            raise
        self.name = _name(self._told.get("ckpt_path"), address)
        self.horizon = _count(self._told.get("action_horizon")) or HORIZON
        self._batch = "batch" in self._extensions()
        self._seeded = "seed" in self._extensions()
        self.max_sessions = self._most_sessions()

    def info(self) -> dict[str, Any]:
        """Return what the server told of itself."""
        return dict(self._told)

    def reset(self, sessions: Sequence[int], seed: int | None) -> None:
        """Forget what these sessions saw and seed their noise; None: any seed.

        The public server knows neither sessions nor seeds: it forgets all that it saw.

        Raises:
            ServerError: if the server does not answer or refuses.
        """
        request: dict[str, object] = {"type": "reset"}
        if self._batch:
            request["sessions"] = [int(one) for one in sessions]
        if self._seeded and seed is not None:
            request["seed"] = int(seed)
        self._ask_again(request)
        if not self._batch:
            self._held = set()

    def predict(self, frames: NDArray[np.uint8], sessions: Sequence[int]) -> NDArray[np.float32]:
        """Predict what each session should press next; see `ChunkPredictor.predict`.

        A request that got no answer is not sent again: the server may have seen its frames.

        Raises:
            ValueError: if the frames are not (n, H, W, 3) uint8 for n sessions, or there are more
                sessions than the server can tell apart.
            ServerError: if the server does not answer, refuses, or predicts something else.
        """
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[::3] != (len(sessions), 3):
            raise ValueError(
                f"frames are {frames.dtype} of the shape {frames.shape}; "
                f"expected uint8 ({len(sessions)}, height, width, 3)."
            )
        self._hold(sessions)
        if not self._batch:
            return np.stack([self._chunk({"image": frame}) for frame in frames])
        share = max(1, (wire.MAX_BYTES - _ROOM) // frames[0].nbytes)  # frames that one request has
        parts = [slice(start, start + share) for start in range(0, len(frames), share)]
        return np.concatenate([self._chunks(frames[part], sessions[part]) for part in parts])

    def close(self) -> None:
        """Disconnect."""
        if not self._context.closed:
            self._context.destroy(linger=0)

    # What the server told

    def _extensions(self) -> Sequence[object]:
        told = self._told.get("extensions")
        return told if isinstance(told, list | tuple) else ()

    def _most_sessions(self) -> int | None:
        if self._batch:
            return _count(self._told.get("max_sessions"))
        return None if self._told.get("context_length") in (None, 1) else 1

    def _hold(self, sessions: Sequence[int]) -> None:
        """Note which sessions are under way, as far as the server can tell them apart."""
        self._held.update(sessions)
        if self.max_sessions is not None and len(self._held) > self.max_sessions:
            raise ValueError(
                f"The server at {self.address} can tell {self.max_sessions} sessions apart, "
                f"got {len(self._held)}; play in that many arenas."
            )

    # Requests and replies

    def _chunks(self, frames: NDArray[np.uint8], sessions: Sequence[int]) -> NDArray[np.float32]:
        numbers = [int(one) for one in sessions]
        return self._chunk({"images": frames, "sessions": numbers}, len(numbers))

    def _chunk(self, request: Mapping[str, object], *lead: int) -> NDArray[np.float32]:
        """Ask for a prediction, and return it as rows (*lead, horizon, 25)."""
        pred = self._entry(self._ask({"type": "predict", **request}), "pred")
        buttons = self._part(pred, "buttons", (*lead, self.horizon, len(gamepad.BUTTONS)))
        left, right = (
            (self._part(pred, name, (*lead, self.horizon, 2)) + 1) / 2
            for name in ("j_left", "j_right")
        )
        return np.concatenate([buttons, left, right], axis=-1)

    def _part(
        self, pred: Mapping[str, object], name: str, shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        part = pred.get(name)
        if not isinstance(part, np.ndarray) or part.shape != shape:
            found = part.shape if isinstance(part, np.ndarray) else "no array"
            raise ServerError(f"{self._who()} sent '{name}' as {found}; expected {shape}.")
        if not np.isfinite(part).all():
            raise ServerError(f"{self._who()} sent '{name}' with numbers that are not finite.")
        return part.astype(np.float32)

    def _entry(self, reply: Mapping[str, object], name: str) -> dict[str, object]:
        entry = reply.get(name)
        if not isinstance(entry, dict):
            raise ServerError(f"{self._who()} sent no '{name}'.")
        return entry

    def _ask_again(self, request: Mapping[str, object]) -> dict[str, object]:
        """Ask, and ask again if no answer came: only for what may happen twice."""
        try:
            return self._ask(request)
        except NoAnswerError:
            return self._ask(request)

    def _ask(self, request: Mapping[str, object]) -> dict[str, object]:
        """Ask, and again while our server is too busy to have looked at the request."""
        data = wire.dumps(request)
        ends, pause = time.monotonic() + self._timeout_s, _PAUSES_S[0]
        reply = self._reply_to(data)
        while reply.get("busy") is True and time.monotonic() + pause < ends:
            time.sleep(pause)
            pause = min(2 * pause, _PAUSES_S[1])
            reply = self._reply_to(data)
        if reply.get("status") != "ok":
            said = " ".join(str(reply.get("message"))[:500].split())
            raise ServerError(f"{self._who()} refused: {said}")
        return reply

    def _reply_to(self, request: bytes) -> dict[str, object]:
        answer = self._exchanged(request)
        try:
            return wire.loads(answer)
        except WireError as error:
            raise ServerError(f"{self._who()} sent what cannot be read: {error}") from error

    def _exchanged(self, request: bytes) -> bytes:
        """Send a request and wait for its reply.

        A socket that sent and got no reply can send nothing more, so that it is made again.
        """
        try:
            self._socket.send(request)
            if self._socket.poll(round(self._timeout_s * 1000)):
                return self._socket.recv()
        except zmq.ZMQError as error:
            if self._context.closed:
                raise ServerError(f"The connection to {self.address} was closed.") from error
            self._renew()
            raise ServerError(f"{self._who()} cannot be asked: {error}.") from error
        self._renew()
        raise NoAnswerError(f"{self._who()} did not answer within {self._timeout_s:g} s.")

    def _renew(self) -> None:
        self._socket.close(linger=0)
        self._socket = self._connected()

    def _connected(self) -> zmq.Socket[bytes]:
        request = self._context.socket(zmq.REQ)
        request.linger = 0
        request.maxmsgsize = wire.MAX_BYTES
        request.sndtimeo = round(self._timeout_s * 1000)
        request.identity = self._identity
        request.req_correlate = True  # or a late answer to a lost request would pass for the next
        request.ipv6 = True
        request.connect(self.address)
        return request

    def _who(self) -> str:
        return f"The server at {self.address}"


def _look_for_server(address: str, host: str, port: int, timeout_s: float) -> None:
    """Find out at once that nothing listens, where ZeroMQ would wait for it."""
    try:
        socket.create_connection((host, port), timeout=timeout_s).close()
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ServerError(f"No server listens at {address}: {reason}.") from error


def _name(checkpoint: object, address: str) -> str:
    """Return what stands in tables: the weights' file without its folders and ending, and where."""
    file = re.split(r"[\\/]", checkpoint)[-1] if isinstance(checkpoint, str) else ""
    stem = re.sub(r"[^\w.-]", "", file.rpartition(".")[0] or file)[:80] or "nitrogen"
    return f"{stem}@{address.removeprefix('tcp://')}"


def _count(told: object) -> int | None:
    return told if type(told) is int and told > 0 else None
