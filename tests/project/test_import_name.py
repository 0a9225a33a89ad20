"""Our agents live under a name of their own: others may own `agents`, installed or in a folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests import ROOT

pytest.importorskip("hatchling")

BOTH = (
    "import agents, arena_breaker_agents.scripted as ours; "
    "print(agents.OWNER, ours.ScriptedBaseline().name)"
)
OURS = "from arena_breaker_agents.baselines import IdleAgent; print(IdleAgent().name)"


def run(*command: str | Path, cwd: Path | None = None, **variables: str) -> str:
    # What our packages stand on; none of this process's own editable installs comes along.
    env = {**os.environ, "PYTHONPATH": sysconfig.get_paths()["purelib"], **variables}
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our wheel."""
    folder = tmp_path_factory.mktemp("ours")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    run(*build, "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of somebody else, whose package is called `agents`."""
    wheel = tmp_path_factory.mktemp("theirs") / "other_agents-1.0-py3-none-any.whl"
    about = "other_agents-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("agents/__init__.py", 'OWNER = "them"\n')
        archive.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: other-agents\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(
            f"{about}/RECORD", f"agents/__init__.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n"
        )
    return wheel


def environment(folder: Path, *wheels: Path) -> Path:
    """An environment with some wheels, installed in their order; gives its Python."""
    venv.create(folder, with_pip=False)
    python = folder / "bin/python"
    for wheel in wheels:
        pip(python, "install", "--no-deps", "--no-index", str(wheel))
    return python


def pip(python: Path, *words: str) -> None:
    run(sys.executable, "-m", "pip", "--python", python, "-q", *words)


@pytest.mark.skipif(sys.platform == "win32", reason="environments look otherwise there")
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_the_wheel_lives_beside_one_that_owns_agents(
    ours: Path, theirs: Path, tmp_path: Path, first: str
) -> None:
    order = (ours, theirs) if first == "ours" else (theirs, ours)
    python = environment(tmp_path / "env", *order)
    assert run(python, "-c", BOTH, cwd=tmp_path) == "them scripted"
    gone = "other-agents" if first == "ours" else "arena-breaker-gym"
    pip(python, "uninstall", "-y", gone)
    left = OURS if first == "ours" else "import agents; print(agents.OWNER)"
    assert run(python, "-c", left, cwd=tmp_path) in ("idle", "them")


@pytest.mark.skipif(sys.platform == "win32", reason="environments look otherwise there")
def test_a_project_with_a_folder_agents_uses_both(ours: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", ours)
    own = tmp_path / "project/agents"
    own.mkdir(parents=True)
    (own / "__init__.py").write_text("", encoding="utf-8")
    (own / "mine.py").write_text(
        "import numpy as np\n"
        "class Mine:\n"
        "    name, needs = 'mine', ()\n"
        "    def reset(self, arenas, seed): pass\n"
        "    def act(self, observations, arenas):\n"
        "        return np.zeros((len(arenas), 5), np.float32)\n"
        "    def close(self): pass\n",
        encoding="utf-8",
    )
    assert run(python, "-c", OURS, cwd=own.parent) == "idle"
    command = "from arena_breaker_gym.cli import main; main()"
    play = [python, "-c", command, "rollout", "agents.mine:Mine", "-n", "1", "--max-steps", "5"]
    # A few steps are played sooner than a fresh environment's engine is compiled.
    assert "mine" in run(*play, cwd=own.parent, NUMBA_DISABLE_JIT="1")
