"""The plug-in: registered by `import gymnasium` alone, whatever else hooks into imports."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import arena_breaker_gym

ROOT = Path(arena_breaker_gym.__file__).parents[1]

# The plug-in of this checkout takes the place of the one that Python's start loaded.
START = """
import sys
sys.meta_path[:] = [one for one in sys.meta_path if type(one).__module__ != "arena_breaker_plugin"]
sys.modules.pop("arena_breaker_plugin", None)
import arena_breaker_plugin
"""
MADE = """
import gymnasium as gym
print("ArenaBreaker-v0" in gym.registry, *[
    one for one in sys.meta_path if type(one).__module__ == "arena_breaker_plugin"
])
"""


def run(code, *options, folders=(ROOT, ROOT / "arena_breaker_gym/plugin"), cwd=None):
    path = os.pathsep.join(map(str, folders))
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


ASKS = "import importlib.util; assert importlib.util.find_spec('gymnasium') is not None"
ASKS_DEEPER = "import importlib.util; importlib.util.find_spec('gymnasium.envs.registration')"
CHAINS = """
import importlib.util
class Chain:  # as wrapt's: asks all finders, itself left out, and wraps the loader that it is given
    asking = False
    def find_spec(self, name, path=None, target=None):
        if Chain.asking or not name.startswith("gymnasium"):
            return None
        Chain.asking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            Chain.asking = False
        if spec is not None and spec.loader is not None:
            spec.loader = Loader(spec.loader)
        return spec
class Loader:
    def __init__(self, loader): self.loader = loader
    def create_module(self, spec): return self.loader.create_module(spec)
    def exec_module(self, module): self.loader.exec_module(module)
sys.meta_path.insert(0, Chain())
"""
ASKS_EVERYBODY = """
class Everybody:  # asks the others one by one, as ours does
    def find_spec(self, name, path=None, target=None):
        if not name.startswith("gymnasium") or getattr(self, "asking", False):
            return None
        self.asking = True
        try:
            for one in sys.meta_path:
                spec = one is not self and one.find_spec(name, path, target)
                if spec:
                    return spec
        finally:
            self.asking = False
sys.meta_path.insert(0, Everybody())
"""
PASSES_BY = """
import importlib.machinery
class PassesBy:  # as typeguard's: asks the path alone, and only files of Python's
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "gymnasium":
            return importlib.machinery.PathFinder.find_spec(name, path, target)
sys.meta_path.insert(0, PassesBy())
import gymnasium, wave  # the next import of anything makes up for it
"""


@pytest.mark.parametrize(
    "before", ["", ASKS, ASKS_DEEPER, CHAINS, ASKS_EVERYBODY, PASSES_BY, "import arena_breaker_gym"]
)
def test_it_registers_and_withdraws_whatever_happens_before(before):
    assert run(START + before + "\n" + MADE)[0] == "True"


def test_a_spec_that_somebody_looks_at_has_its_own_loaders_ways():
    code = START + (
        "import importlib.util, gymnasium; "
        "spec = importlib.util.find_spec('gymnasium.envs.registration'); "
        "print(type(spec.loader).__name__, type(gymnasium.envs.registration.__loader__).__name__)"
    )
    assert run(code)[0] == "SourceFileLoader SourceFileLoader"


def test_gymnasium_that_was_there_first_is_told_at_once():
    assert run("import sys, gymnasium\n" + START + MADE)[0] == "True"


def test_a_damaged_install_leaves_gymnasium_to_the_others(tmp_path):
    (tmp_path / "arena_breaker_gym").mkdir()
    (tmp_path / "arena_breaker_gym" / "__init__.py").write_text("import nowhere_to_be_found\n")
    said, complaint = run(
        START + MADE, folders=(tmp_path, ROOT / "arena_breaker_gym/plugin"), cwd=tmp_path
    )
    assert said == "False" and complaint.count("\n") == 1
    assert "nowhere_to_be_found" in complaint


@pytest.mark.parametrize("make", ["gym.make", "gym.make_vec"])
def test_where_no_plug_in_is_loaded_the_id_names_the_package(make):
    """As with `python -S`, and for what `pip install --target` put on PYTHONPATH."""
    packages = Path(np.__file__).parents[1]
    code = (
        "import sys, gymnasium as gym; assert 'ArenaBreaker-v0' not in gym.registry; "
        f"env = {make}('arena_breaker_gym:ArenaBreaker-v0', observation='state'); "
        "print('player' in env.reset(seed=0)[0])"
    )
    assert run(code, "-S", folders=(ROOT, packages))[0] == "True"
