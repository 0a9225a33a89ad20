"""What people read: tables that fit, what they come to, lines for logs, any terminal."""

import io
import json
import os
import re
import shlex
import subprocess
import sys

import pytest
import typer
from rich.console import Console

from arena_breaker_agents.registry import make_agent
from arena_breaker_gym._runtime.jit import Announcer
from arena_breaker_gym.cli import build, report
from arena_breaker_gym.rollout import AgentFailure, rollout
from arena_breaker_gym.rollout.metrics import METRICS, rows_of
from arena_breaker_gym.rollout.results import SHOWN, legend, results_tables, verdict
from arena_breaker_gym.settings import Settings

BASE = [sys.executable, "-m", "arena_breaker_gym"]
PLAY = ["rollout", "idle", "-n", "1", "--max-steps", "3"]
NAMES = [
    "idle",
    "scripted",
    "random",
    "nitrogen:runs/student/model_of_yesterday.pt?n_action_steps=12",
]


class Lost:
    """Fails at once."""

    name = "lost"
    needs = ()

    def reset(self, arenas, seed):
        pass

    def act(self, observations, arenas):
        raise AgentFailure("no answer")

    def close(self):
        pass


@pytest.fixture(scope="module")
def rows():
    """Four agents, one of which has a long name, on two settings."""
    found = []
    for fix in (True, False):
        for name in NAMES:
            agent = make_agent(name if name in NAMES[:3] else "random")
            game = Settings(point_blank_fix=fix)
            episodes = rollout(agent, episodes=4, max_steps=200, env=game)
            found += rows_of(name, episodes)
    return found


def drawn(tables, width):
    written = io.StringIO()
    Console(width=width, file=written).print(*tables)
    return written.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_tables_fit_the_terminal_and_break_no_figure(rows, width):
    text = drawn(results_tables(rows, width=width), width)
    assert max(map(len, text.splitlines())) <= width
    kills = [line for line in text.splitlines() if line.startswith("│ kills ")]
    cells = [cell.strip() for line in kills for cell in line.strip("│").split("│")[1:]]
    assert len(cells) == len(rows)
    assert all(re.fullmatch(r"[\d.]+( \[[\d.]+, [\d.]+\])?", cell) for cell in cells)
    assert "…" not in text


def test_bug_and_fix_are_both_named_and_every_line_is_explained(rows):
    text = drawn(results_tables(rows, width=200), 200)
    explained = legend(rows)
    assert text.count("with the fix") == text.count("with the bug") == len(NAMES)
    for label in (*(METRICS[name].label for name in SHOWN), "completed", "[low, high]"):
        assert re.search(rf"^{re.escape(label)} ", explained, re.M), label
    assert "with the bug" in explained and "with the fix" in explained


def test_a_verdict_says_who_is_ahead_and_whether_that_is_sure(rows):
    fixed, bugged = verdict(rows).splitlines()[::-1]
    assert fixed.startswith("Stage 1, with the fix: scripted")
    assert bugged.startswith("Stage 1, with the bug: ")
    assert "the intervals lie apart" in fixed
    chance = [row for row in rows if row["agent"] != "scripted" and row["point_blank_fix"]]
    assert verdict(chance).endswith(": the same.")
    assert "the last stage in 0 %" in verdict(rows[:1])


def test_a_row_says_that_its_training_was_cut_short_and_how_long_its_game_waited(rows):
    row = {**rows[0], "latency": "measured", "latency_ticks": {"mean": 6.0, "low": 5, "high": 7}}
    whole = {**row, "passes": {"done": 4, "planned": 4}}
    short = {**row, "passes": {"done": 2.58, "planned": 4}}
    text = drawn(results_tables([row, whole, short], width=200), 200)
    assert text.count("real time, 100 ms") == 3
    assert text.count("passes") == text.count("2.5 of 4 passes") == 1
    assert "cut short" in legend([short]) and "cut short" not in legend([row, whole])
    assert "from a look to its answer, on average" in legend([row])


def test_where_all_failed_the_verdict_says_so():
    lost = rows_of("lost", rollout(Lost(), episodes=2))
    assert "nothing was played to an end" in verdict(lost)
    assert "stand in no mean" in legend(lost)


# Help

