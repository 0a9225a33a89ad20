"""`AdapterProcess`: the near end of a worker process, which measures an adapter's subjects."""

import contextlib
import json
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from arena_breaker_gym.settings import closest
from arena_breaker_gym.throughput.results import Peer

SCRIPT = Path(__file__).with_name("worker.py")
PATIENCE_S = 600.0  # for an answer, making a subject and compiling on a busy machine included

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


class BrokenError(RuntimeError):
    """A worker gave no reading; the message says in a few words why."""


class AdapterProcess:
    """A process that measures; see `worker` for what is said between the two.

    Attributes:
        greeting: What the process said it has: name, version, python, subjects.
    """

    def __init__(self, adapter: str, *, python: str = sys.executable) -> None:
        """Starts the process and waits for its greeting.

        Args:
            adapter: Name of an adapter, or the path of a file with one.
            python: The interpreter to run it under.

        Raises:
            BrokenError: If it cannot be started or says nothing sensible.
        """
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed in `close`)
        # Some environments leave files and links wherever they are run.
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        try:
            self._process = subprocess.Popen(
                [_lasting(python), str(SCRIPT), _lasting(adapter)],
                cwd=self._folder.name,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                encoding="utf-8",
            )
        except OSError as error:
            self._errors.close()
            self._folder.cleanup()
            raise BrokenError(f"{python} cannot be run: {error.strerror}") from error
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.greeting: Mapping[str, Any] = self._answer()
        except BrokenError:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Itself; the process ends with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the process."""
        self.close()

    def read(self, subject: str, seconds: float) -> float:
        """Steps a second of a subject, over about that many seconds.

        Raises:
            BrokenError: If the subject fails, the process ends, or nothing is heard for minutes.
        """
        question = json.dumps({"subject": subject, "seconds": seconds})
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # a process that has ended gives no answer either
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise BrokenError(str(answer["error"]))
        return float(answer["steps"] / answer["seconds"])

    def close(self) -> None:
        """Ends the process, by force where it does not end by itself."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()
        self._folder.cleanup()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _answer(self) -> Mapping[str, Any]:
        try:
            line = self._lines.get(timeout=PATIENCE_S)
        except queue.Empty:
            self._process.kill()
            raise BrokenError(f"it gave no answer for {PATIENCE_S:g} s") from None
        if not line:
            self._lines.put("")  # so it is for every later question
            raise BrokenError(self._last_words())
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "no word")
        return f"its process ended with status {status} and {last!r}"


def _lasting(name: str) -> str:
    """A path that means the same in another folder; bare names stay as they are."""
    return str(Path(name).absolute()) if Path(name).name != name or name.endswith(".py") else name


@dataclass(frozen=True)
class Found:
    """A peer, and the worker that measures it; None if it is not installed or does not load."""

    peer: Peer
    worker: AdapterProcess | None


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
        worker = AdapterProcess(adapter, python=python)
        name = worker.greeting["name"]
        if worker.greeting["version"] is not None:
            stack.callback(worker.close)
            peer = Peer(name, worker.greeting["version"], worker.greeting["python"])
            return Found(peer, worker)
        worker.close()
    return Found(Peer(name), None)
