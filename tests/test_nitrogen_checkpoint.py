"""Checkpoints: read and written in the public form, and refused where they are anything else."""

import pickle
from pathlib import Path

import pytest
import torch

from nitrogen_adapter import checkpoint
from nitrogen_adapter.checkpoint import CheckpointError
from nitrogen_adapter.model import NitroGen

GOLDEN = Path(__file__).parent / "data" / "nitrogen_golden" / "checkpoint.pt"


@pytest.fixture
def tiny():
    return NitroGen.preset("tiny").eval()


def content_of(path):
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize("name", ["tiny", "student"])
def test_what_is_saved_is_what_is_loaded(tmp_path, name):
    model = NitroGen.preset(name, seed=3)
    checkpoint.save(tmp_path / "model.pt", model)
    loaded = checkpoint.load(tmp_path / "model.pt")
    assert loaded.config == model.config
    assert not loaded.training
    for parameter, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[parameter], value), parameter
    assert [file.name for file in tmp_path.iterdir()] == ["model.pt"]


def test_a_public_checkpoint_saved_again_loses_nothing(tmp_path):
    checkpoint.save(tmp_path / "again.pt", checkpoint.load(GOLDEN))
    before, after = content_of(GOLDEN), content_of(tmp_path / "again.pt")
    assert after.keys() == before.keys()
    assert all(torch.equal(after["model"][name], value) for name, value in before["model"].items())
    for section, values in before["ckpt_config"].items():
        kept = after["ckpt_config"][section]
        assert kept == values if not isinstance(values, dict) else values.items() <= kept.items()


def test_entries_nobody_knows_are_accepted_and_kept(tmp_path, tiny):
    config = tiny.config.to_dict()
    config["weather"] = "fine"
    config["model_cfg"]["wheels"] = 4
    torch.save({"model": tiny.state_dict(), "ckpt_config": config}, tmp_path / "new.pt")
    kept = checkpoint.load(tmp_path / "new.pt").config.to_dict()
    assert kept["weather"] == "fine"
    assert kept["model_cfg"]["wheels"] == 4


def test_half_precision_is_read_as_single(tmp_path, tiny):
    halves = {name: value.half() for name, value in tiny.state_dict().items()}
    torch.save({"model": halves, "ckpt_config": tiny.config.to_dict()}, tmp_path / "half.pt")
    assert {p.dtype for p in checkpoint.load(tmp_path / "half.pt").parameters()} == {torch.float32}


def test_a_missing_or_truncated_or_foreign_file_is_refused(tmp_path):
    whole = GOLDEN.read_bytes()
    (tmp_path / "short.pt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "text.pt").write_text("not a checkpoint")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"state_dict": {}}, tmp_path / "other.pt")
    for name, message in {
        "none.pt": "There is no checkpoint at .*none.pt",
        "short.pt": "short.pt is truncated or not a checkpoint",
        "empty.pt": "empty.pt is truncated or not a checkpoint",
        "text.pt": "text.pt is truncated or not a checkpoint",
        "list.pt": "list.pt is no NitroGen checkpoint: it has no 'model'",
        "other.pt": "other.pt is no NitroGen checkpoint: it has no 'model'",
    }.items():
        with pytest.raises(CheckpointError, match=message):
            checkpoint.load(tmp_path / name)


class Burglar:
    """What a hostile file would hold: an object that runs code when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("writer", [torch.save, lambda c, p: p.write_bytes(pickle.dumps(c))])
def test_no_code_in_a_file_is_run(tmp_path, writer):
    writer({"model": {}, "ckpt_config": Burglar(tmp_path / "mark")}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint of tensors"):
        checkpoint.load(tmp_path / "evil.pt")
    assert not (tmp_path / "mark").exists()


def with_config(change):
    def spoil(content):
        change(content["ckpt_config"])

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c["model"].pop("action_decoder.layer2.b"), "'action_decoder.layer2.b' is miss"),
        (lambda c: c["model"].update(more=torch.zeros(1)), "'more' is not part of the model"),
        (
            lambda c: c["model"].update({"action_decoder.layer2.b": torch.zeros(1, 7)}),
            r"'action_decoder.layer2.b' is \(1, 7\) instead of \(1, 25\)",
        ),
        (with_config(lambda c: c.pop("model_cfg")), "no section 'model_cfg'"),
        (with_config(lambda c: c["model_cfg"].pop("hidden_size")), "hidden_size"),
        (with_config(lambda c: c["vision_cfg"].update(tower="magic")), "the tower 'magic'"),
        (with_config(lambda c: c["vision_cfg"].update(hidden_size=48)), "must be one and the same"),
        (with_config(lambda c: c["vision_cfg"].update(hidden_size=-1)), "hidden_size is -1"),
        (with_config(lambda c: c.pop("vision_cfg")), "without a 'vision_cfg'"),
        (
            with_config(lambda c: c["modality_cfg"].update(action_interleaving=True)),
            "sets action_interleaving to True; only False is supported",
        ),
        (with_config(lambda c: c["model_cfg"].update(max_seq_len=4)), "max_seq_len is 4"),
    ],
)
def test_a_file_that_does_not_fit_together_is_refused(tmp_path, tiny, spoil, message):
    content = {"model": dict(tiny.state_dict()), "ckpt_config": tiny.config.to_dict()}
    spoil(content)
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError, match=rf"odd\.pt.*{message}"):
        checkpoint.load(tmp_path / "odd.pt")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, tiny):
    path = tmp_path / "model.pt"
    checkpoint.save(path, tiny)
    before = path.read_bytes()
    with pytest.raises((AttributeError, pickle.PicklingError)):
        checkpoint.write(path, {"model": lambda: None})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.pt"]
