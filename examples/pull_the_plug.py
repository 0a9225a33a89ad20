"""Kills the commands, at random times and at system calls, runs them again, and compares the ends.

    python examples/pull_the_plug.py --kills 1000 --out docs/data/kills.json    # about an hour
    python examples/pull_the_plug.py --kills 12 --only rollout --only video

Each command is run once without interruption. Then it is run in a new folder, killed (SIGKILL),
looked at, run again, and so on until it ends, and what it then leaves is compared with what the
uninterrupted one left: names of files, and bytes. Kills at system calls need Linux's `strace`;
without it all are at random times. Most runs are forks of one process that has imported what
commands import, which saves their start; some, and all with Ray, are processes of their own.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import hashlib
import importlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from arena_breaker_gym._runtime.run_folder import write_json
from arena_breaker_gym.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
CALLS = (
    "open,openat,write,pwrite64,writev,fsync,fdatasync,ftruncate,rename,renameat,renameat2,"
    "unlink,unlinkat,mkdir,rmdir,chmod,fchmod,fchmodat,flock,close,link,symlink"
)
CHANGING = ("fsync", "rename", "unlink", "unlinkat", "mkdir", "rmdir", "chmod", "ftruncate")
MOST_IN_A_ROW = 12  # kills of one folder before it may end
LONGEST_S = 300.0  # after which a run is hung
_CPU_OF_PROCESS = 2  # in the number of a process's clock, as Linux makes it
KEY = "test-key"


# What is run


@dataclass(frozen=True)
class Command:
    """A command to be killed.

    Attributes:
        name: In the figures.
        words: After `arena-breaker`; {out} is the folder of the run, {source} that of episodes.
        times: Files that hold times of day or durations: they must be whole, and hold the same
            otherwise.
        weight: How often it is killed, beside the others.
        fresh: It always is a process of its own.
    """

    name: str
    words: str
    times: tuple[str, ...] = ()
    weight: int = 1
    fresh: bool = False


SWEEP = """
[plan]
tutor = "scripted"
demonstrations = 3
demonstration_steps = 60
evaluations = 2
evaluation_stages = [1]
evaluation_steps = 30
student = "tiny"
chunks = {stride = 10}
posttrain = {epochs = 3, batch_size = 8}

[runs.tiny]
"""
PRACTICE = """
[plan]
tutor = "expert"
demonstrations = 2
demonstration_steps = 60
evaluations = 1
evaluation_stages = [1]
evaluation_steps = 30
student = "tiny"
familiar_skin = "neon"
practice = 96
# One round: of more, each goes on with other games after a kill.
dagger = 1
dagger_states = 64
films = false
chunks = {stride = 10}
alignment = {epochs = 2, batch_size = 16}

