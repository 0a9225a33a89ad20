"""Check of the working folder for names that hide a library's: a `random.py`, a folder `numba`."""

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from arena_breaker_gym.doctor.finding import FAULT, OK, Finding
from arena_breaker_gym.doctor.requirements import requirements

OURS = ("arena_breaker_gym", "arena_breaker_agents", "nitrogen_adapter")
# Parts of Python's library that no library imports, whose names people like for their own files.
HARMLESS = frozenset({"antigravity", "idlelib", "lib2to3", "test", "this", "turtle", "turtledemo"})
# Lines of a RECORD, which are too many to be parsed one by one.
_TOP = re.compile(r"^([A-Za-z_]\w*)(?:/__init__)?\.py,", re.M)


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
