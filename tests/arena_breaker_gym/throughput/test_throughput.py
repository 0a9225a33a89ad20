"""`arena-breaker throughput`: what it writes and shows, peers that break, and the gate.

Nothing here depends on how fast anything is: readings are as short as can be.
"""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from arena_breaker_gym.cli import main
from arena_breaker_gym.throughput.process import AdapterProcess, BrokenError
from arena_breaker_gym.throughput.results import Pairing

SHORT = ["--rounds", "2", "--seconds", "0.001"]
ONE = ["--part", "environment", "--only", "environment, state"]

GOOD = """
from .subject import Adapter, Subject

def _make():
    print("peers print what they like")
    return lambda: None

ADAPTER = Adapter(
    name="Good game",
    module="json",
    distributions=("numpy",),
    subjects=(Subject("alone", _make), Subject("many", _make, "pixels", arenas=9, size=(64, 64))),
)
"""
BROKEN = """
import os
from .subject import Adapter, Subject

def _raises():
    raise RuntimeError("no\\nscreen")

def _breaks_later():
    calls = iter(range(3))
    return lambda: next(calls)

def _dies():
    os.write(2, b"out of luck\\n")
    os._exit(7)

ADAPTER = Adapter(
    name="Broken game",
    module="json",
    distributions=("no-such-distribution",),
    subjects=(
        Subject("raises", _raises),
        Subject("breaks later", _breaks_later),
        Subject("dies", _dies),
        Subject("is asked of the dead", lambda: list),
    ),
)
"""
MISSING = """
from .subject import Adapter, Subject

ADAPTER = Adapter(
    name="Missing game", module="no_such.module", distributions=("numpy",), subjects=()
)
"""


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command in this process: status, standard output, standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["arena-breaker", "throughput", *arguments])
        monkeypatch.setattr(sys, "path", list(sys.path))
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.fixture
def adapter(tmp_path):
    """Writes an adapter's file and returns its path."""

    def write(name: str, text: str) -> str:
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture(scope="module")
def earlier(tmp_path_factory) -> dict:
    """An earlier run: one environment, a batch, a tick, memory; made by hand."""
    common = {"peer": "", "observation": "state", "size": None, "copies": True, "note": ""}
    common |= {"threads": 1, "arenas": 1}

    def row(name, part, unit, values, calibrations):
        spread = {"median": values[0], "low": values[0], "high": values[0], "ratio": None}
        figures = {"name": name, "part": part, "unit": unit, "values": values}
        return {**common, **figures, "calibrations": calibrations, **spread}

    rows = [
        row("one environment, state", "environment", "steps/s", [1000.0] * 3, [500.0] * 3),
        row("tick of a full arena", "tick", "µs", [4.0] * 3, [500.0] * 3),
        row("first start", "compile", "s", [20.0], [500.0]),
        row("memory of the process", "memory", "MB", [300.0], []),
    ]
    return {"rows": rows, "peers": [], "machine": {}, "settings": {}}


@pytest.fixture
def hold(run, tmp_path, earlier):
    """Holds a run, changed from the earlier one, against it."""

    def call(change, *options: str) -> tuple[int, str, str]:
        now = copy.deepcopy(earlier)
        change(now["rows"])
        for name, values in (("before", earlier), ("now", now)):
            (tmp_path / f"{name}.json").write_text(json.dumps(values))
        files = ["--from", str(tmp_path / "now.json"), "--against", str(tmp_path / "before.json")]
        return run(*files, *options)

    return call


def test_a_run_beside_peers_is_written_shown_and_drawn(run, adapter, tmp_path):
    peers = ["--peer", adapter("good", GOOD), "--peer", adapter("missing", MISSING)]
    out = tmp_path / "out"
    parts = ["--only", "environment, state", "--only", "full arena"]
    status, printed, err = run(*parts, *SHORT, *peers, "--out", str(out), "--json")
    assert status == 0
    results = json.loads((out / "throughput.json").read_text())
    assert results == json.loads(printed)
    rows = {row["name"]: row for row in results["rows"]}
    assert set(rows) == {"one environment, state", "tick of a full arena", "alone", "many"}
    for row in rows.values():
        assert len(row["values"]) == len(row["calibrations"]) == 2
        assert row["low"] <= row["median"] <= row["high"]
        assert row["ratio"]["median"] > 0
    assert rows["tick of a full arena"]["unit"] == "µs"
    assert (rows["many"]["peer"], rows["many"]["arenas"]) == ("Good game", 9)
    assert [peer["name"] for peer in results["peers"]] == ["Good game", "Missing game"]
    assert results["peers"][0]["version"].startswith("numpy ")
    assert results["settings"]["rounds"] == 2
    assert results["machine"]["cores"] >= 1
    assert "Not installed: Missing game." in err
    assert (out / "throughput.png").read_bytes().startswith(b"\x89PNG")
    # The same again from the file, for people.
    status, table, _ = run("--from", str(out / "throughput.json"))
    assert status == 0
    assert "Peers, in the same rounds" in table
    alone = next(line for line in table.splitlines() if "alone (state)" in line)
    assert "one environment, state" in alone  # what it is compared with
    assert "peers print" not in table
    status, page, _ = run("--from", str(out / "throughput.json"), "--markdown")
    assert status == 0
    assert "| peer | what | steps/s |" in page
    assert "| Good game, numpy" in page