[runs.tiny]
"""
TRAINED = ("*metrics.jsonl", "*report.json", "*report.html", "*training.pt")
COMMANDS_KILLED = (
    Command("rollout", "rollout random -n 6 --max-steps 12 --num-envs 2 --out {out}", weight=20),
    Command(
        "rollout, with snapshots",
        "rollout scripted -n 4 --max-steps 40 --num-envs 3 --keep-snapshots --out {out}",
        weight=8,
    ),
    Command(
        "benchmark",
        "benchmark random idle -n 2 --max-steps 12 --stage 1 --stage 2 --out {out}",
        ("results.json", "report.html"),
        weight=6,
    ),
    Command("video", "video {source} --out {out}/film.mp4 --size 96 --fps 10", weight=3),
    Command("video, gif", "video {source} --out {out}/film.gif --size 64 --fps 5", weight=2),
    Command(
        "export minari",
        "export minari {source} --name plug/pulled-v0 --root {out} --observation state",
        ("*.hdf5",),
        weight=3,
    ),
    Command("export lerobot", "export lerobot {source} --out {out}/set --pixel-size 64", weight=3),
    Command("nitrogen export", "nitrogen export {source} --out {out} --frame-size 64", weight=3),
    Command(
        "nitrogen posttrain",
        "nitrogen posttrain tiny --episodes {source} --stride 6 --batch-size 4 --heldout-most 8 "
        "--epochs 3 --save-every 0 --out {out}",
        TRAINED,
        weight=2,
    ),
    Command(
        "nitrogen posttrain, LoRA",
        "nitrogen posttrain tiny --episodes {source} --stride 6 --batch-size 4 --heldout 0 "
        "--epochs 2 --save-every 0 --lora-rank 2 --out {out}",
        TRAINED,
        weight=1,
    ),
    Command(
        "bootcamp",
        "bootcamp --sweep {sweep} --out {out}",
        ("*results.json", "*timings.json", *TRAINED),
        weight=1,
    ),
    Command(
        "bootcamp with practice and DAgger",
        "bootcamp --sweep {practice} --out {out}",
        ("*results.json", "*timings.json", "*training.json", *TRAINED),
        weight=1,
    ),
    Command(
        "tutor (Claude's API, played on loopback)",
        "rollout claude -n 3 --max-steps 30 --num-envs 3 --out {out}",
        ("transcript.jsonl",),
        weight=10,
    ),
    Command(
        "rollout on Ray",
        "rollout random -n 6 --max-steps 30 --backend ray --workers 1 --out {out}",
        fresh=True,
        weight=0,
    ),
)


# How it is started


class Run:
    """One run of a command, in a process that can be killed."""

    def __init__(self, words: Sequence[str], folder: Path, *, fresh: bool, halted: bool) -> None:
        """Starts it.

        Args:
            words: After `arena-breaker`.
            folder: For its temporary files and what it says.
            fresh: Whether it is a new interpreter, not a fork of this one.
            halted: Whether it waits for SIGCONT before it begins.
        """
        self._said = folder / "said.txt"
        self._began = time.monotonic()
        self.cpu = 0.0
        if fresh:
            self.pid = _spawned(words, folder, self._said, halted=halted)
        else:
            self.pid = _forked(words, folder, self._said, halted=halted)
        if halted:
            os.waitpid(self.pid, os.WUNTRACED)

    def ended(self, *, kill_after: float | None = None) -> int:
        """Waits for its end; the status, negative for a signal.

        Args:
            kill_after: Seconds of a CPU, which other work on the machine does not stretch, after
                which it is killed.
        """
        while time.monotonic() - self._began < LONGEST_S:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            self.cpu = max(self.cpu, self._used())  # its own: what it has started is not killed
            if kill_after is not None and self.cpu >= kill_after:
                break
            time.sleep(0.0005 if kill_after is not None else 0.005)
        os.kill(self.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _used(self) -> float:
        """Seconds of a CPU until now."""
        with contextlib.suppress(OSError):
            return time.clock_gettime((~self.pid << 3) | _CPU_OF_PROCESS)
        return 0.0

    @property
    def said(self) -> str:
        """All that it printed."""
        return self._said.read_text(errors="replace")


def _environment(folder: Path) -> dict[str, str]:
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def _spawned(words: Sequence[str], folder: Path, said: Path, *, halted: bool) -> int:
    """A process of its own, in a group of its own."""
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP); " if halted else ""
    code += "from arena_breaker_gym.cli import main; main()"
    with said.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *words],
            stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, **_environment(folder)},
        )  # fmt: skip
    process.returncode = 0  # this script waits for it, not the object
    return process.pid


def _forked(words: Sequence[str], folder: Path, said: Path, *, halted: bool) -> int:
    """A fork of this process that runs the command and ends."""
    environment = _environment(folder)
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        os.setsid()
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number, handle in enumerate((os.open(os.devnull, os.O_RDONLY), out, out)):
            os.dup2(handle, number)
        os.environ.update(environment)
        tempfile.tempdir = None
        if halted:
            os.kill(os.getpid(), signal.SIGSTOP)
        status = _status_of(words)
    finally:
        os._exit(status)


def _status_of(words: Sequence[str]) -> int:
    """Runs a command as an interpreter does, to the end of threads and exit functions."""
    sys.argv = ["arena-breaker", *words]
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


# What commands import that takes long, by their first word.
IMPORTS: Mapping[str, tuple[str, ...]] = {
    "rollout": ("arena_breaker_agents.tutors", "anthropic"),
    "benchmark": ("plotly", "jinja2"),
    "video": ("moviepy", "arena_breaker_gym.rollout.video"),
    "export": ("minari", "h5py", "pyarrow.parquet", "arena_breaker_gym.export"),
    "nitrogen": (
        "torch", "transformers", "peft", "tensorboard", "safetensors.torch", "pyarrow.parquet",
        "nitrogen_adapter.training.post_training", "nitrogen_adapter.data.label_recorder",
    ),
    "bootcamp": ("torch", "transformers", "moviepy", "arena_breaker_gym.bootcamp.bootcamp"),
}  # fmt: skip


def prepare(commands: Sequence[Command]) -> None:
    """Imports what commands import and compiles the game, once for all forks."""
    from arena_breaker_agents.registry import make_agent
    from arena_breaker_gym.rollout import rollout

    for word in sorted({command.words.split()[0] for command in commands}):
        for name in (COMMANDS[word].partition(":")[0], *IMPORTS[word]):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    for name in ("random", "scripted"):
        rollout(make_agent(name), episodes=1, num_envs=1, max_steps=40)
    gc.freeze()


# How it is killed


@dataclass(frozen=True)
class AtTime:
    """A kill after so many seconds of a CPU."""

    seconds: float
    how = "random time"


@dataclass(frozen=True)
class AtCall:
    """A kill as the n-th call of a kind begins in a thread of the run."""

    call: str
    number: int
    how = "system call"


def kill(run: Run, moment: AtTime | AtCall) -> int:
    """Lets a run go on until its moment comes or it ends before; the status."""
    if isinstance(moment, AtTime):
        return run.ended(kill_after=moment.seconds)
    inject = f"inject={moment.call}:signal=SIGKILL:when={moment.number}"
    with _traced(run.pid, "-e", f"trace={moment.call}", "-e", inject, "-o", os.devnull):
        return run.ended()


def calls_of(run: Run, log: Path) -> Counter[str]:
    """How many calls of each kind the busiest thread of an uninterrupted run makes."""
    with _traced(run.pid, "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(log)):
        status = run.ended()
    if status:
        raise RuntimeError(f"the uninterrupted run ended with {status}: {run.said}")
    each = Counter(re.findall(r"^(\d+) +(\w+)\(", log.read_text(errors="replace"), re.MULTILINE))
    most: Counter[str] = Counter()
    for (_, call), count in each.items():
        most[call] = max(most[call], count)
    return most


@contextlib.contextmanager
def _traced(pid: int, *options: str) -> Iterator[None]:
    """Has strace look at a halted run, and lets that go on."""
    with subprocess.Popen(  # nosec B607 - wherever it is installed
        ["strace", "-f", *options, "-p", str(pid)], stderr=subprocess.PIPE, text=True
    ) as strace:
        assert strace.stderr is not None
        strace.stderr.readline()  # "attached"
        os.kill(pid, signal.SIGCONT)
        yield
        strace.stderr.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            strace.wait(5)
        strace.kill()


# What is left


@dataclass
class Tree:
    """The files of a run's folder, by their paths in it, in a form that can be compared."""

    files: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, times: Sequence[str]) -> Tree:
        """Looks at all files but those that a writer is at work on."""
        found = cls()
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and ".part" not in name and "tensorboard/" not in name:
                found.files[name] = _content(path, name, times)
        return found


