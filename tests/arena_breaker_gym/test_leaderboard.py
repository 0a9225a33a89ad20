"""The leaderboard: entries come from measuring, survive a file, are ranked, and are checked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from arena_breaker_agents.baselines import IdleAgent, RandomAgent
from arena_breaker_gym import leaderboard
from arena_breaker_gym.leaderboard import Entry, EntryError, measure_entry, ranked, read_entries
from arena_breaker_gym.report.table import markdown_table, put_between_markers
from tests import ROOT

COMMITTED = ROOT / "docs/leaderboard"


@pytest.fixture(scope="module")
def entry() -> Entry:
    return measure_entry(IdleAgent, agent="idle", source="idle", command="a command")


def test_an_entry_is_of_the_public_seeds(entry: Entry) -> None:
    assert entry.row["episodes"] == leaderboard.EPISODES == 100
    assert entry.row["stage"] == 1
    assert entry.row["point_blank_fix"] is True


def test_an_entry_survives_its_file(entry: Entry, tmp_path: Path) -> None:
    assert Entry.load(entry.save(tmp_path / "idle.json")) == entry
    assert read_entries(tmp_path) == [entry]


def test_the_committed_idle_row_is_what_idle_makes(entry: Entry) -> None:
    committed = Entry.load(COMMITTED / "idle.json")
    assert committed.row == entry.row
    assert committed.engine_version == entry.engine_version


def test_more_kills_stand_higher(entry: Entry) -> None:
    better = replace(entry, agent="better", row={**entry.row, "kills": {"mean": 9.0}})
    assert [one.agent for one in ranked([entry, better])] == ["better", "idle"]


def test_a_failing_agent_gets_no_row() -> None:
    class Failing(RandomAgent):
        def act(self, observations: object, arenas: object) -> object:  # type: ignore[override]
            raise RuntimeError("out of order")

    with pytest.raises((ValueError, RuntimeError), match="out of order"):
        measure_entry(Failing, agent="failing", source="failing", command="")


@pytest.mark.parametrize(
    "damage",
    [
        lambda values: values.pop("row"),
        lambda values: values.update(row={}),
        lambda values: values["row"].update(kills=None),
        lambda values: values["row"]["kills"].pop("high"),
        lambda values: values["row"].pop("status"),
        lambda values: values["row"].pop("episodes"),
        lambda values: values["row"].update(latency=[]),
        lambda values: values["row"].update(point_blank_fix=[]),
        lambda values: values["row"].update(passes=3),
        lambda values: values.update(format="another"),
        lambda values: values.update(engine_version="one"),
    ],
)
def test_a_damaged_entry_is_refused_in_a_sentence(
    entry: Entry, tmp_path: Path, damage: object
) -> None:
    path = entry.save(tmp_path / "one.json")
    values = json.loads(path.read_text(encoding="utf-8"))
    damage(values)  # type: ignore[operator]
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(EntryError, match=r"one\.json: this is no entry of the leaderboard\.$"):
        Entry.load(path)
    path.write_bytes(b"\x00" * 10)
    with pytest.raises(EntryError):
        Entry.load(path)


def test_committed_entries_stand_on_the_page() -> None:
    page = (COMMITTED.parent / "leaderboard.md").read_text(encoding="utf-8")
    for one in read_entries(COMMITTED):
        assert f"| {one.agent} | {one.row['kills']['mean']:.2f}" in page


def test_generated_text_goes_between_its_markers(entry: Entry) -> None:
    page = "before\n<!-- rows -->\nold\n<!-- end rows -->\nafter\n"
    table = markdown_table([entry.row], ["kills"], before={"agent": ["idle"]})
    put = put_between_markers(page, "rows", table)
    assert put.startswith("before\n<!-- rows -->\n| agent | kills |\n")
    assert put.endswith("|\n<!-- end rows -->\nafter\n")
    with pytest.raises(ValueError, match="0 places between markers named others"):
        put_between_markers(page, "others", table)
