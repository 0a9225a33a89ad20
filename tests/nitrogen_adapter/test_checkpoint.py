"""Checkpoints: read and written in the public form, and refused where they are anything else."""

import io
import pickle
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from nitrogen_adapter import checkpoint
from nitrogen_adapter.checkpoint import CheckpointError
from nitrogen_adapter.config import NitroGenConfig
from nitrogen_adapter.model import NitroGen
from tests import DATA

GOLDEN = DATA / "nitrogen_golden" / "checkpoint.pt"


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


def golden_with(**sections):
    """The public checkpoint's configuration with entries replaced, and a model of it."""
    config = content_of(GOLDEN)["ckpt_config"]
    for section, entries in sections.items():
        parent = config["model_cfg"] if section in config["model_cfg"] else config
        parent[section] = {**parent[section], **entries}
    torch.manual_seed(0)
    return config, NitroGen(NitroGenConfig.from_dict(config)).eval()


WAVES = {"positional_embeddings": "sinusoidal", "max_num_positional_embeddings": 40}

VARIANTS = {
    "waves": {"diffusion_model_cfg": WAVES, "vl_self_attention_cfg": WAVES},
    "another width than the frame's": {
        "diffusion_model_cfg": {
            "num_attention_heads": 3,
            "cross_attention_dim": 32,
            "output_dim": 48,
        },
        "model_cfg": {"hidden_size": 48},
    },
    "no biases, exact GELU": {
        "diffusion_model_cfg": {"attention_bias": False, "activation_fn": "gelu"}
    },
    "frames, attended to by all blocks": {
        "diffusion_model_cfg": {"interleave_self_attention": False},
        "modality_cfg": {"frame_per_sample": 2},
        "tokenizer_cfg": {"max_sequence_length": 32},
    },
    "sticks first, no positions": {
        "tokenizer_cfg": {"old_layout": True},
        "model_cfg": {"add_pos_embed": False},
    },
}


def reset_model_cfg_first(sections):
    """`model_cfg` holds the other sections, so its own entries must be set before theirs."""
    return dict(sorted(sections.items(), key=lambda item: item[0] != "model_cfg"))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_every_described_flag_is_read_and_written(tmp_path, variant, suffix):
    config, model = golden_with(**reset_model_cfg_first(VARIANTS[variant]))
    assert model.config.frame_per_sample == config["modality_cfg"]["frame_per_sample"]
    checkpoint.save(tmp_path / f"model.{suffix}", model)
    loaded = checkpoint.load(tmp_path / f"model.{suffix}")
    assert loaded.config == model.config
    frames = torch.rand((2, model.config.frame_per_sample, 3, 64, 64)) * 2.0 - 1.0
    noise = torch.randn((2, 18, 25))
    assert torch.equal(loaded.sample(frames, noise), model.sample(frames, noise))
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def test_a_wrapped_tower_is_the_same_tower(tmp_path):
    content = content_of(GOLDEN)
    wrap = "vision_encoder.vision_model."
    content["model"] = {
        name.replace("vision_encoder.", wrap): value for name, value in content["model"].items()
    }
    torch.save(content, tmp_path / "wrapped.pt")
    plain, loaded = checkpoint.load(GOLDEN), checkpoint.load(tmp_path / "wrapped.pt")
    assert plain.state_dict().keys() == loaded.state_dict().keys()
    frame = torch.zeros((1, 1, 3, 64, 64))
    assert torch.equal(plain.encode(frame), loaded.encode(frame))


def test_what_the_configuration_leaves_unsaid_the_weights_say(tmp_path):
    config, model = golden_with(diffusion_model_cfg=WAVES, vl_self_attention_cfg=WAVES)
    for section in ("diffusion_model_cfg", "vl_self_attention_cfg"):
        del config["model_cfg"][section]["positional_embeddings"]
        del config["model_cfg"][section]["max_num_positional_embeddings"]
    weights = dict(model.state_dict())
    weights = {k: v for k, v in weights.items() if not k.startswith("vision_encoder.head.")}
    weights["game_embedding.weight"] = torch.randn((3, 32))
    config["tokenizer_cfg"]["max_sequence_length"] = 17
    torch.save({"model": weights, "ckpt_config": config}, tmp_path / "unsaid.pt")
    loaded = checkpoint.load(tmp_path / "unsaid.pt")
    assert loaded.config.diffusion.positional_embeddings == "sinusoidal"
    assert loaded.config.games == ("game 0", "game 1", "game 2")
    assert not loaded.config.vision.vision_use_head
    assert loaded.sample(torch.zeros((1, 1, 3, 64, 64)), game="game 2").shape == (1, 18, 25)


