"""Compiled code on disk is a convenience: whatever becomes of it, play goes on."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import arena_breaker_gym

ROOT = Path(arena_breaker_gym.__file__).parents[1]

# One of the smallest entry points: compiled in a second.
CODE = """
import numpy as np
from arena_breaker_gym.batch.stepping import first_bad
actions = np.zeros((2, 5))
actions[1, 4] = np.inf
print(first_bad(actions, np.ones(2, dtype=bool)))
"""
COMPILING = ": compiling"
COMPILED = ": compiled, "


def answer(folder, *, root=ROOT, limit=None, cwd=None, **variables):
    """Lines on stderr of a process that calls compiled code and gets the right answer.

    Every compiling that they announce is said to be done.
    """

    def bounded():
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-B", "-P", "-c", CODE],
        env={**os.environ, "PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(folder), **variables},
        cwd=cwd,
        preexec_fn=bounded,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stdout == "1\n", done.stderr
    lines = done.stderr.splitlines()
    said = [line for line in lines if COMPILED not in line]
    assert len(lines) - len(said) == sum(COMPILING in line for line in said)
    return said


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with compiled code: an index and a file of machine code."""
    folder = tmp_path_factory.mktemp("whole") / "numba"
    (said,) = answer(folder)
    assert COMPILING in said
    assert answer(folder) == []
    return folder


@pytest.fixture
def kept(whole, tmp_path):
    """A copy of it, to do harm to."""
    return shutil.copytree(whole, tmp_path / "numba")


def files_in(folder):
    index, code = (next(folder.rglob(f"*first_bad*.{ending}")) for ending in ("nbi", "nbc"))
    return {"index": index, "code": code}


DAMAGES = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "one bit flipped": lambda data: data[:-400] + bytes([data[-400] ^ 1]) + data[-399:],
    "foreign": lambda data: b"\x80\x04nothing of ours" * 20,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("which", ["index", "code"])
def test_damaged_files_are_made_anew_with_one_warning(kept, which, damage):
    file = files_in(kept)[which]
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    warning, compiling = answer(kept)
    assert "damaged" in warning and "NUMBA_CACHE_DIR" in warning and str(kept) in warning
    assert COMPILING in compiling
    assert answer(kept) == []  # they are whole again


def test_files_that_are_gone_are_made_anew(kept):
    files_in(kept)["code"].unlink()
    (said,) = answer(kept)
    assert COMPILING in said and answer(kept) == []


def test_a_full_disk_does_not_end_play(tmp_path):
    compiling, warning = answer(tmp_path / "numba", limit=100)
    assert COMPILING in compiling
    assert "File too large" in warning and "NUMBA_CACHE_DIR" in warning
    assert list((tmp_path / "numba").rglob("*.tmp.*")) == []


def test_an_index_without_its_file_never_leads_to_an_older_one(tmp_path):
    """As when the disk was full between the two: the file of that name is of other sources."""
    package = copy_of_the_package(tmp_path)
    cache = {"root": package.parent}
    answer(tmp_path / "other", **cache)
    code = files_in(tmp_path / "other")["code"]
    older = code.read_bytes()
    stepping = package / "batch" / "stepping.py"
    stepping.write_text(stepping.read_text() + "\n# new\n")
    answer(tmp_path / "other", **cache)
    code.write_bytes(older)
    (said,) = answer(tmp_path / "other", **cache)
    assert COMPILING in said


def copy_of_the_package(folder):
    package = folder / "install" / "arena_breaker_gym"
    shutil.copytree(
        ROOT / "arena_breaker_gym", package, ignore=shutil.ignore_patterns("__pycache__")
    )
    return package


def test_where_nothing_can_be_written_play_goes_on_with_one_warning(tmp_path):
    """A read-only install, no home, and a cache folder that is none."""
    package = copy_of_the_package(tmp_path)
    for folder in [package, *(one for one in package.rglob("*") if one.is_dir())]:
        (folder / "__pycache__").touch()  # a file: no folder of this name can be made
    nowhere = tmp_path / "file"
    nowhere.touch()
    for home in ("/dev/null", "~"):
        warning, compiling = answer(
            nowhere, root=package.parent, cwd=tmp_path, HOME=home, XDG_CACHE_HOME=f"{home}/cache"
        )
        assert "no folder for it can be written to" in warning and "NUMBA_CACHE_DIR" in warning
        assert COMPILING in compiling and "once" not in compiling
    assert not (tmp_path / "~").exists()


def test_a_user_without_a_home_gets_no_folder_where_he_stands(tmp_path):
    code = (
        "import gymnasium as gym; gym.make('arena_breaker_gym:ArenaBreaker-v0', pixel_size=64)"
        ".reset(seed=0); print('played')"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": "", "HOME": "~"}
    environment.pop("ARENA_BREAKER_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "played\n", done.stderr
    assert list(tmp_path.iterdir()) == []
