"""`Requirement`: what this package says it needs, and whether that is installed."""

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

DISTRIBUTION = "arena-breaker-gym"
SELF_MADE = ("all", "test")  # extras that are nobody's to miss

_LINE = re.compile(r"^(?P<name>[\w.-]+)(?:\[[^]]*\])?(?:>=(?P<least>[\d.]+))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")


@dataclass(frozen=True)
class Requirement:
    """One library that is needed.

    Attributes:
        name: Of its distribution, such as "gymnasium".
        least: Its oldest version that serves, such as "1.1"; empty: any.
        extra: The extra that asks for it; empty: the core does.
    """

    name: str
    least: str
    extra: str

    @property
    def installed(self) -> str | None:
        """Its version, or None where it is not installed."""
        return version_of(self.name)

    @property
    def trouble(self) -> str:
        """What is wrong with it, in a few words; empty if nothing is."""
        found = self.installed
        if found is None:
            return f"{self.name} is missing"
        if _numbers(found) < _numbers(self.least):
            return f"{self.name} {found} is older than {self.least}"
        return ""


def version_of(name: str) -> str | None:
    """The version of an installed distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def requirements() -> list[Requirement]:
    """All that the installed package asks for, the core's and those of every extra.

    Raises:
        PackageNotFoundError: If this package runs from a folder without being installed.
    """
    found = []
    for line in requires(DISTRIBUTION) or ():
        match, extra = _LINE.match(line), _EXTRA.search(line)
        if match is not None and (extra is None or extra[1] not in SELF_MADE):
            found.append(
                Requirement(match["name"], match["least"] or "", extra[1] if extra else "")
            )
    return found


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, as they compare: (2, 13, 0) of "2.13.0+cpu"."""
    return tuple(int(one) for one in re.findall(r"\d+", version.partition("+")[0]))