def test_fixed_waves_may_be_left_out_of_a_file(tmp_path):
    config, model = golden_with(diffusion_model_cfg=WAVES)
    weights = {k: v for k, v in model.state_dict().items() if not k.endswith(".pe")}
    assert len(weights) < len(model.state_dict())
    torch.save({"model": weights, "ckpt_config": config}, tmp_path / "bare.pt")
    loaded = checkpoint.load(tmp_path / "bare.pt")
    assert all(torch.equal(a, b) for a, b in zip(loaded.buffers(), model.buffers(), strict=True))


def test_safetensors_lie_beside_their_configuration(tmp_path, tiny):
    checkpoint.save(tmp_path / "tiny.safetensors", tiny)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tiny.json", "tiny.safetensors"]
    for name, spoil, message in (
        ("tiny.json", b"{", "tiny.json is truncated or not JSON"),
        ("tiny.json", b"[1]", "tiny.json is no NitroGen configuration"),
        ("tiny.json", b"[" * 100_000, "tiny.json is truncated or not JSON"),
        ("tiny.json", b" " * 2_000_000, "tiny.json is too large"),
        ("tiny.json", None, "tiny.json is missing"),
        ("tiny.safetensors", b"\x10", "tiny.safetensors is truncated or no safetensors"),
        ("tiny.safetensors", None, "There is no checkpoint at .*tiny.safetensors"),
    ):
        checkpoint.save(tmp_path / "tiny.safetensors", tiny)
        (tmp_path / name).unlink()
        if spoil is not None:
            (tmp_path / name).write_bytes(spoil)
        with pytest.raises(CheckpointError, match=message):
            checkpoint.load(tmp_path / "tiny.safetensors")


def hostile_contents(tiny, mark):
    """Contents that would cost memory or run code if they were believed."""
    config = tiny.config.to_dict()
    weights = dict(tiny.state_dict())
    name = "action_decoder.layer2.W"
    huge = {**config, "model_cfg": {**config["model_cfg"], "hidden_size": 60_000}}
    deep = {**config, "vision_cfg": {**config["vision_cfg"], "channels": [65_536] * 16}}
    thin = torch.zeros(1).expand(weights[name].shape)
    yield {"model": {**weights, name: Burglar(mark)}, "ckpt_config": config}
    yield {"model": weights, "ckpt_config": huge}
    yield {"model": weights, "ckpt_config": deep}
    yield {"model": {**weights, name: thin}, "ckpt_config": config}
    yield {"model": {**weights, name: weights[name].to_sparse()}, "ckpt_config": config}
    yield {"model": {**weights, name: weights[name].int()}, "ckpt_config": config}
    yield {"model": {**weights, name: "weights"}, "ckpt_config": config}
    yield {"model": weights, "ckpt_config": {**config, "model_cfg": [1, 2]}}
    yield {"model": {1: 2}, "ckpt_config": {1: {2: 3}}}


def damaged(whole, generator):
    """A file with bytes flipped, cut off, put in twice or made up."""
    data = bytearray(whole)
    kind = generator.integers(5)
    if kind == 0:
        data = data[: generator.integers(len(data))]
    elif kind == 1:
        for place in generator.integers(len(data), size=generator.integers(1, 40)):
            data[place] = generator.integers(256)
    elif kind == 2:  # where the archive's pickle and its table of contents lie
        for place in generator.integers(2000, size=20):
            data[place if generator.random() < 0.5 else -1 - place] ^= 1 << generator.integers(8)
    elif kind == 3:
        first, last = sorted(generator.integers(len(data), size=2))
        data[first:first] = data[first:last]
    else:
        data = bytearray(generator.bytes(generator.integers(1, 3000)))
        data[:4] = b"PK\x03\x04"
    return bytes(data)


def test_a_thousand_damaged_files_do_no_harm(tmp_path, tiny):
    path, mark = tmp_path / "file.pt", tmp_path / "mark"
    refused = 0
    for content in hostile_contents(tiny, mark):
        torch.save(content, path)
        with pytest.raises(CheckpointError, match=r"file\.pt"):
            checkpoint.load(path)
    checkpoint.save(path, NitroGen.preset("tiny"))
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(1000):
        path.write_bytes(damaged(whole, generator))
        try:
            checkpoint.load(path)  # a flipped bit of a weight is still a weight
        except CheckpointError:
            refused += 1
    assert refused > 500
    assert not mark.exists()


def unfolding(*, last):
    """A pickle of a kilobyte: tuples of the tuple before, twice, sixty times over; then `last`."""
    doubled = b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60))
    return b"\x80\x02}(X\x05\x00\x00\x00model)q\x00" + doubled + last


