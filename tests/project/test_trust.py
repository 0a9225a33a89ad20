"""The short forms of what `docs/trust.md` tells: plugs pulled, inputs damaged, ticks soaked.

The long forms are `pytest -m slow tests/project/test_trust.py`, or the scripts by hand.
"""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from examples import pull_the_plug, soak
from examples.fuzz_inputs import BAD, KINDS, Target, outcome_of
from tests import ROOT

linux = pytest.mark.skipif(sys.platform != "linux", reason="forks, and /proc tells of memory")


def figures_of(script, out, *words):
    """Runs a script of the examples to its end: its status and the figures that it wrote."""
    command = [sys.executable, str(ROOT / "examples" / script), *words, "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return done, json.loads(out.read_text())


@linux
def test_plugs_pulled_at_random_times_and_at_system_calls_lose_nothing(tmp_path):
    words = ["--kills", "8", "--seed", "3", "--only", "rollout", "--only", "video, gif"]
    done, found = figures_of("pull_the_plug.py", tmp_path / "kills.json", *words)
    assert (done.returncode, found["faults"]) == (0, 0), done.stdout
    assert found["kills"] >= 8
    for one in found["commands"].values():
        assert one["told"] == []


@linux
def test_damaged_inputs_are_read_or_refused_in_a_sentence(tmp_path):
    kinds = ("episode", "transcript", "results", "saved_state", "scores", "leaderboard")
    only = [word for kind in kinds for word in ("--only", kind)]
    done, found = figures_of("fuzz_inputs.py", tmp_path / "in.json", "--inputs", "180", *only)
    assert (done.returncode, found["faults"]) == (0, 0), done.stdout
    assert found["inputs"] == 180
    for one in found["kinds"].values():
        assert one["refused"] > 0
        assert one["megabytes"] < 500


def test_a_soak_finds_nothing_outside_its_space_and_no_growth():
    found = soak.soak(20_000, seed=1)
    assert found["ticks"] >= 20_000
    assert found["growth_megabytes"] < 20


@pytest.mark.slow
@linux
def test_a_thousand_plugs(tmp_path):
    done, found = figures_of("pull_the_plug.py", tmp_path / "kills.json", "--kills", "1000")
    assert (done.returncode, found["faults"]) == (0, 0), done.stdout


@pytest.mark.slow
@linux
def test_twenty_thousand_inputs(tmp_path):
    done, found = figures_of("fuzz_inputs.py", tmp_path / "in.json", "--inputs", "20000")
    assert (done.returncode, found["faults"]) == (0, 0), done.stdout


# The harness itself: it must see what it looks for


def tree(**files):
    return pull_the_plug.Tree({name.replace("_", "."): held for name, held in files.items()})


def kinds_of(faults):
    return sorted(kind for kind, _ in faults)


def test_the_plug_puller_sees_what_is_lost_wrong_and_left(tmp_path):
    whole = tree(a_npz="1", b_npz="2", t_jsonl=("x", "y"))
    seen = pull_the_plug.faults_after_kill
    assert seen(tree(a_npz="1", t_jsonl=("x",)), whole, tree(a_npz="1")) == []
    assert kinds_of(seen(tree(), whole, tree(a_npz="1"))) == ["lost"]
    assert kinds_of(seen(tree(a_npz="3"), whole, tree())) == ["wrong"]
    assert kinds_of(seen(tree(a_npz="damaged: x"), whole, tree())) == ["lost"]
    assert kinds_of(seen(tree(t_jsonl=("z",)), whole, tree())) == ["wrong"]
    (tmp_path / "out").mkdir()
    (tmp_path / "tmp" / "arena-breaker-x").mkdir(parents=True)
    (tmp_path / "out" / ".a.npz.q.part").touch()
    at_end = pull_the_plug.faults_at_end(tree(a_npz="1", c_npz="4"), whole, tmp_path)
    assert kinds_of(at_end) == ["left", "left", "left", "lost", "lost"]


def refuse(error):
    def read(data):
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "what"),
    [
        (lambda data: "right", "read"),
        (lambda data: data, "wrong"),
        (refuse(KeyError("x")), "traceback"),
        (refuse(MemoryError()), "memory"),
        (refuse(ValueError("one\ntwo")), "unclear"),
        (refuse(OSError(28, "No space left")), "refused"),
        (lambda data: os.system("true") and None, "ran"),
    ],
)
def test_the_fuzzer_tells_what_a_reader_does(read, what):
    ran = []
    sys.addaudithook(lambda event, _: ran.append(event) if event == "os.system" else None)

    def reads(data):
        return "right" if data == b"whole" else read(data)

    target = Target([b"whole"], reads, sealed=True)
    assert outcome_of(target, b"damaged", changed=False, ran=ran)[0] == what
    assert what in (*BAD, "read", "refused")


def test_every_kind_of_input_has_a_sentence_on_the_page():
    spec = importlib.util.spec_from_file_location(
        "write_trust_page", ROOT / "examples" / "write_trust_page.py"
    )
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    text = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
    assert page.written(text) == text  # what the figures say is what stands there
    assert all(kind.__doc__ for kind in KINDS.values())
