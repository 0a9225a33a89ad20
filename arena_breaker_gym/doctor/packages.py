"""Checks of what is installed: Python, libraries, extras, two pygames at once."""

import platform
import sys
from collections import defaultdict
from importlib.metadata import PackageNotFoundError

from arena_breaker_gym.doctor.finding import FAULT, OK, WARNING, Finding
from arena_breaker_gym.doctor.requirements import DISTRIBUTION, requirements, version_of

LEAST_PYTHON = (3, 11)


def check_python() -> Finding:
    """Which Python runs, and on what."""
    found = f"Python {platform.python_version()} on {platform.platform(terse=True)}"
    details = {"version": platform.python_version(), "executable": sys.executable}
    if sys.version_info < LEAST_PYTHON:
        return Finding("python", FAULT, found, "Install Python 3.11 or newer.", details)
    return Finding("python", OK, found, details=details)


def check_core() -> Finding:
    """Whether the libraries that everything needs are there, and new enough."""
    try:
        needed = [one for one in requirements() if not one.extra]
    except PackageNotFoundError:
        words = f"{DISTRIBUTION} runs from a folder and is not installed."
        return Finding(
            "libraries", WARNING, words, f'Run "pip install -e ." or install {DISTRIBUTION}.'
        )
    # pygame-ce serves in pygame's place.
    troubles = {
        one.name: one.trouble
        for one in needed
        if one.trouble and not (one.name == "pygame" and version_of("pygame-ce"))
    }
    details = {one.name: one.installed for one in needed}
    if troubles:
        words = f"{', '.join(troubles.values())}."
        return Finding(
            "libraries", FAULT, words, f"Run: pip install --upgrade {DISTRIBUTION}", details
        )
    return Finding(
        "libraries",
        OK,
        ", ".join(f"{name} {found}" for name, found in details.items()),
        "",
        details,
    )


def check_extras() -> list[Finding]:
    """Which extras are complete, and what the others lack."""
    troubles: dict[str, list[str]] = defaultdict(list)
    try:
        for one in requirements():
            if one.extra:
                troubles[one.extra] += [one.trouble] if one.trouble else []
    except PackageNotFoundError:
        return []
    complete = sorted(extra for extra, missing in troubles.items() if not missing)
    found = [Finding("extras", OK, f"Complete: {', '.join(complete) or 'none'}.")]
    for extra, missing in sorted(troubles.items()):
        if missing:
            remedy = f'For it, run: pip install "{DISTRIBUTION}[{extra}]"'
            found.append(Finding(f"extra {extra}", WARNING, f"{', '.join(missing)}.", remedy))
    return found


def check_pygame() -> Finding:
    """Whether one pygame draws, not two that overwrite each other's files."""
    both = [name for name in ("pygame", "pygame-ce") if version_of(name)]
    if len(both) == 2:
        return Finding(
            "pygame",
            FAULT,
            "pygame and pygame-ce are both installed and overwrite each other's files.",
            "Run: pip uninstall -y pygame pygame-ce, then install one of them.",
        )
    if not both:
        return Finding(
            "pygame", FAULT, "There is no pygame, which draws.", "Run: pip install pygame"
        )
    return Finding("pygame", OK, f"{both[0]} {version_of(both[0])} alone draws.")