@pytest.mark.parametrize(
    "pickled",
    [
        unfolding(last=b"}h\x3cNsu."),  # as the key of a dict: hashed for years
        unfolding(last=b"u."),
        b"\x80\x02}X\x05\x00\x00\x00modelcbuiltins\nset\n]\x85Rs.",
        b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s.",  # a dict in itself
        b"\x80\x02}X\x05\x00\x00\x00model" + b"]" * 900 + b"a" * 899 + b"s.",
    ],
)
def test_a_file_that_would_never_end_is_refused_at_once(tmp_path, pickled):
    torch.save({"model": {}, "ckpt_config": {}}, tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w") as bomb,
    ):
        for name in plain.namelist():
            bomb.writestr(name, pickled if name.endswith("data.pkl") else plain.read(name))
    with pytest.raises(CheckpointError, match=r"bomb\.pt is truncated or not a checkpoint"):
        checkpoint.load(tmp_path / "bomb.pt")


def test_a_compressed_file_is_refused(tmp_path, tiny):
    checkpoint.save(tmp_path / "plain.pt", tiny)
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "small.pt", "w", zipfile.ZIP_DEFLATED) as small,
    ):
        for name in plain.namelist():
            small.writestr(name, plain.read(name))
    with pytest.raises(CheckpointError, match=r"small\.pt is truncated or not a checkpoint"):
        checkpoint.load(tmp_path / "small.pt")


def test_a_flipped_bit_in_the_weights_is_said(tmp_path, tiny):
    generator = np.random.default_rng(0)
    for name in ("tiny.pt", "tiny.safetensors"):
        path = tmp_path / name
        checkpoint.save(path, tiny)
        whole = path.read_bytes()
        weights = max(tiny.state_dict().values(), key=torch.numel)
        place = whole.find(weights.numpy().tobytes())
        for at in generator.integers(weights.numel() * 4, size=5):
            damaged = bytearray(whole)
            damaged[place + int(at)] ^= 1 << int(generator.integers(8))
            path.write_bytes(damaged)
            with pytest.raises(CheckpointError, match=name):
                checkpoint.load(path)


def test_a_safetensors_file_without_a_digest_is_still_read(tmp_path, tiny):
    checkpoint.save(tmp_path / "tiny.safetensors", tiny)
    weights = load_file(tmp_path / "tiny.safetensors")
    save_file(weights, tmp_path / "tiny.safetensors")
    checkpoint.load(tmp_path / "tiny.safetensors")


def test_equal_weights_are_equal_files(tmp_path, tiny):
    for name in ("one.pt", "two.pt", "one.safetensors", "two.safetensors"):
        checkpoint.save(tmp_path / name, tiny)
    for suffix in ("pt", "safetensors"):
        one, two = (tmp_path / f"{name}.{suffix}" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_a_full_disk_is_said_in_a_sentence_and_the_old_file_is_whole(tmp_path, tiny, monkeypatch):
    path = tmp_path / "tiny.pt"
    checkpoint.save(path, tiny)
    before = path.read_bytes()

    class Full(io.FileIO):
        def write(self, data):
            if self.tell() > 10_000:
                raise OSError(28, "No space left on device")
            return super().write(data)

    def opened(self, mode="r", **options):
        return Full(self, "wb") if mode == "wb" else builtins_open(self, mode, **options)

    builtins_open = Path.open
    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(OSError, match="No space left") as caught:
        checkpoint.save(path, tiny)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["tiny.pt"]


SAVES = """
import resource, signal, sys
from pathlib import Path
from nitrogen_adapter import NitroGen, checkpoint
model = NitroGen.preset("tiny", seed=0)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
room = 10_000  # bytes of a file, past which the system kills
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
checkpoint.save(Path(sys.argv[1]), model)
"""


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_what_a_writer_killed_in_its_middle_leaves_the_next_one_sweeps(tmp_path, suffix):
    spared, killed = (tmp_path / name / f"model.{suffix}" for name in ("spared", "killed"))
    for path in (spared, killed):
        path.parent.mkdir()
    command = [sys.executable, "-c", SAVES, str(killed)]
    done = subprocess.run(command, check=False, timeout=120)
    assert done.returncode == -signal.SIGXFSZ
    assert not killed.exists()
    assert any(killed.parent.iterdir())
    for path in (killed, spared):
        checkpoint.save(path, NitroGen.preset("tiny", seed=0))
    assert content_of_folder(killed.parent) == content_of_folder(spared.parent)


def content_of_folder(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
