"""CONTRIBUTING and others name files and commands that there are."""

import re

import pytest

from tests import ROOT

PAGES = (".github/CONTRIBUTING.md", "docs/architecture.md", ".github/SECURITY.md")
_FILE = re.compile(r"`([\w./]+\.(?:py|json|md|toml|png))`")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_is_there(page: str) -> None:
    named = _FILE.findall((ROOT / page).read_text(encoding="utf-8"))
    package = [ROOT, ROOT / "arena_breaker_gym", ROOT / "agents"]
    missing = [
        name
        for name in named
        if "NAME" not in name and not any((place / name).exists() for place in package)
    ]
    assert named
    assert not missing


def test_every_script_that_is_named_is_there() -> None:
    text = (ROOT / ".github/CONTRIBUTING.md").read_text(encoding="utf-8")
    scripts = re.findall(r"python (examples/\w+\.py)", text)
    assert scripts
    assert [one for one in scripts if not (ROOT / one).exists()] == []
