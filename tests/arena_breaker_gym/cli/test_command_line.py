"""The command line as a whole: its version, its completion, and help that shows how it is used."""

import dataclasses
import json
import os
import re
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import arena_breaker_gym
from arena_breaker_gym.bootcamp.plan import BootcampPlan
from arena_breaker_gym.cli import build
from arena_breaker_gym.cli.nitrogen.training import SETTINGS
from arena_breaker_gym.distillation.pretraining import SEEN_SKINS, PretrainingConfig
from arena_breaker_gym.rollout.benchmark import BenchmarkConfig
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.throughput.run import ThroughputConfig
from nitrogen_adapter.training.config import TRAINING_CONFIGS
from nitrogen_adapter.training.post_training import DataConfig, PostTrainingConfig

BASE = [sys.executable, "-m", "arena_breaker_gym"]


def commands(command, path=()):
    """Every command and group of commands, with the words that call it."""
    found = [(path, command)]
    for name, inner in getattr(command, "commands", {}).items():
        found += commands(inner, (*path, name))
    return found


ALL = dict(commands(get_command(build())))


def ran(*arguments, **variables):
    return subprocess.run(
        [*BASE, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )


def test_the_module_is_the_command_and_knows_its_version():
    done = ran("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"arena-breaker {arena_breaker_gym.__version__}\n"


def test_a_shell_can_complete_commands():
    done = ran(
        _ARENA_BREAKER_COMPLETE="complete_bash", COMP_WORDS="arena-breaker ro", COMP_CWORD="1"
    )
    assert done.stdout.split() == ["rollout"]
    assert "--install-completion" in CliRunner().invoke(build(), ["--help"]).stdout


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_help_shows_an_example(words):
    command = ALL[words]
    said = f"{command.help or ''}{command.epilog or ''}"
    assert " ".join(("Example: arena-breaker", *words)) in said or not words
    assert "Example: arena-breaker" in CliRunner().invoke(build(), [*words, "--help"]).stdout


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_is_readable_at_80_columns(words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    told = CliRunner().invoke(build(), [*words, "--help"]).output
    lines = told.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in told  # nothing is cut off
    assert not [line for line in lines if line.endswith("...") and "Usage" not in line]
    assert not re.findall(r"<list|range>", told)  # words of Python's types
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    assert max(indents) <= 36  # what an option does has 40 columns and more


@pytest.mark.parametrize("words", [words for words in ALL if words], ids=" ".join)
def test_an_example_can_be_copied_from_the_help(words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    told = CliRunner().invoke(build(), [*words, "--help"]).output
    _, _, example = told.partition("Example: ")
    typed = example.partition("\n\n")[0].replace("\\\n", " ")
    assert "\n" not in typed.strip()
    assert " ".join(typed.split()) in " ".join((f"{ALL[words].help} {ALL[words].epilog}").split())


def test_help_names_the_skins_that_the_base_has_seen():
    told = CliRunner().invoke(build(), ["bootcamp", "--help"]).output
    assert all(skin in told for skin in SEEN_SKINS)


def said_default(value):
    """How a help text says a recipe's value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "no" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("setting", [name for name in SETTINGS if name not in ("seed", "game")])
def test_help_names_the_defaults_of_every_recipe(setting):
    command = get_command(build()).commands["nitrogen"].commands["posttrain"]
    (option,) = [one for one in command.params if one.name == setting]
    _, given, said = option.help.partition("Default: ")
    values = {name: getattr(recipe(), setting) for name, recipe in TRAINING_CONFIGS.items()}
    if isinstance(values["published"], bool) and not given:  # a switch is off by itself
        assert not any(values.values())
        return
    common = values["published"]
    assert re.match(rf"{re.escape(said_default(common))}\b", said)
    for name, value in values.items():
        if value != common:
            where = rf"{re.escape(said_default(value))} in (the others|.*\b{name})\b"
            assert re.search(where, said), (name, value, said)


CONFIGURED = {
    ("bootcamp",): (BootcampPlan,),
    ("benchmark",): (BenchmarkConfig, Settings),
    ("rollout",): (BenchmarkConfig, Settings),
    ("play",): (Settings,),
    ("throughput",): (ThroughputConfig,),
    ("nitrogen", "pretrain"): (PretrainingConfig,),
    ("nitrogen", "posttrain"): (DataConfig, PostTrainingConfig),
}


@pytest.mark.parametrize("words", CONFIGURED, ids=" ".join)
def test_options_have_the_defaults_of_the_configuration_that_they_fill(words):
    fields = {one.name: one for made in CONFIGURED[words] for one in dataclasses.fields(made)}
    defaults = {name: one.default for name, one in fields.items()}
    shared = {one.name: one.default for one in ALL[words].params if one.name in defaults}
    assert shared
    for name, default in shared.items():
        configured = defaults[name]
        if default or configured is dataclasses.MISSING:  # no default where nothing is said
            assert configured in (default, dataclasses.MISSING), name
        else:
            assert default is None or not configured, name


def test_help_keeps_groups_of_options_together():
    told = CliRunner().invoke(build(), ["bootcamp", "--help"]).output
    titles = [line for line in told.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles == ["Options:", "Who teaches whom, and how:", "How long it is measured:"]
    assert told.index("How long it is measured:") < told.index("--evaluations N")


@pytest.mark.parametrize(
    "words",
    [
        ["stages", "list"],
        ["skins", "list"],
        ["rollout", "idle", "-n", "1", "--max-steps", "3"],
        ["benchmark", "idle", "-n", "1", "--max-steps", "3"],
        ["nitrogen", "info", "tiny"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_json_is_all_that_stands_on_standard_output(words):
    done = CliRunner().invoke(build(), [*words, "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)


@pytest.mark.parametrize(
    "words",
    [
        ["rollout", "random", "-n", "2", "--max-steps", "3"],
        ["nitrogen", "info", "tiny"],
        ["benchmark", "--help"],
        ["rollout", "nobody"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_no_terminal_reads_has_neither_colours_nor_bars(words):
    done = CliRunner().invoke(build(), words)
    assert "\x1b" not in done.output
    assert "\r" not in done.output
