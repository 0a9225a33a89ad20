"""Checks of what is installed and of the machine; each comes to `Finding`s."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path
from typing import Any

from arena_breaker_gym import ENV_ID

OK = "ok"
WARNING = "warning"
FAULT = "fault"

DISTRIBUTION = "arena-breaker-gym"
SELF_MADE = ("all", "test")  # extras that no user can miss

_LINE = re.compile(r"^(?P<name>[\w.-]+)(?:\[[^]]*\])?(?:>=(?P<least>[\d.]+))?")
_PYTHON = re.compile(r"python_version\s*(?P<which><|>=)\s*['\"](?P<version>[\d.]+)['\"]")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")

LEAST_PYTHON = (3, 11)
PYGAMES = ("pygame", "pygame-ce")

OURS = ("arena_breaker_gym", "arena_breaker_agents", "nitrogen_adapter")
# Parts of Python's library that no library imports, whose names people like for their own files.
HARMLESS = frozenset({"antigravity", "idlelib", "lib2to3", "test", "this", "turtle", "turtledemo"})
# Lines of a RECORD, which are too many to be parsed one by one.
_TOP = re.compile(r"^([A-Za-z_]\w*)(?:/__init__)?\.py,", re.M)

SECONDS = 60.0
_ASK = f"import gymnasium; print(gymnasium.spec({ENV_ID!r}).entry_point)"

NAME = "compiled code"
REMEDY = "Set NUMBA_CACHE_DIR to a folder that can be written to and has room."
SLOW = "the engine is compiled again at every start, which takes up to a minute."

KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY")
SCARCE = 2 * 10**9  # bytes; a bootcamp's films and data sets need about half of it
TOO_LITTLE = 10**8


@dataclass(frozen=True)
class Finding:
    """One line of what the doctor says.

    Attributes:
        name: What was looked at, such as "display".
        status: "ok"; "warning": something will not work or not well, the rest does; "fault":
            the game itself does not work.
        words: What was found, in a sentence.
        remedy: What helps, in a sentence; empty if nothing need be done.
        details: The same for a program, as JSON values.
    """

    name: str
    status: str
    words: str
    remedy: str = ""
    details: dict[str, Any] = field(default_factory=dict)


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
        wanted = _is_for_this_python(line) and (extra is None or extra[1] not in SELF_MADE)
        if match is not None and wanted:
            found.append(
                Requirement(match["name"], match["least"] or "", extra[1] if extra else "")
            )
    return found


def _is_for_this_python(line: str) -> bool:
    marker = _PYTHON.search(line)
    if marker is None:
        return True
    older = sys.version_info[:2] < _numbers(marker["version"])
    return older == (marker["which"] == "<")


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, as they compare: (2, 13, 0) of "2.13.0+cpu"."""
    return tuple(int(one) for one in re.findall(r"\d+", version.partition("+")[0]))


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
    # Either pygame serves in the other's place.
    drawing = any(map(version_of, PYGAMES))
    troubles = {
        one.name: one.trouble
        for one in needed
        if one.trouble and not (drawing and one.name in PYGAMES)
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
    both = [name for name in PYGAMES if version_of(name)]
    if len(both) == 2:
        return Finding(
            "pygame",
            FAULT,
            "pygame and pygame-ce are both installed and overwrite each other's files.",
            "Run: pip uninstall -y pygame pygame-ce, then install one of them.",
        )
    if not both:
        return Finding(
            "pygame", FAULT, "There is no pygame, which draws.", "Run: pip install pygame-ce"
        )
    return Finding("pygame", OK, f"{both[0]} {version_of(both[0])} alone draws.")


def check_clashes() -> Finding:
    """Whether something in the working folder is imported in place of what was meant."""
    folder = Path.cwd()
    names = {*OURS, *(sys.stdlib_module_names - HARMLESS), *_names_of_libraries()}
    hiding = sorted(path.name for path in folder.iterdir() if _hides(path, names))
    if not hiding:
        return Finding("names", OK, f"Nothing in {folder} hides a library.")
    words = f"{folder} holds {', '.join(hiding)}, named as something that is imported here."
    remedy = "Rename it, or work in another folder: Python may import it instead."
    return Finding("names", FAULT, words, remedy, {"hiding": hiding})


def _hides(path: Path, names: set[str]) -> bool:
    """Whether a file or folder would be imported under one of the names.

    A folder without an `__init__.py` hides nothing: Python prefers a whole package after it.
    """
    module = path.suffix == ".py" and path.is_file()
    if not module and not (path / "__init__.py").is_file():
        return False
    return path.stem in names and not _is_itself(path)


def _is_itself(path: Path) -> bool:
    """Whether it is our own package in its checkout, from which it is being run."""
    if path.name not in OURS:
        return False
    loaded = sys.modules.get(path.name)
    here = Path(__file__).parents[1] if path.name == OURS[0] else None
    file = getattr(loaded, "__file__", None)
    own = here or (Path(file).parent if file else Path(__file__).parents[2] / path.name)
    return path.resolve() == own.resolve()


def _names_of_libraries() -> set[str]:
    """What our installed libraries are imported as."""
    try:
        wanted = {one.name for one in requirements()}
    except PackageNotFoundError:
        wanted = {"gymnasium", "numpy", "numba", "pygame", "pymunk", "pydantic", "typer", "rich"}
    return {module for name in wanted for module in _modules_of(name)}


def _modules_of(name: str) -> set[str]:
    """What a distribution puts at the top of site-packages; its name where it does not say."""
    try:
        record = distribution(name).read_text("RECORD")
    except PackageNotFoundError:
        record = None
    return set(_TOP.findall(record or "")) or {name.replace("-", "_").lower()}


def check_registration() -> Finding:
    """Asks a fresh Python for the environment, as a user's script would."""
    try:
        # -P: what lies in the working folder is another check's.
        done = subprocess.run(
            [sys.executable, "-P", "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding("gymnasium", WARNING, "A fresh Python gave no answer within a minute.")
    if done.returncode == 0:
        return Finding("gymnasium", OK, f'gym.make("{ENV_ID}") finds {done.stdout.strip()}.')
    why = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
    return Finding(
        "gymnasium",
        FAULT,
        f'gym.make("{ENV_ID}") finds nothing without an import: {why}',
        "Run: pip install --force-reinstall --no-deps arena-breaker-gym; until then, import "
        "arena_breaker_gym first.",
    )


def check_cache() -> Finding:
    """Where compiled code lies, and whether more can be kept there."""
    import numba

    from arena_breaker_gym.batch.stepping import step_rows

    if numba.config.DISABLE_JIT:
        words = "NUMBA_DISABLE_JIT is set: the game runs as plain Python, a hundred times slower."
        return Finding(NAME, WARNING, words, "Unset it, unless you are looking for a fault.")
    place = _place_of(step_rows)
    if place is None:
        return Finding(NAME, WARNING, f"No folder for it can be written to: {SLOW}", REMEDY)
    details = {"folder": str(place), "wanted": os.environ.get("NUMBA_CACHE_DIR")}
    if not _writable(place):
        words = f"{place} cannot be written to: {SLOW}"
        return Finding(NAME, WARNING, words, REMEDY, details)
    return Finding(NAME, OK, f"It is kept in {place}.", "", details)


def _place_of(function: Any) -> Path | None:
    """The folder that a compiled function is kept in."""
    dispatcher = getattr(function, "_dispatcher", function)  # some are wrapped, to be called sooner
    found = dispatcher.stats.cache_path
    return None if found is None else Path(found)


def _writable(folder: Path) -> bool:
    """Whether a file can be written, by writing one: permissions alone do not tell."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError:
        return False
    return True


def check_display() -> Finding:
    """Whether a window could be opened."""
    from arena_breaker_gym.play.window import require_display

    try:
        require_display()
    except OSError as error:
        remedy = "Only `play` and render_mode='human' need a screen; on a server, use `video`."
        return Finding("display", WARNING, str(error), remedy)
    import pygame

    return Finding("display", OK, f"Windows open by SDL's driver {pygame.display.get_driver()}.")


def check_gamepad() -> Finding:
    """Which gamepads are plugged in; keyboard and mouse serve without."""
    import pygame

    pygame.joystick.init()
    names = [pygame.joystick.Joystick(i).get_name() for i in range(pygame.joystick.get_count())]
    if not names:
        return Finding("gamepad", OK, "None is plugged in; keyboard and mouse play as well.")
    return Finding("gamepad", OK, f"{', '.join(names)}.", details={"names": names})


def check_gpu() -> Finding:
    """Whether PyTorch sees a GPU; nothing but large models needs one."""
    try:
        import torch
    except ModuleNotFoundError:
        return Finding("gpu", OK, "PyTorch, which would use one, is not installed.")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Finding("gpu", OK, f"PyTorch sees {', '.join(names)}.", details={"names": names})
    return Finding("gpu", OK, "PyTorch sees none and computes on the CPU.")


def check_keys() -> Finding:
    """Which keys for models on servers are set; never what they are."""
    found = {name: os.environ[name] for name in KEYS if os.environ.get(name)}
    details: dict[str, object] = {name: name in found for name in KEYS}
    odd = [name for name, key in found.items() if key != key.strip(" \t\r\n\"'")]
    if odd:
        words = f"{', '.join(odd)} begins or ends with a blank or a quotation mark."
        return Finding("api keys", WARNING, words, "Set it again without them.", details)
    if not found:
        words = f"None is set ({', '.join(KEYS)}); only claude and openai:MODEL need one."
        return Finding("api keys", OK, words, details=details)
    return Finding("api keys", OK, f"Set: {', '.join(found)}.", details=details)


def check_disk() -> Finding:
    """Whether there is room where runs and temporary files are written."""
    places = [Path.cwd(), Path(tempfile.gettempdir())]
    free = {str(place): shutil.disk_usage(place).free for place in places}
    place, least = min(free.items(), key=lambda one: one[1])
    words = f"{least / 1e9:.1f} GB are free in {place}."
    if least >= SCARCE:
        return Finding("disk", OK, words, details=free)
    status = WARNING if least >= TOO_LITTLE else FAULT
    return Finding("disk", status, words, "Make room, or name another place by --out.", free)
