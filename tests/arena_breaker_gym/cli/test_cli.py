"""The command line: what scripts read, what people read, and one sentence for what went wrong."""

import json
import signal
import subprocess
import sys
import time

import pytest

from arena_breaker_gym.cli import main
from arena_breaker_gym.rollout import EpisodeStore

BASE = [sys.executable, "-m", "arena_breaker_gym"]


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command line in this process: status, standard output, standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["arena-breaker", *arguments])
        monkeypatch.setattr(sys, "path", list(sys.path))
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def test_help_names_every_command_and_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from arena_breaker_gym.cli import main\n"
        "sys.argv = ['arena-breaker', '--help']\n"
        "try:\n    main()\nfinally:\n"
        "    heavy = {'numba', 'pygame', 'torch', 'pymunk', 'moviepy'} & set(sys.modules)\n"
        "    print('heavy:', sorted(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "heavy: []" in done.stdout
    for command in ("rollout", "benchmark", "video", "stages"):
        assert command in done.stdout


def test_rollout_keeps_episodes_and_prints_json(run, tmp_path):
    status, out, err = run("rollout", "random", "-n", "3", "--out", str(tmp_path), "--json")
    printed = json.loads(out)
    assert status == 0
    assert printed["rows"][0]["agent"] == "random"
    assert printed["rows"][0]["episodes"] == 3
    assert sorted(file.name for file in tmp_path.iterdir())[-1] == "episode_000002.npz"
    assert str(tmp_path) in err


def test_rollout_prints_a_table_for_people(run):
    status, out, err = run("rollout", "idle", "-n", "2", "--stage", "1", "--stage", "2")
    assert status == 0
    assert "stage 2" in out
    assert "kills/min" in out
    assert "Nothing was kept" in err


def test_benchmark_writes_results(run, tmp_path):
    status, out, _ = run("benchmark", "idle", "random", "-n", "2", "--out", str(tmp_path))
    assert status == 0
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert [row["agent"] for row in rows] == ["idle", "random"]
    assert "random" in out


def test_stages_are_listed_and_described_by_a_schema(run):
    status, out, _ = run("stages", "list", "--json")
    assert status == 0
    assert len(json.loads(out)) == 3
    status, out, _ = run("stages", "schema")
    assert status == 0
    assert "waves" in json.loads(out)["properties"]


def test_a_stage_file_is_checked(run, tmp_path):
    good = json.loads(run("stages", "list", "--json")[1])[0]["file"]
    bad = tmp_path / "bad.json"
    bad.write_text('{"name": "Bad"}')
    status, out, err = run("stages", "check", good, str(bad))
    assert status == 1
    assert good in out
    assert err.startswith(f"Error: {bad}")
    assert run("stages", "check", good)[0] == 0


def test_skins_are_listed_checked_and_described_by_a_schema(run, tmp_path):
    status, out, _ = run("skins", "list", "--json")
    assert status == 0
    assert {"garden", "default"} <= {one["name"] for one in json.loads(out)}
    assert "parent" in run("skins", "schema")[1]
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text('{"parent": "ice", "finish": {"block": 3}}')
    bad.write_text('{"parent": "ice", "finish": {"block": "3x"}, "lihgt": {}}')
    status, out, err = run("skins", "check", str(good), str(bad))
    assert status == 1
    assert str(good) in out and "machines on hexes" in out
    assert [line.split(": ")[:3] for line in err.splitlines()] == [
        ["Error", str(bad), "finish.block"],
        ["Error", str(bad), "lihgt"],
    ]
    assert run("skins", "check", str(good))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["rollout", "scriptd"], 1, "did you mean 'scripted'"),
        (["rollout", "idle", "--stage", "7"], 1, "stage must be a whole number from 1 to 3"),
        (["rollout", "idle", "--stages", "no.json"], 1, "no.json: found no such file"),
        (["video", "nowhere.npz", "--out", "a.mp4"], 1, "nowhere.npz: there is no such episode"),
        (["benchmark"], 2, "Missing argument"),
        (["rollout", "idle", "--episodes", "0"], 2, "--episodes"),
        (["rollout", "idle", "--frobnicate"], 2, "No such option"),
        (["nonsense"], 2, "No such command"),
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


def test_another_rollouts_folder_is_refused(run, tmp_path):
    assert run("rollout", "idle", "-n", "1", "--out", str(tmp_path))[0] == 0
    status, _, err = run("rollout", "random", "-n", "1", "--out", str(tmp_path))
    assert status == 1
    assert "agent='idle', not 'random'" in err


@pytest.mark.parametrize("command", ["rollout", "benchmark"])
def test_thinking_is_charged_in_ticks_or_as_measured(run, command):
    base = [command, "random", "-n", "2", "--max-steps", "30"]
    for given, latency in (("6", 6), ("measured", "measured"), ("0", None)):
        status, out, _ = run(*base, "--latency", given, "--json")
        assert (status, json.loads(out)["rows"][0]["latency"]) == (0, latency)
    assert "real time" in run(*base, "--latency", "measured")[1]
    assert "latency 6 ticks" in run(*base, "--latency", "6")[1]


@pytest.mark.parametrize("command", ["rollout", "benchmark"])
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--latency", "soon"], "whole number of ticks (0: the game waits) or 'measured', got 's"),
        (["--latency", "-2"], "got '-2'"),
        (["--latency", "1.5"], "got '1.5'"),
        (["--latency", "measured", "--num-envs", "4"], "one arena at a time"),
    ],
)
def test_a_latency_that_cannot_be_is_refused(run, command, options, sentence):
    status, out, err = run(command, "random", "-n", "2", *options)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("Error: latency")
    assert sentence in err


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(tmp_path):
    arguments = ["rollout", "scripted", "-n", "40", "--num-envs", "2", "--out", str(tmp_path)]
    process = subprocess.Popen(
        [*BASE, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        # Tests that were started in the background would hand down that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("episode_*.npz")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "run the same command again to continue" in err
    assert "Traceback" not in err
    store = EpisodeStore(tmp_path)
    assert 1 <= len(list(store)) < 40


def test_pictures_have_the_size_that_is_asked_for(run, tmp_path):
    play = ("rollout", "random", "-n", "1", "--max-steps", "3")
    status, _, _ = run(*play, "--pixel-size", "84", "--out", str(tmp_path))
    assert status == 0 and EpisodeStore(tmp_path).load(0).settings.pixel_size == 84
    for command in ("rollout", "benchmark"):
        out = tmp_path / command
        short = ("-n", "1", "--max-steps", "3", "--out", str(out))
        assert run(command, "nitrogen:base", *short)[0] == 0
        (file,) = out.rglob("*.npz")
        assert EpisodeStore(file.parent).load(0).settings.pixel_size == 96
    status, _, err = run(*play, "--pixel-size", "85")
    assert status == 1 and "pixel_size must be one of 64, 84, 96, 128, 256, got 85." in err