def _content(path: Path, name: str, times: Sequence[str]) -> Any:
    """What a file holds: a digest of its bytes, or of what is the same in every run of it."""
    if name.endswith(".lock"):
        return "there"
    if not any(fnmatch(name, one) for one in times):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    reader = next(read for end, read in READERS.items() if name.endswith(end))
    try:
        return reader(path)
    except Exception as error:
        return f"damaged: {error!r}"


def _json_of(path: Path) -> Any:
    return json.dumps(_timeless(json.loads(path.read_text())), sort_keys=True)


def _lines_of(path: Path) -> tuple[str, ...]:
    """Whole lines; one that a kill cut is dropped by the next process that opens the file."""
    whole = path.read_text().rpartition("\n")[0].splitlines()
    return tuple(json.dumps(_timeless(json.loads(line)), sort_keys=True) for line in whole)


TIMES = (
    "timings_s", "seconds", "examples_per_second", "latency_s", "at", "request_id", "said",
    "examples_a_second", "demonstrations_s", "usage", "dollars", "clock", "training_seconds",
)  # fmt: skip


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in TIMES}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def _page_of(path: Path) -> str:
    text = path.read_text()
    return "a whole page" if text.rstrip().endswith("</html>") else "damaged: a cut page"


def _timings_of(path: Path) -> list[str]:
    return sorted(json.loads(path.read_text()))