def test_a_broken_peer_is_told_in_a_sentence_a_figure_and_stops_nothing(run, adapter):
    syntax = adapter("syntax", "ADAPTER = (")
    peers = ["--peer", adapter("broken", BROKEN), "--peer", syntax]
    status, out, err = run(*ONE, *SHORT, *peers, "--json")
    assert status == 0
    results = json.loads(out)
    assert [row["name"] for row in results["rows"]] == ["one environment, state"]
    told = [sentence for peer in results["peers"] for sentence in peer["broken"]]
    assert told[0] == "Broken game: raises could not be measured: RuntimeError: no screen."
    assert "breaks later could not be measured: StopIteration" in told[1]
    assert "dies could not be measured: its process ended with status 7 and 'out of l" in told[2]
    assert "is asked of the dead could not be measured" in told[3]
    assert "syntax could not be loaded: its process ended with status 1" in told[4]
    assert all(sentence in err for sentence in told)


def test_starting_and_memory_are_read_in_fresh_interpreters(run):
    only = ["--only", "gym.make once", "--only", "4,096 arenas"]
    status, out, _ = run(*only, "--rounds", "1", "--memory-steps", "10000", "--json")
    assert status == 0
    start, memory, growth = json.loads(out)["rows"]
    assert (start["unit"], start["part"]) == ("s", "start")
    assert memory["median"] > 10  # a whole process's
    assert "10,000 steps" in growth["name"]
    assert memory["unit"] == growth["unit"] == "MB"


def test_the_batch_and_threads_of_the_adapter_cover_what_is_promised():
    with AdapterProcess("arena_breaker") as worker:
        subjects = worker.greeting["subjects"]
        batches = [one for one in subjects if one["part"] == "batch"]
        assert {one["arenas"] for one in batches} == {64, 256, 1024}
        assert {tuple(one["size"]) for one in batches if one["size"]} == {
            (64, 64),
            (84, 84),
            (128, 128),
            (256, 256),
        }
        assert {one["copies"] for one in batches} == {True, False}
        names = [one["name"] for one in subjects]
        assert len(set(names)) == len(names)
        smallest = next(one["name"] for one in batches if one["observation"] == "state")
        assert worker.read(smallest, 0.001) > 0


def test_a_worker_runs_with_numpy_alone_and_answers_line_by_line(adapter):
    """The protocol, under an interpreter that finds neither Arena Breaker nor Gymnasium."""
    worker = Path(sys.modules["arena_breaker_gym.throughput.process"].__file__).with_name(
        "worker.py"
    )
    questions = '{"subject": "many", "seconds": 0.001}\n{"subject": "none", "seconds": 0.001}\n'
    hidden = ["arena_breaker_gym", "gymnasium", "numba", "pymunk"]
    code = (
        f"import runpy, sys\nsys.modules.update(dict.fromkeys({hidden!r}))\n"
        f"sys.argv = ['worker', {adapter('good', GOOD)!r}]\n"
        f"sys.path.insert(0, '')\nrunpy.run_path({str(worker)!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=questions, capture_output=True, text=True, check=True
    )
    greeting, reading, error = map(json.loads, done.stdout.splitlines())
    assert greeting["name"] == "Good game"
    assert [one["name"] for one in greeting["subjects"]] == ["alone", "many"]
    assert reading["steps"] % 9 == 0
    assert reading["seconds"] >= 0.001
    assert error["error"].startswith("KeyError")
    assert "peers print what they like" in done.stderr


def test_what_steps_environments_is_found_by_its_old_name_too(adapter):
    text = GOOD.replace("Adapter, Subject", "Adapter, Subject\nfrom .stepping import single", 1)
    with AdapterProcess(adapter("old", text)) as process:
        assert process.greeting["name"] == "Good game"


def test_an_interpreter_that_says_nothing_is_broken():
    with pytest.raises(BrokenError, match="its process ended with status"):
        AdapterProcess("no_such_adapter")


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--part", "everything"], 2, "Invalid value"),
        (["--rounds", "0"], 2, "--rounds"),
        (["--frobnicate"], 2, "No such option"),
        (["--peer", "vizdom"], 1, "did you mean 'vizdoom'"),
        (["--peer", "mine.py"], 1, "mine.py: there is no such file"),
        (["--peers", "--peers-python", "/no/python"], 1, "/no/python: there is no such interp"),
        (["--only", "chess", "--part", "tick"], 1, "nothing to measure with 'chess'"),
        (["--from", "nowhere.json"], 1, "nowhere.json: there is no such file"),
        (["--against", "nowhere.json"], 1, "nowhere.json: there is no such file"),
        ([*ONE, "--against", str(Path(__file__).parent)], 1, "no checkout of Arena Breaker"),
    ],
)
def test_what_goes_wrong_is_said_in_one_sentence(run, arguments, status, sentence):
    code, out, err = run(*arguments)
    assert (code, out) == (status, "")
    assert sentence in err
    assert "Traceback" not in err
    if status == 1:
        assert err.startswith("Error: ")
        assert err.count("\n") == 1


