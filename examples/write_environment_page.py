"""Writes `docs/environment.md`, the environment in the form of Gymnasium's own pages.

Run `python examples/write_environment_page.py` from the repository's root after a change of the
environment. Words come from the docstrings of `ArenaBreakerEnv`, `Settings` and `StateTables`,
figures from the spaces and signatures themselves: nothing on the page is typed by hand.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gymnasium import spaces

from arena_breaker_gym import ENV_ID, IDS
from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.batch.arenas import INFO, REWARD_TERMS
from arena_breaker_gym.batch.observation import TABLES, StateTables
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.env import ArenaBreakerEnv, action_space_of, observation_space_of
from arena_breaker_gym.settings import DEFAULT_REWARD, MAX_EPISODE_STEPS, OBSERVATIONS, Settings

PAGE = Path(__file__).parents[1] / "docs/environment.md"
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
_SHAPE = re.compile(r"^\(n[\d, ]*\)(?:: |, )")  # of a batch; the page describes one arena
_NOTICE = "<!-- Written by `python examples/write_environment_page.py`; not to be edited. -->"


def page() -> str:
    """The whole page."""
    said = sections(ArenaBreakerEnv)
    said["Action Space"] += "\n\n" + action_table()
    said["Observation Space"] += f"\n\n{observation_table()}\n\n{tables_table()}"
    said["Rewards"] += f"\n\n{reward_table()}\n\n## Info\n\n{info_list()}"
    said["Arguments"] += f"\n\n{argument_table()}\n\n{id_table()}"
    said["Version History"] += (
        f"\n\nRules: version {ENGINE_VERSION}, which every episode and saved state names; "
        "[reproducibility](reproducibility.md) says what it stands for."
    )
    parts = [f"## {title}\n\n{text}" for title, text in said.items()]
    return "\n\n".join([_NOTICE, heading(), *parts]) + "\n"


def heading() -> str:
    """Title, picture, and the few lines that Gymnasium's pages begin with."""
    rows = [
        ("Action space", f"`{_space(action_space_of())}`"),
        ("Observation space", f"`Dict({', '.join(_space_of('both'))})`"),
        ("Steps a second", str(ArenaBreakerEnv.metadata["render_fps"])),
        ("Made by", f'`gymnasium.make("{ENV_ID}")`'),
    ]
    return "# Arena Breaker\n\n![The three stages](images/stages.png)\n\n" + _table(
        ("what", "value"), rows
    )


def sections(of: type) -> dict[str, str]:
    """The sections of a docstring in their order, titles without marks, lines unbroken."""
    pieces = _SECTION.split(inspect.getdoc(of) or "")[1:]
    pairs = zip(pieces[::2], pieces[1::2], strict=True)
    return {title: _unbroken(text) for title, text in pairs}


def entries(of: type) -> Mapping[str, str]:
    """What a docstring says of each of its attributes."""
    found = _ENTRY.findall(inspect.getdoc(of) or "")
    return MappingProxyType({name: " ".join(text.split()) for name, text in found})


def action_table() -> str:
    """A row for each number of an action."""
    space = action_space_of()
    means = (
        ("move_x", "left stick, to the right"),
        ("move_z", "left stick, down the screen"),
        ("aim_x", "right stick, to the right"),
        ("aim_z", "right stick, down the screen"),
        ("dash", "the button"),
    )
    bounds = zip(space.low.tolist(), space.high.tolist(), strict=True)
    rows = [
        (str(number), f"`{name}`", what, f"{low:g}", f"{high:g}")
        for number, ((name, what), (low, high)) in enumerate(zip(means, bounds, strict=True))
    ]
    return _table(("number", "name", "meaning", "min", "max"), rows)


def observation_table() -> str:
    """What each value of `observation` gives."""
    rows = [
        (f'`"{kind}"`', "; ".join(f"`{one}`" for one in _space_of(kind))) for kind in OBSERVATIONS
    ]
    return _table(("`observation`", "space"), rows)


def tables_table() -> str:
    """What the columns of each table are."""
    said = entries(StateTables)
    rows = [
        (f"`{name}`", str(shape), f"±{bound:g}", _SHAPE.sub("", said[name]))
        for name, (shape, bound) in TABLES.items()
    ]
    return _table(("table", "shape", "bound", "columns"), rows)


def reward_table() -> str:
    """Each term with its usual weight."""
    units = {"score": "a point of score", "damage": "a hit point lost", "hits": "a shot that hits"}
    rows = [
        (f"`{term}`", units[term], f"{DEFAULT_REWARD[term]:g}", f'`info["reward_{term}"]`')
        for term in REWARD_TERMS
    ]
    return _table(("term", "for", "weight unless `reward` says otherwise", "where"), rows)


def info_list() -> str:
    """The keys of `info`."""
    counts = ", ".join(f"`{name}`" for name in INFO)
    terms = ", ".join(f"`reward_{name}`" for name in REWARD_TERMS)
    return (
        f"`reset` and `step` give the same keys: {counts}, counted since the episode's beginning "
        f"or as they are now; and the reward's terms {terms}, those of the last step."
    )


def argument_table() -> str:
    """Each keyword of `gymnasium.make`, its default and its meaning."""
    said = entries(Settings)
    plain = Settings()
    rows = [
        (f"`{one.name}`", f"`{getattr(plain, one.name)!r}`", said[one.name])
        for one in fields(Settings)
    ]
    own = inspect.signature(ArenaBreakerEnv).parameters.values()
    shown = [
        (f"`{one.name}`", f"`{one.default!r}`", "see above")
        for one in own
        if one.kind is one.KEYWORD_ONLY
    ]
    limit = (
        "`max_episode_steps`",
        f"`{MAX_EPISODE_STEPS}`",
        "Gymnasium's own: steps until truncation.",
    )
    return _table(("keyword", "default", "meaning"), [*rows, *shown, limit])


def id_table() -> str:
    """Every id, and what it is short for."""
    rows = [
        (f"`{name}`", ", ".join(f"`{key}={value!r}`" for key, value in given.items()) or "none")
        for name, given in IDS.items()
    ]
    return _table(("id", "keywords that it gives"), rows)


def _space_of(observation: str) -> list[str]:
    """The spaces that an observation is made of, each in a line of its own."""
    space = observation_space_of(Settings(observation=observation))
    if isinstance(space, spaces.Dict):
        return [f"{name}: {_space(part)}" for name, part in space.items()]
    return [_space(space)]


def _space(space: spaces.Space[Any]) -> str:
    if not isinstance(space, spaces.Box):
        return str(space)
    low, high = space.low.min(), space.high.max()
    return f"Box({low:g}, {high:g}, {space.shape}, {space.dtype})"


def _unbroken(text: str) -> str:
    """Paragraphs in one line each; lists and blank lines stay."""
    paragraphs = (part.strip() for part in text.split("\n\n"))
    return "\n\n".join(
        part if part.startswith("- ") else " ".join(part.split()) for part in paragraphs if part
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    """Writes the page."""
    with written_whole(PAGE) as part:
        part.write_text(page(), encoding="utf-8")
    print(f"Page: {PAGE}")


if __name__ == "__main__":
    main()
