"""`AdapterProcess`: the near end of a worker process, which measures an adapter's subjects.

Also what only a fresh interpreter can tell: how long starting takes, and how much memory there is.
"""

import contextlib
import json
import math
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from arena_breaker_gym.settings import closest
from arena_breaker_gym.throughput.results import Peer

SCRIPT = Path(__file__).with_name("worker.py")
OURS = "arena_breaker"  # the adapter of this game
# Runs a worker, of whatever checkout, by the processor's time instead of the clock on the wall.
_CPU_TIME = (
    "import runpy, sys, time; time.perf_counter = time.process_time; "
    "del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
)
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


@dataclass(frozen=True)
class Checkout:
    """Another checkout of this project, which is measured by its own worker and adapter.

    Attributes:
        folder: Where it lies.
    """

    folder: Path

    @property
    def script(self) -> Path:
        """Its worker."""
        return self.folder / "arena_breaker_gym" / "throughput" / "worker.py"

    @property
    def environment(self) -> dict[str, str]:
        """What makes an interpreter import its packages instead of those that are installed."""
        folders = [self.folder, self.folder / "agents", os.environ.get("PYTHONPATH", "")]
        return {"PYTHONPATH": os.pathsep.join(str(one) for one in folders if str(one))}


class BrokenError(RuntimeError):
    """A worker gave no reading; the message says in a few words why."""


class AdapterProcess:
    """A process that measures; see `worker` for what is said between the two.

    Attributes:
        greeting: What the process said it has: name, version, python, subjects.
    """

    def __init__(
        self,
        adapter: str,
        *,
        python: str = sys.executable,
        checkout: Checkout | None = None,
        cpu_time: bool = False,
    ) -> None:
        """Starts the process and waits for its greeting.

        Args:
            adapter: Name of an adapter, or the path of a file with one.
            python: The interpreter to run it under.
            checkout: Whose worker and packages are used; None: our own.
            cpu_time: Whether seconds are those of the processor, which other processes do not
                lengthen.

        Raises:
            BrokenError: If it cannot be started or says nothing sensible.
        """
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed in `close`)
        # Some environments leave files and links wherever they are run.
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        try:
            self._process = subprocess.Popen(
                [_lasting(python), *_worker_of(checkout, cpu_time=cpu_time), _lasting(adapter)],
                cwd=self._folder.name,
                env={**os.environ, **(checkout.environment if checkout else {})},
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
        answer: Mapping[str, object] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "no word")
        return f"its process ended with status {status} and {last!r}"


def _worker_of(checkout: Checkout | None, *, cpu_time: bool) -> list[str]:
    script = str(checkout.script if checkout else SCRIPT)
    return ["-c", _CPU_TIME, script] if cpu_time else [script]


def _lasting(name: str) -> str:
    """A path that means the same in another folder; bare names stay as they are."""
    return str(Path(name).absolute()) if Path(name).name != name or name.endswith(".py") else name


@dataclass(frozen=True)
class Found:
    """A peer, and the worker that measures it; None if it is not installed or does not load."""

    peer: Peer
    worker: AdapterProcess | None


def check(
    adapters: Sequence[str], pythons: Sequence[str], checkout: Checkout | None = None
) -> None:
    """Refuses what cannot be meant before anything is measured.

    Raises:
        ValueError: If there is no such adapter, file, interpreter or checkout.
    """
    if checkout is not None and not checkout.script.is_file():
        raise ValueError(f"{checkout.folder}: this is no checkout of Arena Breaker.")
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


_CLOCK = """
import time
import gymnasium, numba, numpy
start = time.perf_counter()
{work}
print(time.perf_counter() - start)
"""
_IMPORT = "import arena_breaker_gym.env, arena_breaker_gym.vector_env"
_MAKE = 'env = gymnasium.make("ArenaBreaker-v0")'
_FIRST_STEP = f"{_MAKE}\nenv.reset(seed=0)\nenv.step(env.action_space.sample())"

_MEMORY = """
import sys
from arena_breaker_gym.throughput.process import main
main(*map(int, sys.argv[1:]))
"""

STATUS = Path("/proc/self/status")  # where Linux tells a process its memory
LINES = 100


def import_seconds(checkout: Checkout | None = None) -> float:
    """Seconds to import the core once NumPy, Numba and Gymnasium are."""
    return _seconds(_IMPORT, environment=_environment_of(checkout))


def make_seconds(checkout: Checkout | None = None) -> float:
    """Seconds for `gym.make` with everything compiled, the import of the core included."""
    return _seconds(_MAKE, environment=_environment_of(checkout))


def first_step_seconds(checkout: Checkout | None = None) -> float:
    """Seconds for make, reset and one step with everything compiled."""
    return _seconds(_FIRST_STEP, environment=_environment_of(checkout))


def _environment_of(checkout: Checkout | None) -> Mapping[str, str]:
    return checkout.environment if checkout else {}


def compile_seconds() -> float:
    """Seconds for make, reset and one step with nothing compiled and no stage baked."""
    with tempfile.TemporaryDirectory() as folder:
        caches = {"NUMBA_CACHE_DIR": folder, "ARENA_BREAKER_CACHE": folder}
        return _seconds(_FIRST_STEP, environment=caches)


def _seconds(work: str, *, environment: Mapping[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _CLOCK.format(work=work)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BrokenError(f"a fresh interpreter failed: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout)


def memory(
    arenas: int, steps: int, progress: Callable[[float], None] | None = None
) -> tuple[float, float]:
    """Memory of a process that steps a batch with state observations.

    Args:
        arenas: How many.
        steps: Steps of an arena in all.
        progress: Told the share of steps done.

    Returns:
        Megabytes (10^6 bytes) of the whole process after the last step, and by how much it
        grew after the first tenth of the steps.

    Raises:
        BrokenError: If the process fails, or the system does not tell a process its memory.
    """
    command = [sys.executable, "-c", _MEMORY, str(arenas), str(steps)]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        sizes: list[float] = []
        for line in process.stdout:
            share, size = map(float, line.split())
            if progress is not None:
                progress(share)
            if share >= 0.1:
                sizes.append(size)
        if process.wait() != 0:
            errors.seek(0)
            raise BrokenError(f"the process failed: {errors.read().strip().splitlines()[-1]}")
    return sizes[-1] / 1e6, (sizes[-1] - sizes[0]) / 1e6


def main(arenas: int, steps: int) -> None:
    """Writes lines "share of steps done, bytes of memory" to standard output.

    Raises:
        OSError: If there is no `STATUS`.
    """
    import gymnasium as gym

    envs: Any = gym.make_vec("ArenaBreaker-v0", num_envs=arenas, observation="state")
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(16)]
    envs.reset(seed=0)
    calls = math.ceil(steps / arenas)
    pause = math.ceil(calls / LINES)
    for call in range(1, calls + 1):
        envs.step(actions[call % len(actions)])
        if call % pause == 0 or call == calls:
            sys.stdout.write(f"{call / calls} {resident_bytes()}\n")
            sys.stdout.flush()


def resident_bytes() -> int:
    """Bytes of memory that this process holds."""
    lines = STATUS.read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmRSS:"))
    return int(kilobytes) * 1024