def _training_of(path: Path) -> Any:
    """A training state: whole by its digest, and how far it is."""
    from nitrogen_adapter import checkpoint

    return checkpoint.read(path, expected=("parameters",))["step"]


def _hdf5_of(path: Path) -> str:
    """All numbers of an HDF5 file and their names."""
    import h5py
    import numpy as np

    digest = hashlib.sha256()

    def note(name: str, thing: Any) -> None:
        digest.update(name.encode())
        if isinstance(thing, h5py.Dataset):
            digest.update(np.ascontiguousarray(thing[()]).tobytes())

    with h5py.File(path) as file:
        file.visititems(note)
    return digest.hexdigest()


READERS: Mapping[str, Callable[[Path], Any]] = {
    "timings.json": _timings_of,
    ".json": _json_of,
    ".jsonl": _lines_of,
    ".html": _page_of,
    ".pt": _training_of,
    ".hdf5": _hdf5_of,
}
CLUSTER_GONE_S = 20.0  # after its driver
GROWING = (".jsonl",)  # a run that goes on adds to these
RENEWED = ("training.pt", "timings.json", "results.json")  # and writes these again and again


def faults_after_kill(found: Tree, whole: Tree, before: Tree) -> list[tuple[str, str]]:
    """What is wrong in a killed run's folder: (lost or wrong, a sentence)."""
    faults = [("lost", f"{name} is gone") for name in before.files.keys() - found.files.keys()]
    for name, content in found.files.items():
        if isinstance(content, str) and content.startswith("damaged"):
            faults.append(("lost", f"{name} is {content}"))
        elif name.endswith(GROWING):
            faults += _faults_of_lines(name, content, before.files.get(name, ()), whole)
        elif name.endswith(RENEWED):
            continue
        elif name in whole.files and content != whole.files[name]:
            faults.append(("wrong", f"{name} is another than in an uninterrupted run"))
    return faults


def _faults_of_lines(
    name: str, lines: Sequence[str], before: Sequence[str], whole: Tree
) -> list[tuple[str, str]]:
    """A line that was there must be there; each must be one of the uninterrupted run's."""
    faults = []
    if name.endswith("transcript.jsonl") and Counter(before) - Counter(lines):
        faults.append(("lost", f"{name} has lost lines"))
    if name in whole.files and Counter(lines) - Counter(whole.files[name]):
        faults.append(("wrong", f"{name} has lines that an uninterrupted run's has not"))
    return faults


def faults_at_end(found: Tree, whole: Tree, folder: Path) -> list[tuple[str, str]]:
    """What differs, at the end, from an uninterrupted run."""
    faults = [("lost", f"{name} is missing") for name in whole.files.keys() - found.files.keys()]
    for name, content in found.files.items():
        if name not in whole.files:
            faults.append(("left", f"{name} is left over"))
        elif (
            sorted(content) != sorted(whole.files[name])
            if isinstance(content, tuple)
            else (content != whole.files[name])
        ):
            faults.append(("wrong", f"{name} is another than in an uninterrupted run"))
    places = [folder / "out", folder / "tmp"]
    left = [p for place in places for p in place.rglob("*") if _is_leftover(p, folder)]
    return faults + [("left", f"{path.relative_to(folder)} is left over") for path in left]


def outliving(folder: Path) -> list[str]:
    """What a killed run of a folder has started and has not ended with it, after a while."""
    ends = time.monotonic() + CLUSTER_GONE_S
    while (left := _processes_of(folder)) and time.monotonic() < ends:
        time.sleep(0.2)
    return left


def _processes_of(folder: Path) -> list[str]:
    """Names of the processes that have a run's folder for temporary files."""
    mark, found = f"TMPDIR={folder / 'tmp'}\0".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (process / "environ").read_bytes():
                found.append((process / "comm").read_text().strip())
    return found


