"""`arena-breaker nitrogen posttrain`: killed and resumed, judged, watched, on several processes."""

import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.wrappers import TimeLimit
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from arena_breaker_agents.baselines import RandomAgent
from arena_breaker_gym._runtime.files import PART_SUFFIX, BusyError, GoneError
from arena_breaker_gym.cli import main
from arena_breaker_gym.loggers import Board
from arena_breaker_gym.rollout import EpisodeStore, rollout
from examples.walk_round_a_lake import app as walk_app
from nitrogen_adapter import NitroGen, checkpoint
from nitrogen_adapter.data import labels
from nitrogen_adapter.data.examples import ArrayExamples
from nitrogen_adapter.data.label_examples import LabelExamples, label_tracks
from nitrogen_adapter.data.label_recorder import LabelRecorder
from nitrogen_adapter.data.labels import LabelError
from nitrogen_adapter.data.windows import ChunkSettings
from nitrogen_adapter.gamepad import mirror, pack, unpack
from nitrogen_adapter.mapping import DiscreteMapping
from nitrogen_adapter.presets import preset_config
from nitrogen_adapter.training.config import TrainingConfig
from nitrogen_adapter.training.data_split import HeldOut, compare, mean_row
from nitrogen_adapter.training.lora import merge_adapters
from nitrogen_adapter.training.trainer import bfloat16_is_faster
from tests import ROOT
from tests.nitrogen_adapter.data.test_dataset import Corridor, collected

BASE = [sys.executable, "-m", "arena_breaker_gym"]
ENV = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Three short episodes, the last of which is enough to hold out."""
    folder = tmp_path_factory.mktemp("played")
    rollout(RandomAgent(), episodes=3, seed=1, max_steps=90, recorder=EpisodeStore(folder))
    return folder


def order(played, out, *more, base="tiny"):
    wanted = ["--stride", "6", "--batch-size", "4", "--heldout-most", "8", *more]
    return ["nitrogen", "posttrain", base, "--episodes", str(played), "--out", str(out), *wanted]


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command line in this process: status, standard output, standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["arena-breaker", *arguments])
        monkeypatch.setattr(sys, "path", list(sys.path))
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def lines_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def scalars_of(folder):
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(one.step, one.value) for one in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def without_times(folder):
    dropped = ("examples_per_second",)
    return [{k: v for k, v in line.items() if k not in dropped} for line in lines_of(folder)]


@pytest.fixture(scope="module")
def whole(played, tmp_path_factory):
    """A run that nothing interrupts."""
    out = tmp_path_factory.mktemp("whole")
    command = [*BASE, *order(played, out, "--epochs", "8", "--json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENV)
    return out, json.loads(done.stdout)


def test_a_run_leaves_a_model_a_report_and_curves(whole):
    out, report = whole
    model = NitroGen.from_checkpoint(out / "model.pt")
    base = NitroGen.preset("tiny").state_dict()
    changed = [n for n, value in model.state_dict().items() if not torch.equal(value, base[n])]
    assert changed
    assert all(name.startswith(("model.", "action_", "position_")) for name in changed)
    assert report == json.loads((out / "report.json").read_text())
    page = (out / "report.html").read_text(encoding="utf-8")
    assert f"{report['examples']:,} examples" in page
    assert "Held-out aim" in page
    assert report["trained_parameters"] == int(model.trainable_parameters("action_head"))
    assert set(report["scores"]) == {"untrained", "mean action", "post-trained"}
    settings = json.loads((out / "settings.json").read_text())
    assert settings["recipe"]["epochs"] == 8
    assert settings["data"]["train"]["examples"] == report["examples"]


def test_figures_are_noted_by_step_once(whole):
    out, report = whole
    steps = list(range(1, report["steps"] + 1))
    lines, scalars = lines_of(out), scalars_of(out)
    assert [line["step"] for line in lines if line["kind"] == "train"] == steps
    assert [step for step, _ in scalars["train/loss"]] == steps
    judged = [line["step"] for line in lines if line["kind"] == "heldout"]
    assert judged == list(range(0, report["steps"] + 1, report["steps"] // 8))
    assert [step for step, _ in scalars["heldout/loss"]] == judged
    last = [line for line in lines if line["kind"] == "heldout"][-1]
    assert last["loss"] == report["scores"]["post-trained"]["played"]["loss"]
    assert {"train/lr", "heldout/aim_cosine", "heldout_chunk/move_error"} <= scalars.keys()


def killed_after(command, out, seconds):
    """Runs a command and kills it a while after its first save; whether it was still running."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENV
    ) as process:
        while process.poll() is None and not (out / "training.pt").exists():
            time.sleep(0.002)
        time.sleep(seconds)
        running = process.poll() is None
        process.send_signal(signal.SIGKILL)
        return running


