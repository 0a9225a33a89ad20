"""Tries our ids with other libraries, each in an environment of its own, and writes a page of it.

Run `python examples/works_with.py --environments DIR` from the repository's root; it needs
uv (`pip install uv`), and for single libraries git or npm. Each library is installed beside this
package under DIR (kept for another run) and plays about a minute there; what it plays is in
`peers.py` beside this. `docs/works_with.md` is written from what this and earlier runs found.
NAMEs as arguments try only those.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/works_with.md"
DATA = ROOT / "docs/data/works_with.json"
LONGEST = 3600  # seconds that a library may take


@dataclass(frozen=True)
class Peer:
    """A library or program that is tried.

    Attributes:
        does: What is done with it, for the page.
        requirements: What pip is asked for, besides this package.
        extra: The extra of this package that its users need.
        repository: Where it is cloned from, for what no index has.
        node: What npm is asked for.
    """

    does: str
    requirements: tuple[str, ...] = ()
    extra: str = ""
    repository: str = ""
    node: tuple[str, ...] = ()


PEERS: Mapping[str, Peer] = MappingProxyType(
    {
        "Gymnasium": Peer("`NumpyToTorch`, vector wrappers", ("gymnasium[torch]", "packaging")),
        "CleanRL": Peer(
            "`ppo_continuous_action.py`",
            ("torch", "tyro", "tensorboard"),
            repository="https://github.com/vwxyzjn/cleanrl",
        ),
        "Stable-Baselines3": Peer("PPO, vector and pixels", extra="rl"),
        "RL Zoo": Peer("`rl_zoo3.train --algo ppo`", ("rl_zoo3",)),
        "TorchRL": Peer("`GymEnv`, `check_env_specs`, infos, native batch", ("torchrl",)),
        "RLlib": Peer("PPO", ("ray[rllib]", "torch")),
        "Tianshou": Peer("`DummyVectorEnv`, `Batch` of infos", ("tianshou",)),
        "skrl": Peer("`wrap_env`, one and native batch", ("skrl[torch]",)),
        "Minari": Peer("`DataCollector`, recovered environment", extra="minari"),
        "MCP inspector": Peer(
            "its command line: stdio, HTTP, an episode",
            extra="mcp",
            node=("@modelcontextprotocol/inspector@latest", "node@22"),  # which it asks for
        ),
        "NitroGen's client": Peer(
            "`ModelClient` on `arena-breaker nitrogen serve`",
            extra="nitrogen",
            repository="https://github.com/MineDojo/NitroGen",
        ),
    }
)


@dataclass(frozen=True)
class Row:
    """What came of a trial: versions, steps in seconds, and "works" or what was said instead."""

    version: str
    gymnasium: str
    steps: int
    seconds: int
    result: str
    note: str
    tried: str


class NotMadeError(Exception):
    """An environment cannot be made here; the message says why."""


@dataclass(frozen=True)
class Workshop:
    """Makes the environments under a folder, and plays in them."""

    folder: Path
    clones: Path
    seconds: float

    def row(self, name: str) -> Row | None:
        """Tries a library; None where its environment cannot be made."""
        try:
            command = self._made(name)
        except NotMadeError as error:
            print(f"{name}: not tried, {error}", flush=True)
            return None
        return _row(*self._played([*command, "--seconds", str(self.seconds)]))

    def _made(self, name: str) -> list[str]:
        """Makes a library's environment and returns the command that plays in it."""
        peer, place = PEERS[name], self.folder / re.sub(r"[^a-z0-9]+", "_", name.lower())
        self._packages(peer, place)
        command = [str(place / "bin/python"), str(ROOT / "examples/peers.py"), name]
        if peer.repository:
            command += ["--clone", str(self._clone(peer.repository))]
        if peer.node:
            _run(
                "npm", "install", "--no-fund", "--no-audit", "--prefix", place / "node", *peer.node
            )
            command += ["--node", str(place / "node")]
        return command

    def _packages(self, peer: Peer, place: Path) -> None:
        wheel = self._wheel()
        ours = f"arena-breaker-gym[{peer.extra}] @ {wheel.as_uri()}"
        torch = self.folder / "torch.txt"  # the build for CPUs, without gigabytes of CUDA
        versions = (ROOT / "constraints.txt").read_text(encoding="utf-8")
        torch.write_text("\n".join(re.findall(r"^torch==.*", versions, re.M)) + "+cpu\n", "utf-8")
        if not (place / "bin/python").exists():
            _run("uv", "venv", "--quiet", "--allow-existing", place)
        pip = ["uv", "pip", "install", "--quiet", "--python", place / "bin/python"]
        _run(
            *pip, "-c", torch, "--reinstall-package", "arena-breaker-gym", ours, *peer.requirements
        )

    def _wheel(self) -> Path:
        dist = self.folder / "dist"
        _run("uv", "build", "--quiet", "--wheel", "--out-dir", dist, ROOT)
        return next(dist.glob("*.whl"))

    def _clone(self, address: str) -> Path:
        clone = self.clones / address.rpartition("/")[2]
        if not clone.exists():
            _run("git", "clone", "--quiet", "--depth", "1", address, clone)
        return clone.resolve()

    def _played(self, command: list[str]) -> tuple[dict[str, Any], str]:
        """Plays; returns what was said of it, and "works" or what was said last."""
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=LONGEST, check=False
            )
        except subprocess.TimeoutExpired:
            return {}, f"took longer than {LONGEST} s"
        log = self.folder / f"{Path(command[0]).parents[1].name}.log"
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode != 0:
            return {}, (done.stderr.strip() or "no word").splitlines()[-1][:160]
        return json.loads(done.stdout.strip().splitlines()[-1]), "works"