def _is_leftover(path: Path, folder: Path) -> bool:
    mine = path.parent == folder / "tmp" and path.name.startswith("arena-breaker-")
    return path.name.endswith(".part") or mine


# All of it


@dataclass
class Killed:
    """What came of killing one command."""

    kills: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    runs: int = 0
    ended: int = 0

    def note(self, kind: str, sentence: str) -> None:
        """Counts a fault."""
        self.faults[kind] += 1
        self.told.append(f"{kind}: {sentence}")

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the file."""
        kinds = ("lost", "wrong", "left", "traceback", "failed")
        return {
            "kills": dict(self.kills),
            "calls": dict(sorted(self.calls.items())),
            "runs": self.runs,
            "ended": self.ended,
            **{kind: self.faults[kind] for kind in kinds},
            "told": self.told[:20],
        }


class Victim:
    """A command with its uninterrupted run, killed again and again."""

    def __init__(
        self, command: Command, base: Path, draw: random.Random, *, places: Mapping[str, str]
    ) -> None:
        """Runs it once to its end."""
        self.command, self.base, self.draw = command, base, draw
        self._places = places
        self.found = Killed()
        self.calls: Counter[str] = Counter()
        folder = base / "whole"
        began = time.monotonic()
        run = self._started(folder, halted=False)
        if run.ended():
            raise RuntimeError(f"{command.name} cannot be run: {run.said}")
        self.seconds = time.monotonic() - began
        self.cpu = run.cpu
        self.whole = Tree.of(folder / "out", command.times)
        if shutil.which("strace") and not command.fresh:
            traced = base / "traced"
            self.calls = calls_of(self._started(traced, halted=True), base / "calls.txt")
            shutil.rmtree(traced)

    def _started(self, folder: Path, *, halted: bool, fresh: bool = False) -> Run:
        (folder / "out").mkdir(parents=True, exist_ok=True)
        places = {**self._places, "out": str(folder / "out")}
        words = [word.format(**places) for word in self.command.words.split()]
        return Run(words, folder, fresh=fresh or self.command.fresh, halted=halted)

    def chain(self, number: int, most: int) -> int:
        """Kills one folder's runs until one ends; how many kills it took."""
        folder = self.base / f"{number:06d}"
        before, kills, told = Tree(), 0, 0
        while kills < min(MOST_IN_A_ROW, most):
            moment = self._moment()
            fresh = self.draw.random() < 0.02
            run = self._started(folder, halted=isinstance(moment, AtCall), fresh=fresh)
            status = kill(run, moment)
            self.found.runs += 1
            said = run.said[told:]
            told += len(said)
            if status != -signal.SIGKILL:
                self._check_end(folder, status, said)
                return kills
            kills += 1
            self.found.kills[moment.how] += 1
            if isinstance(moment, AtCall):
                self.found.calls[moment.call] += 1
            before = self._check_kill(folder, before, said, moment)
        run = self._started(folder, halted=False)
        status = run.ended()
        self.found.runs += 1
        self._check_end(folder, status, run.said[told:])
        return kills

    def _moment(self) -> AtTime | AtCall:
        if not self.calls or self.draw.random() < 0.5:
            return AtTime(self.draw.uniform(0.0, self.cpu))
        changing = [call for call in CHANGING if self.calls[call]]
        kinds = changing if self.draw.random() < 0.7 and changing else sorted(self.calls)
        call = self.draw.choice(kinds)
        return AtCall(call, self.draw.randint(1, self.calls[call]))

    def _check_kill(self, folder: Path, before: Tree, said: str, moment: object) -> Tree:
        found = Tree.of(folder / "out", self.command.times)
        for kind, sentence in faults_after_kill(found, self.whole, before):
            self.found.note(kind, f"{sentence} ({folder.name}, killed at {moment})")
        if self.command.fresh and (left := outliving(folder)):
            self.found.note("left", f"{', '.join(left)} ({folder.name}, killed at {moment})")
        self._check_said(folder, said)
        return found

    def _check_end(self, folder: Path, status: int, said: str) -> None:
        self.found.ended += 1
        self._check_said(folder, said)
        if status:
            self.found.note("failed", f"status {status}: {said[-300:]} ({folder.name})")
            return
        faults = faults_at_end(Tree.of(folder / "out", self.command.times), self.whole, folder)
        for kind, sentence in faults:
            self.found.note(kind, f"{sentence} ({folder.name})")
        if not faults:
            shutil.rmtree(folder)

    def _check_said(self, folder: Path, said: str) -> None:
        if "Traceback" in said:
            self.found.note("traceback", f"{said[-600:]} ({folder.name})")


