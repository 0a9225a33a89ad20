"""Play does not change unnoticed, and pages that tell its figures tell the engine's."""

import json
import runpy

import pytest

from arena_breaker_agents.tutor.prompt import DEFAULT_VERSION, VERSIONS
from arena_breaker_gym.engine import player, shots, waves
from arena_breaker_gym.engine.arena import TICK
from arena_breaker_gym.engine.damage import GRACE
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.stages.table import ENEMY_TYPES
from tests import ROOT, play_guard

PROMPTS = "agents/arena_breaker_agents/tutor/prompts"
TO_DO = (
    "bump ENGINE_VERSION in arena_breaker_gym/engine/tick.py, run `python -m tests.play_guard` and "
    "`python examples/write_game_tables.py`, and look through the pages with figures of play: "
    f"docs/game.md, docs/difficulty.md and the tutor's rules ({PROMPTS})"
)


def rules_file():
    """The rules that a tutor is told unless it asks for another version of them."""
    return ROOT / PROMPTS / f"{VERSIONS[DEFAULT_VERSION][0]}.md"


@pytest.fixture(scope="module")
def kept():
    return json.loads(play_guard.FILE.read_text(encoding="utf-8"))


def test_the_reference_is_of_this_engine_and_these_stages(kept):
    if kept["engine_version"] != ENGINE_VERSION:
        pytest.fail(f"ENGINE_VERSION is {ENGINE_VERSION} now: {TO_DO}.")
    if kept["stages"] != play_guard.stages():
        pytest.fail(f"The stages have changed, and play with them: {TO_DO} (no bump for stages).")


@pytest.mark.parametrize("name", play_guard.GAMES)
def test_play_changes_only_with_the_engines_version(kept, name):
    if play_guard.played(*play_guard.GAMES[name]) != kept["games"].get(name):
        pytest.fail(f"Play has changed under version {ENGINE_VERSION} ({name}): {TO_DO}.")


@pytest.fixture(scope="module")
def tables():
    return runpy.run_path(str(ROOT / "examples/write_game_tables.py"))


def test_the_tables_of_the_games_page_are_the_engines(tables):
    page = (ROOT / "docs/game.md").read_text(encoding="utf-8")
    assert tables["written"](page) == page, "python examples/write_game_tables.py writes them again"


def test_the_tutors_rules_tell_the_engines_figures(tables):
    rules = rules_file().read_text(encoding="utf-8")
    for code in range(1, len(ENEMY_TYPES)):
        figures = f"| {' | '.join(tables['enemy_figures'](code))} |"
        assert figures in rules, (
            f"{rules_file().name}: a new version of the prompt must say {figures}"
        )
    for sentence in (
        f"Radius {player.RADIUS:g}, walking speed {player.SPEED:g} at full stick, {player.HP} hit",
        f"cannot be hurt for {GRACE * TICK:g} s",
        f"at least {player.FIRE_THRESHOLD:g}: a shot every {shots.RELOAD * TICK:.2f} s, "
        f"{shots.SPEED:g} m/s, damage {shots.DAMAGE}, radius {shots.RADIUS:g}, "
        f"range {shots.RANGE:g}",
        f"in {player.DASH_TICKS * TICK:g} s along `move`",
        f"ready again {player.DASH_COOLDOWN * TICK:.1f} s later",
        f"{waves.WAVE_SCORE} points for each wave",
        f"get {waves.STAGE_HEAL} hit points back",
    ):
        assert sentence in rules, (
            f"{rules_file().name}: a new version of the prompt must say {sentence!r}"
        )