def test_killed_and_run_again_it_ends_as_if_nothing_had_been(whole, played, tmp_path, run):
    reference, report = whole
    out = tmp_path / "killed"
    arguments = order(played, out, "--epochs", "8", "--save-every", "0")
    moment = np.random.default_rng(time.time_ns()).uniform(0.0, 0.2)
    assert killed_after([*BASE, *arguments], out, moment), moment
    reached = checkpoint.read(out / "training.pt", expected=("parameters",))["step"]
    assert 0 < reached < report["steps"], moment
    status, printed, err = run(*arguments, "--json")
    assert status == 0, err
    first, second = (NitroGen.from_checkpoint(one / "model.pt") for one in (reference, out))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), (name, moment)
    assert json.loads(printed)["scores"] == report["scores"]
    assert without_times(out) == without_times(reference)
    curve, other = scalars_of(reference), scalars_of(out)
    assert {tag: curve[tag] for tag in curve if "per_second" not in tag} == {
        tag: other[tag] for tag in other if "per_second" not in tag
    }


def test_a_finished_run_is_not_run_again(whole, played, run):
    out, _ = whole
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*")}
    status, printed, _ = run(*order(played, out, "--epochs", "8"))
    assert status == 0
    assert "aim: cosine" in printed and "mean action" in printed and "dash: recall" in printed
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*")} == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--epochs", "9"), "another recipe.epochs: 8, not 9"),
        (("--epochs", "8", "--stride", "7"), "another data.train.examples"),
        (("--epochs", "8", "--seed", "1"), "another base.seed: 0, not 1"),
        (("--epochs", "8", "--minari", "any"), "one of --episodes, --labels and --minari"),
        (("--weight", "EAST"), "expected NAME=NUMBER"),
        (("--weight", "SPACE=2"), "no number of a gamepad row"),
        (("--recipe", "mine"), "no recipe 'mine'; known are published, student"),
        (("--n-action-steps", "19"), "beyond a chunk's 18 actions"),
        (("--split", "eyes"), "no split 'eyes'"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(whole, played, run, more, message):
    out, _ = whole
    before = sorted(file.name for file in out.iterdir())
    status, _, err = run(*order(played, out, *more))
    assert status == 1
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert sorted(file.name for file in out.iterdir()) == before


def test_adapters_are_kept_beside_the_merged_model(played, tmp_path, run):
    more = ("--lora-rank", "2", "--keep-adapter", "--epochs", "1", "--learning-rate", "0.01")
    status, _, err = run(*order(played, tmp_path / "run", *more))
    assert status == 0, err
    assert "1,024 of 65,665 parameters learn" in err
    merged = NitroGen.from_checkpoint(tmp_path / "run" / "model.pt").state_dict()
    again = merge_adapters(NitroGen.preset("tiny"), tmp_path / "run" / "adapter").state_dict()
    base = NitroGen.preset("tiny").state_dict()
    assert any(not torch.equal(merged[name], base[name]) for name in merged)
    for name, value in merged.items():
        torch.testing.assert_close(value, again[name], atol=1e-6, rtol=1e-5)


def test_features_may_be_looked_at_once(played, tmp_path, run):
    more = ("--epochs", "1", "--cache-features", "--balanced", "--weight", "LEFT_X=3")
    status, printed, err = run(*order(played, tmp_path / "run", *more, "--json"))
    assert status == 0, err
    assert list((tmp_path / "run" / "features").iterdir())
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert settings["recipe"]["weights"]["LEFT_X"] == 3.0
    assert settings["recipe"]["weights"]["RIGHT_SHOULDER"] >= 1.0
    assert json.loads(printed)["steps"] > 0
    status, _, err = run(*order(played, tmp_path / "other", "--cache-features", "--augment"))
    assert status == 1
    assert "--cache-features needs a frozen vision tower and no augmentation" in err


def test_a_training_that_was_cut_short_says_how_far_it_came(played, tmp_path, run):
    told = order(played, tmp_path / "run", "--epochs", "400", "--max-seconds", "0.1")
    status, printed, err = run(*told)
    assert status == 0, err
    assert re.search(r"cut short after [\d.]+ of 400 passes over its examples", printed)
    passes = json.loads(run(*told, "--json")[1])["passes"]
    assert 0 < passes["done"] < passes["planned"] == 400
    whole = order(played, tmp_path / "whole", "--epochs", "1", "--heldout", "0")
    assert "passes" not in run(*whole)[1]
    assert json.loads(run(*whole, "--json")[1])["passes"] == {"done": 1, "planned": 1}


# ---- labels of other games ----


class Pond(gym.Env):
    """A tiny game of another kind: a dot walks left and right, and must not stand still."""

    action_space = gym.spaces.Discrete(2)
    observation_space = gym.spaces.Discrete(24)
    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012
    render_mode = "rgb_array"

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.way = int(self.np_random.integers(24)), 1
        return self.place, {}

    def step(self, action):
        self.place = int(np.clip(self.place + 2 * action - 1, 0, 23))
        return self.place, 0.0, False, False, {}

    def render(self):
        picture = np.zeros((16, 24, 3), np.uint8)
        picture[:, self.place] = 255
        return picture


def recorded(folder, episodes=3, steps=30):
    """Random walks on a pond as labels, and the actions that were played."""
    table = DiscreteMapping([("LEFT",), ("RIGHT",)], name="pond")
    game = TimeLimit(Pond(), max_episode_steps=steps)
    env = LabelRecorder(game, folder, table, frame_size=32)
    env.action_space.seed(0)
    played = []
    for seed in range(episodes):
        env.reset(seed=seed)
        actions = [int(env.action_space.sample()) for _ in range(steps)]
        for action in actions:
            env.step(action)
        played.append(actions)
    env.reset(seed=99)
    env.step(0)  # an episode that nobody ends is not kept
    env.close()
    return table, played


def test_what_is_recorded_of_another_game_is_what_was_seen_and_done(tmp_path):
    table, played = recorded(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == [f"episode_{i:06d}" for i in range(3)]
    tracks = label_tracks(tmp_path)
    assert [track.rows_per_step for track in tracks] == [3, 3, 3]  # 20 steps a second
    assert [table.unpack(track.rows).tolist() for track in tracks] == played
    seen = LabelExamples(tracks, ChunkSettings(), size=32).batch(np.arange(3)).inputs
    columns = seen.mean(axis=(1, 3)).argmax(axis=1)
    assert np.array_equal(np.diff(columns) > 0, np.array(played[0][:2]) == 1)
    recorded(tmp_path, episodes=1)  # goes on with the next number
    assert (tmp_path / "episode_000003").is_dir()
    with pytest.raises(LabelError, match="render_mode is None; expected 'rgb_array'"):
        LabelRecorder(gym.make("CartPole-v1"), tmp_path, table)


def pond(folder, **options):
    table = DiscreteMapping([("LEFT",), ("RIGHT",)], name="pond")
    return LabelRecorder(TimeLimit(Pond(), 30), folder, table, frame_size=32, **options)


def test_a_second_recorder_in_one_folder_is_refused_until_the_first_is_closed(tmp_path):
    first = pond(tmp_path)
    first.reset(seed=0)
    first.step(0)
    with pytest.raises(BusyError, match="Another run is writing into"):
        pond(tmp_path)
    for _ in range(29):
        first.step(1)  # what the second came to did it no harm
    first.close()
    second = pond(tmp_path)
    second.reset(seed=1)
    for _ in range(30):
        second.step(0)
    second.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["episode_000000", "episode_000001"]


def test_a_recorder_whose_folder_is_deleted_says_so_and_makes_no_new_one(tmp_path):
    env = pond(tmp_path / "labels")
    env.reset(seed=0)
    env.step(0)
    shutil.rmtree(tmp_path / "labels")
    with pytest.raises(GoneError, match="was deleted or moved while the run was going on"):
        env.step(0)
    env.close()
    assert not (tmp_path / "labels").exists()


def test_an_episode_that_is_being_written_is_not_read(tmp_path):
    recorded(tmp_path, episodes=1)
    shutil.copytree(tmp_path / "episode_000000", tmp_path / f".episode_000001{PART_SUFFIX}")
    videos = [track.chunks[0].parent.name for track in label_tracks(tmp_path)]
    assert videos == ["episode_000000"]


@pytest.mark.parametrize("where", ["save", "write_table"])
def test_a_full_disk_names_the_episode_and_the_recorder_goes_on_when_there_is_room(
    tmp_path, monkeypatch, where
):
    env = pond(tmp_path)
    env.reset(seed=0)

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Image.Image if where == "save" else labels.pq, where, full)
        with pytest.raises(OSError, match="No space left") as error:
            for _ in range(30):
                env.step(0)
    assert error.value.filename == str(tmp_path / "episode_000000")
    env.reset(seed=0)
    for _ in range(30):
        env.step(0)
    env.close()
    assert [one.name for one in tmp_path.iterdir()] == ["episode_000000"]


def test_labels_of_another_game_teach_and_whole_videos_are_held_out(tmp_path, run):
    recorded(tmp_path / "labels")
    told = ["nitrogen", "posttrain", "tiny", "--labels", str(tmp_path / "labels"), "--epochs", "1"]
    out = ["--out", str(tmp_path / "run"), "--recipe", "student", "--stride", "3", "--json"]
    status, printed, err = run(*told, *out)
    assert status == 0, err
    report = json.loads(printed)
    assert report["scores"]["post-trained"]["played"]["move_cosine"] is not None
    assert report["examples"] == 2 * len(range(0, 30 - 18 + 1, 3))
    slow = [*told, "--rows-per-step", "1", "--out", str(tmp_path / "slow"), "--json"]
    assert json.loads(run(*slow)[1])["examples"] > report["examples"]


PAGE = ROOT / "docs" / "finetune.md"
# What the page says, and the little that is done of it here.
LESS = {
    "posttrain base": "posttrain tiny",
    "--epochs 12": "--epochs 1",
    "--episodes 20": "--episodes 3 --max-steps 30",
    "--episodes 10": "--episodes 2 --max-steps 6",
}


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_walk_through_is_walked_through(tmp_path, monkeypatch, run):
    """Its commands, with few steps, and its Python, on Gymnasium's FrozenLake."""
    monkeypatch.chdir(tmp_path)
    (commands,) = blocks("bash")
    for full, less in LESS.items():
        assert full in commands
        commands = commands.replace(full, less)
    printed = []
    for line in commands.splitlines():
        program, *words = shlex.split(line)
        if program == "arena-breaker":
            status, out, err = run(*words, "--json")
            assert status == 0, err
        else:
            done = CliRunner().invoke(walk_app, words[1:])
            assert done.exit_code == 0, done.output
            out = done.output
        printed.append(out)
    recorded_line, report, played_line = printed
    assert recorded_line.startswith("3 episodes: ")
    assert json.loads(report)["scores"]["post-trained"]["played"]["move_cosine"] is not None
    assert "cells round the lake on average, dry after 6 steps in" in played_line
    exec(compile("\n".join(blocks("python")), str(PAGE), "exec"), {})
    assert (tmp_path / "runs/mine/episode_000000").is_dir()


def test_labels_of_no_use_are_refused_in_one_sentence(tmp_path, run):
    recorded(tmp_path / "one", episodes=1)
    start, out = ["nitrogen", "posttrain", "tiny"], ["--out", str(tmp_path / "run")]
    for given, sentence in (
        (["--labels", str(tmp_path / "one")], "There is one video to learn from"),
        (["--labels", str(tmp_path)], "There is one video to learn from"),
        (["--labels", str(tmp_path / "none")], "holds no folder NAME_chunk_0000"),
        (["--labels", "x", "--episodes", "y"], "one of --episodes, --labels and --minari"),
    ):
        status, _, err = run(*start, *given, *out)
        assert (status, err.count("\n")) == (1, 1)
        assert sentence in err


class Walk(Corridor):
    """A game of another kind, of which one of the ready-made tables knows the nine actions."""

    action_space = gym.spaces.Discrete(9)


def test_a_minari_data_set_of_another_game_teaches_too(tmp_path, monkeypatch, run):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    collected(pytest.importorskip("minari"), Walk(), "walk/test-v0", episodes=3)
    told = ["nitrogen", "posttrain", "tiny", "--minari", "walk/test-v0", "--epochs", "1"]
    out = ["--out", str(tmp_path / "run"), "--recipe", "student", "--stride", "4", "--json"]
    status, printed, err = run(*told, *out)
    assert status == 0, err
    report = json.loads(printed)
    assert report["scores"]["post-trained"]["played"]["move_cosine"] is not None
    assert report["scores"]["post-trained"]["played"]["dash_rate"] == 0.0
    status, _, err = run(*told, *out, "--table", "keys-6")
    assert status == 1
    assert "'keys-6' is for" in err
    status, _, err = run(*[one.replace("walk", "none") for one in told], *out)
    assert status == 1
    assert "none/test-v0: there is no such Minari data set" in err


# ---- held-out figures ----


def chunks(count=12, seed=0):
    rng = np.random.default_rng(seed)
    actions = rng.uniform(-1, 1, (count, 18, 5)).astype(np.float32)
    actions[..., 4] = rng.random((count, 18)) < 0.1
    frames = rng.integers(0, 255, (count, 64, 64, 3), dtype=np.uint8)
    return ArrayExamples(frames, pack(actions))


def test_who_is_right_has_the_best_figures_and_who_is_opposite_the_worst():
    true = unpack(chunks().actions)
    right = compare(true, true)
    assert right["move_error"] == 0.0
    assert right["move_cosine"] == pytest.approx(1.0)
    assert right["aim_cosine"] == pytest.approx(1.0)
    assert right["firing_correct"] == right["dash_precision"] == right["dash_recall"] == 1.0
    opposite = compare(true * np.array([-1, -1, -1, -1, 1], np.float32), true)
    assert opposite["move_cosine"] == opposite["aim_cosine"] == pytest.approx(-1.0)
    idle = compare(np.zeros_like(true), true)
    assert idle["aim_cosine"] == 0.0
    assert idle["dash_precision"] is None and idle["dash_recall"] == 0.0
    assert idle["dash_rate"] == right["dash_rate"] == pytest.approx(0.1, abs=0.05)
    silent = compare(true, np.zeros_like(true))
    assert silent["move_cosine"] is None and silent["dash_recall"] is None
    fires = np.linalg.norm(true[..., 2:4], axis=-1) >= 0.3
    assert silent["firing_correct"] == pytest.approx(1.0 - fires.mean())


def test_the_first_actions_are_judged_by_themselves():
    examples = chunks()
    late = unpack(examples.actions)
    late[:, 9:, :4] *= -1.0
    judged = HeldOut(ArrayExamples(examples.inputs, pack(late)), n_action_steps=9)
    scores = judged._scores(examples.actions, pack(late), None)
    assert scores["played"]["aim_cosine"] == pytest.approx(1.0)
    assert scores["chunk"]["aim_cosine"] == pytest.approx(0.0, abs=1e-6)


def test_two_looks_at_one_model_see_the_same_and_leave_it_as_it_is():
    model, judged = NitroGen.preset("tiny").eval(), HeldOut(chunks(), most=7, batch_size=3)
    before = torch.random.get_rng_state()
    told = []
    first = judged.measure(
        model, TrainingConfig(mirror=True), on_batch=lambda *now: told.append(now)
    )
    assert first == judged.measure(model, TrainingConfig(mirror=True))
    assert told == [(3, 7), (6, 7), (7, 7)]
    assert torch.equal(before, torch.random.get_rng_state())
    other = judged.measure(NitroGen.preset("tiny", seed=1).eval(), TrainingConfig())
    assert other["played"]["loss"] != first["played"]["loss"]


def test_the_mean_action_is_the_mean_of_sticks_and_what_buttons_mostly_are():
    examples = chunks(40)
    both = ArrayExamples(
        np.concatenate([examples.inputs, examples.inputs]),
        np.concatenate([examples.actions, mirror(examples.actions)]),
    )
    row = mean_row(both)
    assert row[[21, 23]] == pytest.approx(0.5, abs=1e-6)
    assert row[22] == pytest.approx(examples.actions[..., 22].mean(), abs=1e-6)
    assert not row[:21].any()
    scores = HeldOut(both).constant(row)
    assert scores["played"]["loss"] is None
    assert scores["played"]["dash_recall"] == 0.0


def test_a_board_that_goes_on_forgets_what_came_after_and_a_line_cut_short(tmp_path):
    board = Board(tmp_path, step=0)
    for step in range(1, 6):
        board.note("train", step, {"loss": float(step), "other": None})
    board.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "st')
    board = Board(tmp_path, step=3)
    board.note("train", 3, {"loss": 99.0})
    for step in range(4, 7):
        board.note("train", step, {"loss": 10.0 * step})
    board.close()
    expected = [(1, 1.0), (2, 2.0), (3, 3.0), (4, 40.0), (5, 50.0), (6, 60.0)]
    assert [(line["step"], line["loss"]) for line in lines_of(tmp_path)] == expected
    assert scalars_of(tmp_path)["train/loss"] == expected


# ---- several processes ----


def test_two_processes_learn_as_one_does(played, tmp_path, run):
    config = preset_config("tiny")
    quiet = dataclasses.replace(
        config,
        diffusion=dataclasses.replace(config.diffusion, dropout=0.0),
        vl_self_attention=dataclasses.replace(config.vl_self_attention, dropout=0.0),
    )
    torch.manual_seed(0)
    base = tmp_path / "base.pt"
    checkpoint.save(base, NitroGen(quiet))
    outs = [tmp_path / "one", tmp_path / "two"]
    one, two = (
        order(played, out, "--epochs", "3", "--split", "all", base=str(base)) for out in outs
    )
    status, _, err = run(*one)
    assert status == 0, err
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launch, "-m", "arena_breaker_gym", *two]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=ENV)
    assert done.returncode == 0, done.stderr
    losses = [[line["loss"] for line in lines_of(out) if line["kind"] == "train"] for out in outs]
    assert len(losses[0]) == len(losses[1]) > 6
    # Half of a batch is rounded otherwise than the whole, the more so in mixed precision.
    close = 3e-3 if bfloat16_is_faster("cpu") else 1e-4
    np.testing.assert_allclose(losses[0], losses[1], rtol=close)
