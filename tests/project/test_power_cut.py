"""What a power cut leaves: every file under its own name is whole, and what was promised is there.

`Disk` plays the cut; growing files are cut, emptied and filled with zeros by hand.
"""

import contextlib
import json
import sys

import gymnasium as gym
import numpy as np
import pytest

from arena_breaker_agents.tutor.batches import BatchLog
from arena_breaker_agents.tutor.transcript import Transcript
from arena_breaker_gym._runtime.files import LineFile, folder_written_whole
from arena_breaker_gym.cli import main
from arena_breaker_gym.distillation.fine_tuning import FineTuning, FineTuningConfig
from arena_breaker_gym.loggers import Board
from arena_breaker_gym.play.scores import Score, Scores
from arena_breaker_gym.settings import Settings
from examples.pull_the_plug import COMMANDS_KILLED
from nitrogen_adapter import checkpoint
from nitrogen_adapter.data.features import Column, FeatureStore
from nitrogen_adapter.data.label_recorder import LabelRecorder
from nitrogen_adapter.mapping import DiscreteMapping
from nitrogen_adapter.model import NitroGen
from tests.power_cut import Disk

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc which file is flushed")
pytestmark = linux
GROWING = ("metrics.jsonl", "tensorboard")  # lines heal; TensorBoard's reader leaves damage out


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    command(f"rollout scripted -n 2 --max-steps 50 --out {folder}")
    return folder


def command(words):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(sys, "argv", ["arena-breaker", *words.split()])
        main()
    assert not end.value.code


def survives(folder, write, patch):
    """Lets something write into a folder; the power fails at each rename, and at the end."""
    disk = Disk(folder, patch, growing=GROWING)
    write(folder)
    assert not disk.torn
    # What was taken away may come back with the power; what is there is whole.
    assert disk.left().items() >= disk.whole().items() != {}.items()


def test_the_cut_that_is_played_tears_what_is_not_flushed(tmp_path, monkeypatch):
    def careless(folder):
        (folder / "notes.txt.part").write_text("all of it")
        (folder / "notes.txt.part").rename(folder / "notes.txt")

    disk = Disk(tmp_path, monkeypatch)
    careless(tmp_path)
    assert (disk.torn, disk.left()) == ({"notes.txt"}, {})


WORDS = {one.name: one.words for one in COMMANDS_KILLED}
# Without Minari's: its own library writes its namespace's note, and does not flush it.
COMMANDS = (
    "rollout", "benchmark", "video, gif", "export lerobot", "nitrogen export",
    "nitrogen posttrain, LoRA",
)  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_power_cut_leaves_whole_files_of_every_command(tmp_path, monkeypatch, source, name):
    words = WORDS[name].replace("--epochs 2", "--epochs 1")
    words += " --keep-adapter" if "LoRA" in name else ""

    survives(tmp_path, lambda out: command(words.format(out=out, source=source)), monkeypatch)


def recorded(folder):
    game = gym.make("CartPole-v1", render_mode="rgb_array", max_episode_steps=4)
    env = LabelRecorder(game, folder, DiscreteMapping([("LEFT",), ("RIGHT",)], name="cart"))
    env.reset(seed=0)
    for _ in range(4):
        env.step(0)
    env.close()


def cached(folder):
    store = FeatureStore(folder, "seen", {"numbers": Column(np.float16, (5, 3))})
    with store.writing() as writer:
        writer.append(numbers=np.ones((5, 3), np.float16))


def nested(folder):
    for text in ("old", "new"):
        with folder_written_whole(folder / "above" / "set") as part:
            (part / "deep" / "deeper").mkdir(parents=True)
            (part / "deep" / "deeper" / "file").write_text(text)


def tuned(folder):
    config = FineTuningConfig(updates=1, arenas=2, looks=2, batch_size=4)
    tuning = FineTuning(NitroGen.preset("tiny"), folder, config, settings=Settings(pixel_size=64))
    tuning.run(lambda words, share: None)


def scored(folder):
    scores = Scores(folder / "scores.json")
    for number in range(2):
        one = {"name": "me", "kills": 1, "seconds": 1, "end": "victory", "day": "2026-01-01"}
        scores.add("board", Score(score=number, **one))
    assert not scores.trouble


def weights(folder):
    checkpoint.save(folder / "base.safetensors", NitroGen.preset("tiny"))


@pytest.mark.parametrize("write", [recorded, cached, nested, tuned, scored, weights])
def test_a_power_cut_leaves_whole_files_of_every_writer(tmp_path, monkeypatch, write):
    survives(tmp_path, write, monkeypatch)


# Files that grow


def reply(decision, answer):
    return {"seed": 0, "stage": 1, "decision": decision, "attempt": 0, "step": decision,
            "outcome": "answered", "answer": answer}  # fmt: skip


def test_a_reply_that_was_paid_for_is_on_the_disk_once_it_is_written_down(tmp_path, monkeypatch):
    disk = Disk(tmp_path, monkeypatch)
    path = tmp_path / "run" / "transcript.jsonl"
    with contextlib.closing(Transcript(path, heading={"agent": "a"})) as transcript:
        for decision in range(3):
            transcript.add(reply(decision, "x"))
            left = disk.left()["run/transcript.jsonl"].splitlines()
            assert json.loads(left[-1])["decision"] == decision


def test_so_is_a_batch_that_was_sent(tmp_path, monkeypatch):
    disk = Disk(tmp_path, monkeypatch)
    BatchLog(tmp_path / "batches.jsonl").add("batch_1", [])
    assert b"batch_1" in disk.left()["batches.jsonl"]


def test_figures_reach_to_the_step_that_a_training_goes_on_from(tmp_path, monkeypatch):
    disk = Disk(tmp_path, monkeypatch)
    board = Board(tmp_path, step=0)
    board.note("train", 1, {"loss": 0.5})
    board.save()
    assert b"0.5" in disk.left()["metrics.jsonl"]
    board.close()


@pytest.mark.parametrize("damage", ["cut", "zeros", "zeros and its end", "two lines", "all"])
def test_a_growing_file_heals_from_what_a_cut_left_of_its_last_lines(tmp_path, damage):
    path = tmp_path / "transcript.jsonl"
    transcript = Transcript(path, heading={"agent": "a"})
    for decision in range(4):
        transcript.add(reply(decision, "word " * 4000))
    transcript.close()
    lines = path.read_bytes().splitlines(keepends=True)
    last, nothing = lines[-1], bytes(len(lines[-1]))
    ends = {
        "cut": [*lines[:-1], last[:700]],
        "zeros": [*lines[:-1], nothing],
        "zeros and its end": [*lines[:-1], nothing[:4096] + last[4096:]],
        "two lines": [*lines[:-2], nothing[:4096] + last[4096:], nothing[:4096] + last[4096:]],
        "all": [bytes(len(b"".join(lines)))],
    }
    path.write_bytes(b"".join(ends[damage]))
    healed = Transcript(path, heading={"agent": "a"})
    kept = {"two lines": 2, "all": 0}.get(damage, 3)
    assert [line.decision for line in healed.lines] == [*range(kept)]
    healed.add(reply(kept, "again"))
    healed.close()
    assert [line.decision for line in Transcript.find(path).lines] == [*range(kept + 1)]


def test_a_file_of_lines_is_cut_at_its_zeros_however_long_its_lines_are(tmp_path):
    path = tmp_path / "lines"
    long = b"x" * 200_000 + b"\n"
    path.write_bytes(b"a\n" + long + b"x" * 100_000 + b"\0" + b"y" * 100_000 + b"\n")
    LineFile(path).close()
    assert path.read_bytes() == b"a\n" + long