@contextlib.contextmanager
def _fake_apis() -> Iterator[None]:
    """Claude's API on loopback, in a process of its own."""
    command = [sys.executable, "-m", "tests.fake_apis", "--key", KEY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        os.environ["ANTHROPIC_BASE_URL"] = server.stdout.readline().strip()
        os.environ["ANTHROPIC_API_KEY"] = KEY
        yield
        server.terminate()


def _places(base: Path) -> dict[str, str]:
    """What commands work on: a few short episodes and a sweep's file."""
    source, sweep, practice = base / "source", base / "sweep.toml", base / "practice.toml"
    sweep.write_text(SWEEP)
    practice.write_text(PRACTICE)
    run = Run(
        ["rollout", "scripted", "-n", "3", "--max-steps", "90", "--out", str(source)],
        base, fresh=False, halted=False,
    )  # fmt: skip
    if run.ended():
        raise RuntimeError(run.said)
    return {"source": str(source), "sweep": str(sweep), "practice": str(practice)}


def pull(
    commands: Sequence[Command], kills: int, *, seed: int, base: Path, out: Path | None
) -> dict[str, Any]:
    """Kills commands so many times, by their weights; what came of it, which `out` is told."""
    draw, began = random.Random(seed), time.monotonic()  # nosec B311 - no secret
    places = _places(base)
    victims = []
    for number, command in enumerate(commands):
        victims.append(Victim(command, base / f"{number:02d}", draw, places=places))
        print(f"{command.name}: {victims[-1].cpu:.2f} s of a CPU, not interrupted", flush=True)
    done = number = 0
    result: dict[str, Any] = {}
    while done < kills:
        victim = draw.choices(victims, [max(1, one.command.weight) for one in victims])[0]
        done += victim.chain(number, kills - done)
        number += 1
        result = _result(victims, done, seed=seed, seconds=time.monotonic() - began)
        if out is not None:
            write_json(out, result)
        print(f"{done} kills, {result['faults']} faults", flush=True)
    return result


def _result(victims: Sequence[Victim], done: int, *, seed: int, seconds: float) -> dict[str, Any]:
    found = [one.found for one in victims]
    total = sum((one.faults for one in found), Counter())
    return {
        "kills": done,
        "faults": total.total(),
        "seed": seed,
        "minutes": round(seconds / 60, 1),
        "commands": {one.command.name: one.found.to_dict() for one in victims},
    }


def run(
    kills: Annotated[int, typer.Option(min=1, help="How many.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of moments and commands.")] = 0,
    only: Annotated[
        list[str] | None, typer.Option(help="Commands, by name. Default: all but Ray's.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder to work in, which is kept.")] = None,
) -> None:
    """Pulls the plug; ends with status 1 if anything was lost, wrong or left over."""
    chosen = [one for one in COMMANDS_KILLED if _is_chosen(one, only or ())]
    with contextlib.ExitStack() as stack:
        base = keep or stack.enter_context(_scratch())
        base.mkdir(parents=True, exist_ok=True)
        if any("claude" in one.words for one in chosen):
            stack.enter_context(_fake_apis())
        prepare(chosen)
        result = pull(chosen, kills, seed=seed, base=base.resolve(), out=out)
    print(json.dumps(result, indent=1))
    _end(result)


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A folder that goes with the block; `TemporaryDirectory` would go with the first fork."""
    folder = Path(tempfile.mkdtemp(prefix="plug-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_chosen(command: Command, only: Sequence[str]) -> bool:
    """Whether a command is named, or one of a group that is; Ray must be named itself."""
    group = command.name.partition(",")[0]
    return command.name in only or (command.weight > 0 and (not only or group in only))


def _end(result: Mapping[str, Any]) -> NoReturn:
    raise typer.Exit(1 if result["faults"] else 0)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    typer.run(run)
