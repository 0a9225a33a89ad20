"""Writes the table of what is installed, and under which licence, into docs/licences.md.

    python examples/write_licences_page.py

Licences are read from the metadata of the packages that `constraints.txt` lists, in an environment
in which they are installed.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from arena_breaker_gym._runtime.files import written_whole

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
BEGIN, END = "<!-- installed -->\n", "<!-- end -->\n"
LONGEST = 120  # letters of a licence; some packages put its whole text there


def listed() -> list[str]:
    """Names in `constraints.txt`."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line.partition("==")[0] for line in lines if "==" in line]


def licence_of(name: str) -> str | None:
    """What a package says of its licence; None if it is not installed here."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return None
    classifiers = [one for one in about.get_all("Classifier") or () if one.startswith("License ::")]
    told = [about.get("License-Expression"), *(one.split(" :: ")[-1] for one in classifiers)]
    told += [(about.get("License") or "").strip().split("\n")[0]]
    plain = [one for one in told if one and one not in ("OSI Approved", "UNKNOWN")]
    return plain[0][:LONGEST] if plain else "not told in its metadata"


def table() -> str:
    """Packages by licence, the fewest first."""
    held: dict[str, list[str]] = {}
    for name in listed():
        licence = licence_of(name)
        held.setdefault(licence or "not installed where this was written", []).append(name)
    rows = sorted(held.items(), key=lambda row: (len(row[1]), row[0].lower()))
    lines = [f"| {licence} | {', '.join(names)} |" for licence, names in rows]
    return "\n".join(["| licence | packages |", "|---|---|", *lines]) + "\n"


def main() -> None:
    """Writes the page again."""
    text = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(f"(?<={re.escape(BEGIN)}).*(?={re.escape(END)})", re.DOTALL)
    with written_whole(PAGE) as part:
        part.write_text(pattern.sub(lambda _: table(), text), encoding="utf-8")


if __name__ == "__main__":
    main()
