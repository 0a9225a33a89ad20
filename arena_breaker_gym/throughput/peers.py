"""Peers: the other environments there are adapters for, and the interpreter that has each."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from arena_breaker_gym.settings import closest
from arena_breaker_gym.throughput.process import BrokenError, Worker
from arena_breaker_gym.throughput.results import Peer

PEERS = (
    "knights_archers_zombies",
    "waterworld",
    "pufferlib",
    "procgen",
    "ale",
    "envpool",
    "vizdoom",
    "minigrid",
    "crafter",
)


@dataclass(frozen=True)
class Found:
    """A peer, and the worker that measures it; None if it is not installed or does not load."""

    peer: Peer
    worker: Worker | None


def check(adapters: Sequence[str], pythons: Sequence[str]) -> None:
    """Refuses what cannot be meant before anything is measured.

    Raises:
        ValueError: If there is no such adapter, file or interpreter.
    """
    for name in adapters:
        if name.endswith(".py"):
            if not Path(name).is_file():
                raise ValueError(f"{name}: there is no such file.")
        elif name not in PEERS:
            raise ValueError(f"There is no peer {name!r}; {closest(name, PEERS)}.")
    for python in pythons:
        if shutil.which(python) is None:
            raise ValueError(f"{python}: there is no such interpreter.")


def find(adapters: Sequence[str], pythons: Sequence[str], stack: ExitStack) -> Iterator[Found]:
    """Each peer under the first interpreter that has it, this one before those named.

    Args:
        adapters: Names of adapters, or files with one.
        pythons: Further interpreters.
        stack: Ends the workers when it is closed.
    """
    for adapter in adapters:
        try:
            yield _first(adapter, [sys.executable, *pythons], stack)
        except BrokenError as error:
            name = Path(adapter).stem
            yield Found(Peer(name, broken=(f"{name} could not be loaded: {error}.",)), None)


def _first(adapter: str, pythons: Sequence[str], stack: ExitStack) -> Found:
    name = adapter
    for python in pythons:
        worker = Worker(adapter, python=python)
        name = worker.greeting["name"]
        if worker.greeting["version"] is not None:
            stack.callback(worker.close)
            peer = Peer(name, worker.greeting["version"], worker.greeting["python"])
            return Found(peer, worker)
        worker.close()
    return Found(Peer(name), None)