def test_a_file_of_another_kind_is_refused(run, tmp_path):
    other = tmp_path / "other.json"
    other.write_text('{"rows": [{"agent": "idle"}]}')
    status, _, err = run("--from", str(other))
    assert status == 1
    assert "this is no file of `arena-breaker throughput`" in err


def _rate(factor, machine=1.0):
    """Our step is slower by a factor, on a machine slower by another."""

    def change(rows):
        for row in rows:
            row["calibrations"] = [loops / machine for loops in row["calibrations"]]
            if row["unit"] == "steps/s":
                row["values"] = [value / factor / machine for value in row["values"]]
            elif row["unit"] == "µs":
                row["values"] = [value * machine for value in row["values"]]

    return change


def test_the_gate_lets_a_slower_machine_pass(hold):
    status, _, err = hold(_rate(1.2, machine=5.0))
    assert status == 0
    assert "None of 3 figures is worse by more than 25%" in err  # the first start was read once


def test_the_gate_stops_slower_code_with_a_sentence_a_figure(hold):
    status, _, err = hold(_rate(1.4))
    assert status == 1
    (sentence,) = [line for line in err.splitlines() if line.startswith("Error")]
    assert sentence == (
        "Error: one environment, state: beside the calibration loop it takes 1.40 times as long."
    )
    assert hold(_rate(1.4), "--tolerance", "0.5")[0] == 0


def test_the_gate_sees_a_slower_tick_and_more_memory(hold):
    def change(rows):
        rows[1]["values"] = [8.0] * 3
        rows[3]["values"] = [450.0]

    status, _, err = hold(change)
    assert status == 1
    assert "tick of a full arena: beside the calibration loop it takes 2.00 times as long." in err
    assert "memory of the process: it takes 1.50 times the memory that it took." in err


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout with a worker of its own, whose environment does nothing in a step."""
    ours = Path(sys.modules["arena_breaker_gym.throughput.process"].__file__).parent
    folder = tmp_path_factory.mktemp("before")
    room = folder / "arena_breaker_gym" / "throughput"
    (room / "adapters").mkdir(parents=True)
    for name in ("worker.py", "adapters/__init__.py", "adapters/subject.py", "adapters/peers.py"):
        (room / name).write_text((ours / name).read_text())
    quick = GOOD.replace('"alone"', '"one environment, state"')
    (room / "adapters/arena_breaker.py").write_text(quick)
    return folder


def test_a_checkout_is_measured_in_the_same_rounds_and_the_slower_build_told(run, checkout):
    told = [*ONE, *SHORT, "--rounds", "6", "--cpu-time", "--against", str(checkout)]
    status, out, err = run(*told, "--json")
    (row,) = json.loads(out)["rows"]
    assert len(row["values"]) == len(row["before"]) == len(row["calibrations"]) == 6
    assert min(row["before"]) > max(row["values"])
    assert status == 1
    assert err.splitlines()[-1].startswith("Error: one environment, state: it takes ")
    assert "times as long as there (" in err


def test_pairs_of_a_run_are_shown_from_its_file(run, tmp_path, earlier):
    kept = copy.deepcopy(earlier)
    kept["rows"][0]["before"] = [1001.0, 999.0, 1000.0]
    (tmp_path / "kept.json").write_text(json.dumps(kept))
    status, page, _ = run("--from", str(tmp_path / "kept.json"), "--markdown")
    assert status == 0
    assert (
        "| one environment, state | steps/s | 1,000 | 1,000 | 1.000 | 0.999 to 1.001 | alike |"
        in page
    )


@pytest.mark.parametrize(
    ("times", "verdict"),
    [
        ([1.1] * 6, "slower"),
        ([0.9] * 6, "faster"),
        ([1.0, 1.2, 0.9, 1.01, 0.99, 1.0], "alike"),
        ([1.1, 1.2, 0.9, 1.1, 1.1, 1.2], "unclear"),
        ([1.1, 1.2, 0.9, 1.1, 1.1, 1.2, 1.1, 1.1, 1.1], "slower"),  # one of nine may stray
    ],
)
def test_noise_decides_whether_a_difference_is_one(times, verdict):
    assert Pairing.of(times, tolerance=0.03).verdict == verdict


def test_the_gate_refuses_runs_with_nothing_in_common(hold):
    def change(rows):
        for row in rows:
            row["name"] += ", renamed"

    status, _, err = hold(change)
    assert status == 1
    assert "no figure in common" in err
