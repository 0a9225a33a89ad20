"""The doctor names what is wrong with an installation; each test plants one thing."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numba
import pytest
from typer.testing import CliRunner

from arena_breaker_gym import doctor
from arena_breaker_gym.batch import stepping
from arena_breaker_gym.cli import build
from arena_breaker_gym.doctor import FAULT, OK, WARNING, Finding, check_trial, examine, trial
from arena_breaker_gym.doctor.checks import (
    check_cache,
    check_clashes,
    check_core,
    check_disk,
    check_display,
    check_extras,
    check_keys,
    check_pygame,
    check_registration,
)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A busy machine is no fault."""
    for part in ("doctor", "doctor.checks"):
        monkeypatch.setattr(f"arena_breaker_gym.{part}.SECONDS", 300.0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def installed(folder, monkeypatch, **versions):
    """Puts distributions that say nothing but their versions first on the path."""
    for name, version in versions.items():
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n"
        )
    monkeypatch.syspath_prepend(folder)


def wanting(monkeypatch, *lines):
    monkeypatch.setattr("arena_breaker_gym.doctor.checks.requires", lambda _: list(lines))


def test_no_display_is_named(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    found = check_display()
    assert (found.status, "No window can be opened" in found.words) == (WARNING, True)


@pytest.mark.parametrize("name", ["random.py", "numba", "arena_breaker_gym", "pymunk.py"])
def test_what_hides_a_library_is_named(folder, name):
    assert check_clashes().status == OK
    place = folder / name
    if not name.endswith(".py"):
        place.mkdir()
        assert check_clashes().status == OK  # Python prefers a package that lies further on
        place = place / "__init__.py"
    place.touch()
    (folder / "my_agents.py").touch()
    found = check_clashes()
    assert (found.status, found.details["hiding"]) == (FAULT, [name])


def test_our_own_checkout_hides_nothing(monkeypatch):
    checkout = Path(doctor.__path__[0]).parents[1]
    if not (checkout / "pyproject.toml").is_file():
        pytest.skip("this is an install from a wheel")
    monkeypatch.chdir(checkout)
    assert check_clashes().status == OK


def test_a_missing_extra_is_named_with_what_brings_it(monkeypatch):
    wanting(monkeypatch, "numpy>=2.0", "no-such-thing>=1.0; extra == 'ray'", "rich; extra == 'rl'")
    complete, missing = check_extras()
    assert complete.words == "Complete: rl."
    assert (missing.name, missing.status) == ("extra ray", WARNING)
    assert missing.words == "no-such-thing is missing."
    assert 'pip install "arena-breaker-gym[ray]"' in missing.remedy


def test_a_missing_or_old_library_is_named(monkeypatch):
    wanting(monkeypatch, "numpy>=99.0", "no-such-thing", "rich>=13")
    found = check_core()
    assert found.status == FAULT
    assert "no-such-thing is missing" in found.words
    assert f"numpy {sys.modules['numpy'].__version__} is older than 99.0" in found.words
    assert "rich " not in found.words


def test_what_another_python_would_need_is_not_missed(monkeypatch):
    wanting(
        monkeypatch,
        "rich>=13; python_version >= '3.11'",
        "no-such-thing; python_version >= '4.0'",
        'none-either>=2; python_version < "3.11"',
        "nor-this; python_version < '3.11' and extra == 'rl'",
    )
    assert check_core().status == OK
    assert len(check_extras()) == 1


def test_either_pygame_serves(monkeypatch):
    wanting(monkeypatch, "pygame>=2.5")
    monkeypatch.setattr("arena_breaker_gym.doctor.checks.version_of", {"pygame-ce": "2.5.7"}.get)
    assert check_core().status == OK
    wanting(monkeypatch, "pygame-ce>=2.5.6")
    monkeypatch.setattr("arena_breaker_gym.doctor.checks.version_of", {"pygame": "2.6.1"}.get)
    assert check_core().status == OK


def test_two_pygames_are_named(folder, monkeypatch):
    assert check_pygame().status == OK
    installed(folder, monkeypatch, pygame="2.6.0", pygame_ce="2.5.0")
    found = check_pygame()
    assert (found.status, "pip uninstall -y pygame pygame-ce" in found.remedy) == (FAULT, True)


def test_a_cache_that_cannot_be_written_is_named(folder, monkeypatch):
    assert check_cache().status == OK
    (folder / "file").touch()
    place = str(folder / "file/cache")  # not even root can write there
    kept = SimpleNamespace(stats=SimpleNamespace(cache_path=place))
    monkeypatch.setattr(stepping, "step_rows", kept)
    found = check_cache()
    assert (found.status, found.details["folder"]) == (WARNING, place)
    assert "NUMBA_CACHE_DIR" in found.remedy
    kept.stats.cache_path = None
    assert "No folder" in check_cache().words
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert "NUMBA_DISABLE_JIT" in check_cache().words


def test_a_key_is_found_and_never_shown(monkeypatch):
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert "None is set" in check_keys().words
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    good = check_keys()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "'sk-secret'\n")
    odd = check_keys()
    assert (good.status, odd.status) == (OK, WARNING)
    assert good.details["ANTHROPIC_API_KEY"] and not good.details["OPENAI_API_KEY"]
    assert "secret" not in f"{good}{odd}"


@pytest.mark.parametrize(("free", "status"), [(10**7, FAULT), (10**9, WARNING), (10**11, OK)])
def test_a_full_disk_is_named(monkeypatch, free, status):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert check_disk().status == status


def test_an_environment_that_gymnasium_does_not_find_is_named(folder, monkeypatch):
    (folder / "arena_breaker_plugin.py").touch()  # one that registers nothing
    (folder / "arena_breaker_gym").mkdir()
    (folder / "arena_breaker_gym/__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    found = check_registration()
    assert found.status == FAULT
    assert "ArenaBreaker" in found.words and "import arena_breaker_gym" in " ".join(
        found.remedy.split()
    )


def test_the_game_is_tried_and_a_broken_one_named(folder, monkeypatch):
    assert "60 steps" in trial()
    found = check_trial()
    assert (found.status, "60 steps" in found.words) == (OK, True), found.words
    (folder / "gymnasium.py").write_text("raise RuntimeError('broken')")
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{doctor.__path__[0]}/../..")
    found = check_trial()
    assert found.status == FAULT and "broken" in found.words


def test_a_check_that_fails_itself_is_a_fault():
    def check_wheels():
        raise ImportError("no wheels")

    (found,) = examine([check_wheels])
    assert (found.name, found.status) == ("wheels", FAULT) and "no wheels" in found.words


def check_good():
    return Finding("good", OK, "All is well.")


def check_bad():
    return Finding("bad", FAULT, "It is broken.", "Mend it.")


@pytest.mark.parametrize(("checks", "status"), [([check_good], 0), ([check_good, check_bad], 1)])
def test_the_command_shows_all_and_exits_with_one_for_a_fault(monkeypatch, checks, status):
    monkeypatch.setattr("arena_breaker_gym.doctor.examine", lambda: examine(checks))
    printed = CliRunner().invoke(build(), ["doctor"])
    told = CliRunner().invoke(build(), ["doctor", "--json"])
    assert (printed.exit_code, told.exit_code) == (status, status)
    said = json.loads(told.stdout)
    assert said["faults"] == status and said["checks"][0]["words"] == "All is well."
    assert ("→ Mend it." in printed.stdout) == bool(status)