NITROGEN = tuple(
    f"nitrogen {name}" for name in ("info", "serve", "balance", "export", "pretrain", "posttrain")
)
COMMANDS = (
    *("rollout", "benchmark", "video", "mcp", "throughput", "stages check", "skins check"),
    *("bootcamp", *NITROGEN),
)


def command_of(name):
    group = typer.main.get_command(build())
    for part in name.split():
        group = group.commands[part]
    return group


@pytest.mark.parametrize("name", COMMANDS)
def test_help_gives_an_example_and_every_default(name):
    command = command_of(name)
    assert f"Example: arena-breaker {name}" in command.help
    for option in command.params:
        told = option.param_type_name == "argument" or option.required
        if told or option.default or option.name == "agent_option":
            continue  # a default that typer itself shows
        switch = getattr(option, "is_flag", False) and not option.secondary_opts
        assert switch or option.default == 0 or "Default: " in option.help, option.name


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_in_help_is_understood(name):
    example = re.search(r"Example: arena-breaker (.*)", command_of(name).help)[1]
    *_, arguments = example.partition(name)
    command_of(name).make_context(name, shlex.split(arguments.partition(">")[0]))


# Starting


def run(*arguments, **surroundings):
    return subprocess.run(
        [*BASE, *arguments],
        env={**os.environ, "PYTHONUTF8": "0", **surroundings},
        capture_output=True,
        check=False,
    )


def test_a_rollout_in_which_all_failed_is_a_failure(tmp_path):
    (tmp_path / "all_lost.py").write_text(
        "from tests.arena_breaker_gym.cli.test_for_people import Lost\n"
    )
    folder = os.getcwd()  # noqa: PTH109
    done = subprocess.run(
        [*BASE, "rollout", "all_lost:Lost", "-n", "2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": folder},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.endswith("Error: the agent failed in every episode (2).\n")
    assert "no answer" in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminals_with_few_letters_are_written_to(encoding):
    done = run(*PLAY, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert b"kills" in done.stdout
    assert "stage (1, 2, ...) at the end" in done.stdout.decode(encoding)
    printed = run("stages", "schema", PYTHONIOENCODING=encoding).stdout.decode(encoding)
    assert json.loads(printed) == json.loads(run("stages", "schema").stdout)
    assert run("rollout", "--help", PYTHONIOENCODING=encoding).returncode == 0


def test_a_working_folder_that_was_deleted_is_said_so(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (
        f"import os, sys\nos.chdir({str(gone)!r})\nos.rmdir({str(gone)!r})\n"
        f"sys.argv = {['arena-breaker', *PLAY]!r}\n"
        "from arena_breaker_gym.cli import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: The working folder has been deleted: change to another.\n"


# Long jobs


def test_without_a_terminal_a_line_a_minute_tells_how_long_it_will_take(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr(report.time, "monotonic", lambda: now)
    with report.bar(resume="") as advance:
        for second in range(0, 300, 10):
            now = float(second)
            advance("idle: playing", 0.5 + second / 1200)
    assert capsys.readouterr().err.splitlines() == [
        "idle: playing, 55 %, 9 min left",
        "idle: playing, 60 %, 8 min left",
        "idle: playing, 65 %, 7 min left",
        "idle: playing, 70 %, 6 min left",
    ]


def test_a_job_of_hours_and_one_that_stands_still_are_told_as_such(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr(report.time, "monotonic", lambda: now)
    with report.bar(resume="") as advance:
        for second, share in ((0, 0.0), (60, 0.0), (180, 0.01), (300, 0.99)):
            now = float(second)
            advance("film", share)
    assert capsys.readouterr().err.splitlines() == [
        "film, 0 %",
        "film, 1 %, 4 h 57 min left",
        "film, 99 %, less than a minute left",
    ]


def test_the_compiler_says_when_it_is_done(monkeypatch, capsys):
    monkeypatch.setattr(Announcer, "QUIET_S", 3600.0)
    announcer = Announcer()
    for _ in range(3):
        announcer.begin()
        announcer.end()
    assert capsys.readouterr().err.count("\n") == 1
    announcer._timer.function()
    assert re.fullmatch(r"Arena Breaker: compiled, \d+ s\.\n", capsys.readouterr().err)
    announcer._timer.cancel()
