"""`Results`: everything a run measured, on which machine, kept as `throughput.json`."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.throughput.rows import Row

FILE_NAME = "throughput.json"
VERSIONS_OF = ("arena-breaker-gym", "numpy", "numba", "gymnasium")


@dataclass(frozen=True)
class Peer:
    """How it went with one peer.

    Attributes:
        name: What people call it.
        version: Distribution and version; "" if it is not installed.
        python: Version of the Python that it ran under; "" if it is not installed.
        broken: What went wrong, a sentence each.
    """

    name: str
    version: str = ""
    python: str = ""
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class Results:
    """What a run found.

    Attributes:
        rows: A row a figure.
        peers: What became of each peer asked for.
        machine: Processor, cores, versions, time.
        settings: `ThroughputConfig.to_dict()`.
    """

    rows: Sequence[Row]
    peers: Sequence[Peer]
    machine: Mapping[str, Any]
    settings: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as they stand in the file."""
        return {
            "rows": [row.to_dict() for row in self.rows],
            "peers": [asdict(peer) for peer in self.peers],
            "machine": dict(self.machine),
            "settings": dict(self.settings),
        }

    def save(self, folder: Path) -> Path:
        """Writes the file into a folder, whole or not at all, and returns its path."""
        path = folder / FILE_NAME
        with written_whole(path) as part:
            text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
            part.write_text(text + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads such a file.

        Raises:
            ValueError: If it is missing or no such file.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                [Row.from_dict(row) for row in values["rows"]],
                [Peer(**{**peer, "broken": tuple(peer["broken"])}) for peer in values["peers"]],
                values["machine"],
                values["settings"],
            )
        except FileNotFoundError:
            raise ValueError(f"{path}: there is no such file.") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: this is no file of `arena-breaker throughput`.") from error


def this_machine() -> dict[str, Any]:
    """What figures depend on besides the code."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {name: found for name in VERSIONS_OF if (found := _version(name))},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
