"""How long a policy server's clients wait when there are many of them.

    python examples/serving_load.py                    # writes docs/data/serving.json, in a minute
    python examples/serving_load.py --clients 256 --preset student

The server is `arena-breaker nitrogen serve` in a process of its own; each client is a
`RemotePredictor` that sends a frame of the model's size. "As in play": each asks for a chunk every
0.3 s, as an agent does that plays 9 of a chunk's actions at 30 a second. "Back to back": each asks
again as soon as it is answered. The same is done with a server of one request a forward pass.
"""

from __future__ import annotations

import json
import platform
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from arena_breaker_gym._runtime.files import written_whole
from nitrogen_adapter import NitroGen, checkpoint
from nitrogen_adapter.remote.client import RemotePredictor

DATA = Path(__file__).parent.parent / "docs" / "data" / "serving.json"
PACE_S = 0.3  # between two requests of a client that plays
PATIENCE_S = 300.0


@contextmanager
def serving(model: Path, log: Path, *, max_batch: int) -> Iterator[str]:
    """A server in a process of its own; yields where it listens."""
    command = [sys.executable, "-m", "arena_breaker_gym.cli", "nitrogen", "serve", str(model)]
    command += ["--port", "0", "--device", "cpu", "--max-batch", str(max_batch)]
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        yield next(word for word in process.stdout.readline().split() if "tcp://" in word)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


class Client:
    """Asks a server again and again, in a thread of its own.

    Attributes:
        waits: Seconds that it waited for each answer.
    """

    def __init__(self, address: str, number: int, side: int) -> None:
        """Connects."""
        self._predictor = RemotePredictor(address, timeout_s=PATIENCE_S)
        self._predictor.reset([0], seed=number)
        random = np.random.default_rng(number)
        self._frame = random.integers(0, 256, (1, side, side, 3), dtype=np.uint8)
        self.waits: list[float] = []

    def run(self, begin: float, end: float, pace: float) -> None:
        """Asks from one time to another, every so many seconds; 0: back to back."""
        due = begin
        while due < end:
            time.sleep(max(0.0, due - time.perf_counter()))
            sent = time.perf_counter()
            self._predictor.predict(self._frame, [0])
            self.waits.append(time.perf_counter() - (due if pace else sent))
            due = due + pace if pace else time.perf_counter()

    def close(self) -> None:
        """Disconnects."""
        self._predictor.close()


def load(address: str, side: int, *, clients: int, seconds: float, pace: float) -> dict[str, Any]:
    """What so many clients wait, who do not all begin at once."""
    crowd = [Client(address, number, side) for number in range(clients)]
    begin = time.perf_counter() + 0.2
    threads = []
    for number, client in enumerate(crowd):
        first = begin + pace * number / clients
        arguments = (first, begin + seconds, pace)
        threads.append(threading.Thread(target=client.run, args=arguments))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begin
    for client in crowd:
        client.close()
    waits = np.concatenate([client.waits for client in crowd])
    return {"clients": clients, "requests_per_s": round(len(waits) / took, 1), **_told(waits)}


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
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, clients beside it",
        "requests that wait share a pass": shared,
        "one request a pass": alone,
    }
    text = json.dumps(told, indent=2)
    print(text)
    with written_whole(out) as part:
        part.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
