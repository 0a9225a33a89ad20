"""The worker: a script that makes one adapter's subjects and answers with steps and seconds.

`python worker.py ADAPTER`, with an adapter's name or the path of a file with one, under any
interpreter that has NumPy and what is to be measured. It says in one line of JSON what there
is, then answers each line {"subject": NAME, "seconds": S} with {"steps": N, "seconds": T} or
{"error": SENTENCE}, until its standard input ends.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

PACKAGE = "throughput_adapters"  # the folder of adapters, where nothing else is installed
CHUNKS = 20  # a reading looks at the clock about this often
LEAVING_S = 10
FASTEST = 1e-7  # seconds that a call takes at least, against a division by nothing


class Schedule:
    """A subject that was made and warmed up: it runs for some seconds whenever asked."""

    def __init__(self, subject: Any, seconds: float) -> None:
        """Makes the subject and runs it for about as long as a reading."""
        self._arenas = subject.arenas
        self._step = subject.make()
        self._step()
        took = FASTEST
        calls = 1
        while took < seconds / 2:
            calls *= 2
            took = max(self._timed(calls), FASTEST)
        self._chunk = max(1, round(calls * seconds / took / CHUNKS))

    def run(self, seconds: float) -> dict[str, float]:
        """Steps until the seconds are over."""
        calls = 0
        took = 0.0
        while took < seconds:
            took += self._timed(self._chunk)
            calls += self._chunk
        return {"steps": calls * self._arenas, "seconds": took}

    def _timed(self, calls: int) -> float:
        step = self._step
        start = time.perf_counter()
        for _ in range(calls):
            step()
        return time.perf_counter() - start


def load_adapter(name: str) -> Any:
    """The adapter of that name, or the one in a file, without importing Arena Breaker."""
    folder = Path(__file__).with_name("adapters")
    _import_file(PACKAGE, folder / "__init__.py", [str(folder)])
    if name.endswith(".py"):
        subject = importlib.import_module(f"{PACKAGE}.subject")
        sys.modules[f"{PACKAGE}.stepping"] = subject  # its old name, for one release
        return _import_file(f"{PACKAGE}.given", Path(name), None).ADAPTER
    peers = importlib.import_module(f"{PACKAGE}.peers").PEERS
    return peers.get(name) or importlib.import_module(f"{PACKAGE}.{name}").ADAPTER


def _import_file(name: str, file: Path, folders: list[str] | None) -> Any:
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=folders)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def greeting(adapter: Any) -> dict[str, Any]:
    """What there is to measure; where nothing is installed, the version is None."""
    return {
        "name": adapter.name,
        "distributions": list(adapter.distributions),
        "version": _version(adapter.distributions) if _found(adapter.module) else None,
        "own": adapter.own,
        "python": platform.python_version(),
        "subjects": [subject.describe() for subject in adapter.subjects],
    }


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def _version(distributions: tuple[str, ...]) -> str:
    for distribution in distributions:
        try:
            return f"{distribution} {version(distribution)}"
        except PackageNotFoundError:
            continue
    return "of no version"


def answers(adapter: Any, questions: TextIO) -> Iterator[dict[str, Any]]:
    """An answer to every line, subjects being made when they are first asked for."""
    subjects = {subject.name: subject for subject in adapter.subjects}
    courses: dict[str, Schedule] = {}
    for line in questions:
        question = json.loads(line)
        name, seconds = question["subject"], question["seconds"]
        try:
            if name not in courses:
                courses[name] = Schedule(subjects[name], seconds)
            yield courses[name].run(seconds)
        except Exception as error:  # whatever another environment raises is told, not passed on
            yield {"error": " ".join(f"{type(error).__name__}: {error}".split())}


def main() -> None:
    """Serves one adapter; all that it prints goes to standard error."""
    sys.path.pop(0)  # this file's folder: its names are ours, not the environment's
    answering = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    adapter = load_adapter(sys.argv[1])
    answering.write(json.dumps(greeting(adapter)) + "\n")
    for answer in answers(adapter, sys.stdin):
        answering.write(json.dumps(answer) + "\n")
    if hasattr(signal, "alarm"):
        signal.alarm(LEAVING_S)  # some environments' threads wait for ever when Python ends


if __name__ == "__main__":
    main()