def _run(*words: str | Path) -> None:
    """Runs a program whose failure means that an environment cannot be made."""
    try:
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NotMadeError(f"{words[0]} is not installed") from None
    if done.returncode != 0:
        raise NotMadeError(
            f"{words[0]} said: {(done.stderr.strip() or 'nothing').splitlines()[-1]}"
        )


def _row(played: Mapping[str, Any], result: str) -> Row:
    return Row(
        version=str(played.get("version", "-")),
        gymnasium=str(played.get("gymnasium", "-")),
        steps=int(played.get("steps", 0)),
        seconds=int(played.get("seconds", 0)),
        result=result,
        note=str(played.get("note", "")),
        tried=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def page_of(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The page, from what all runs found."""
    lines = [
        "# Works with",
        "",
        "What came of our ids in other libraries. Each was installed beside this package in an",
        "environment of its own and played about a minute, with no change but the environment's",
        "name unless the row says so. `python examples/works_with.py --environments DIR` writes",
        "this page; `examples/peers.py` has the code of every trial. Only Gymnasium is a",
        "dependency; Stable-Baselines3, Minari, MCP and NitroGen come with the extras `rl`,",
        "`minari`, `mcp` and `nitrogen`. Seconds have the library's start in them, which on a busy",
        "machine takes longer than the play.",
        "",
        "| library | version | with Gymnasium | what was done | steps | seconds | result | tried |",
        "|---|---|---|---|---|---|---|---|",
        *(_line(name, peer, rows.get(name)) for name, peer in PEERS.items()),
    ]
    return "\n".join(lines) + "\n"


def _line(name: str, peer: Peer, row: Mapping[str, Any] | None) -> str:
    if row is None:
        return f"| {name} | - | - | {peer.does} | - | - | not tried | - |"
    result = f"{row['result']}; {row['note']}" if row["note"] else row["result"]
    played = f"{row['steps']:,} | {row['seconds']}"
    return (
        f"| {name} | {row['version']} | {row['gymnasium']} | {peer.does} | {played} | {result} |"
        f" {row['tried']} |"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PEERS))
    parser.add_argument(
        "--environments", type=Path, required=True, help="where they are made, and kept"
    )
    parser.add_argument(
        "--clones", type=Path, help="repositories that are cloned already. Default: DIR/clones"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each plays")
    options = parser.parse_args()
    if unknown := set(options.names) - set(PEERS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; choose from {', '.join(PEERS)}")
    return options


def main() -> None:
    """Tries what is asked for, and writes page and data."""
    options = _options()
    folder = options.environments.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    workshop = Workshop(folder, options.clones or folder / "clones", options.seconds)
    for name in options.names or PEERS:
        row = workshop.row(name)
        if row is not None:
            print(f"{name}: {row.result}, {row.steps} steps in {row.seconds} s", flush=True)
            _kept(name, row)


def _kept(name: str, row: Row) -> None:
    rows = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {}
    rows[name] = asdict(row)
    for path, text in (
        (DATA, json.dumps(rows, indent=1) + "\n"),
        (PAGE, page_of(rows)),
    ):
        new = path.with_name(f"{path.name}.new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)


if __name__ == "__main__":
    main()
