"""How long a policy server's clients wait when there are many of them.

    python examples/serving_load.py                    # writes docs/data/serving.json, in a minute
    python examples/serving_load.py --clients 256 --preset student

The server is `arena-breaker nitrogen serve` in a process of its own. Its clients send frames of the
model's size, made before, and note when answers come: they take little of the processor, as if they
were on other machines. "As in play": each asks every 0.3 s, the time in which a game at 60 frames a
second plays a chunk's 18 actions, answered or not. "Back to back": each asks again as soon as it is
answered. The same is done with a server of one request a forward pass.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import zmq
from numpy.typing import NDArray

from arena_breaker_gym._runtime.files import written_whole
from nitrogen_adapter import NitroGen, checkpoint
from nitrogen_adapter.remote import wire

DATA = Path(__file__).parent.parent / "docs" / "data" / "serving.json"
PACE_S = 0.3  # between two requests of a client that plays
PATIENCE_S = 300.0


@contextmanager
def serving(model: Path, log: Path, *, max_batch: int) -> Iterator[str]:
    """A server in a process of its own; yields where it listens."""
    command = [sys.executable, "-m", "arena_breaker_gym", "nitrogen", "serve", str(model)]
    command += ["--port", "0", "--device", "cpu", "--max-batch", str(max_batch)]
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        yield next(word for word in process.stdout.readline().split() if "tcp://" in word)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


class Crowd:
    """Clients of a server, all in this thread.

    Attributes:
        waits: Seconds from a request to its answer.
        refused: Requests that the server, whose queue was full, told to come later.
    """

    def __init__(self, address: str, count: int, side: int) -> None:
        """Connects them; each has its own frame."""
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._requests: dict[zmq.Socket[bytes], bytes] = {}
        self._since: dict[zmq.Socket[bytes], deque[float]] = {}
        self.waits: list[float] = []
        self.refused = 0
        random = np.random.default_rng(0)
        for _ in range(count):
            client = self._context.socket(zmq.DEALER)
            client.connect(address)
            self._poller.register(client, zmq.POLLIN)
            frame = random.integers(0, 256, (1, side, side, 3), dtype=np.uint8)
            request = {"type": "predict", "images": frame, "sessions": [0]}
            self._requests[client] = wire.dumps(request)
            self._since[client] = deque()

    def play(self, seconds: float, pace: float) -> None:
        """Each asks every so many seconds, whether it has been answered or not."""
        begin = time.perf_counter() + 0.1
        count = len(self._requests)
        due = [(begin + pace * place / count, one) for place, one in enumerate(self._requests)]
        turns = range(round(seconds / pace))
        for at, client in ((at + pace * turn, one) for turn in turns for at, one in due):
            while (left := at - time.perf_counter()) > 0:
                self._hear(left)
            self._ask(client)
        self._hear_all()

    def hurry(self, seconds: float) -> None:
        """Each asks again as soon as it is answered."""
        end = time.perf_counter() + seconds
        for client in self._requests:
            self._ask(client)
        while time.perf_counter() < end:
            for client in self._hear(PATIENCE_S):
                self._ask(client)
        self._hear_all()

    def close(self) -> None:
        """Disconnects them."""
        self._context.destroy(linger=0)

    def _ask(self, client: zmq.Socket[bytes]) -> None:
        self._since[client].append(time.perf_counter())
        client.send_multipart([b"", self._requests[client]])

    def _hear(self, patience: float) -> list[zmq.Socket[bytes]]:
        """Takes the answers that are there, or the first to come; who was answered."""
        milliseconds = math.ceil(1000 * patience)
        answered = [client for client, _ in self._poller.poll(milliseconds)]
        now = time.perf_counter()
        for client in answered:
            wait = now - self._since[client].popleft()
            if _is_answer(client.recv_multipart()[-1]):
                self.waits.append(wait)
            else:
                self.refused += 1
        return answered

    def _hear_all(self) -> None:
        while any(self._since.values()):
            if not self._hear(PATIENCE_S):
                raise RuntimeError(f"The server did not answer within {PATIENCE_S:g} s.")


def _is_answer(reply: bytes) -> bool:
    """Whether it is a chunk; a full queue's reply is none, and any other is a fault."""
    if b"error" not in reply[:64]:
        return True
    told = wire.loads(reply)
    if not told.get("busy"):
        raise RuntimeError(f"The server refused: {told}")
    return False


def load(address: str, side: int, *, clients: int, seconds: float, pace: float) -> dict[str, Any]:
    """What so many clients wait; without a pace they ask back to back."""
    crowd = Crowd(address, clients, side)
    began = time.perf_counter()
    if pace:
        crowd.play(seconds, pace)
    else:
        crowd.hurry(seconds)
    took = time.perf_counter() - began
    crowd.close()
    waits = np.array(crowd.waits)
    answered = {"requests_per_s": round(len(waits) / took, 1), "refused": crowd.refused}
    return {"clients": clients, **answered, **_told(waits)}


def _told(waits: NDArray[np.float64]) -> dict[str, float]:
    """Percentiles in milliseconds."""
    return {f"p{one}_ms": round(1000 * float(np.percentile(waits, one)), 2) for one in (50, 95, 99)}


def measure(model: Path, side: int, clients: int, seconds: float, max_batch: int) -> dict[str, Any]:
    """Latencies of one client and of many, and how many shared a pass."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with serving(model, log, max_batch=max_batch) as address:
            load(address, side, clients=1, seconds=1.0, pace=0.0)  # the first passes are slow
            rows = {}
            for name, pace in (("as in play", PACE_S), ("back to back", 0.0)):
                one, many = (
                    load(address, side, clients=count, seconds=seconds, pace=pace)
                    for count in (1, clients)
                )
                times = {f"p{p}": round(many[f"p{p}_ms"] / one["p50_ms"], 2) for p in (50, 95, 99)}
                rows[name] = {"one": one, "many": many, "times one's p50": times}
        told = log.read_text(encoding="utf-8").splitlines()[-1]
    return {**rows, "server's log": re.sub(r"^.*?INFO ", "", told)}


def main(
    preset: Annotated[str, typer.Option(help="Which model, with fresh weights.")] = "tiny",
    clients: Annotated[int, typer.Option(min=1, help="How many.")] = 64,
    seconds: Annotated[float, typer.Option(min=1, help="Of each load.")] = 10.0,
    out: Annotated[Path, typer.Option(help="JSON for the figures.")] = DATA,
) -> None:
    """Measures, prints the figures and writes them to a JSON file."""
    model = NitroGen.preset(preset)
    side = model.config.vision.image_size
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{preset}.safetensors"
        checkpoint.save(file, model)
        shared = measure(file, side, clients, seconds, max_batch=64)
        alone = measure(file, side, clients, seconds, max_batch=1)
    told = {
        "command": f"python examples/serving_load.py --preset {preset} --clients {clients}",
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, clients beside it",
        "requests that wait share a pass": shared,
        "one request a pass": alone,
    }
    text = json.dumps(told, indent=2)
    print(text)
    with written_whole(out) as part:
        part.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
