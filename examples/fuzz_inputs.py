"""Damages every kind of file and message that is read, and counts what its reader does with it.

    python examples/fuzz_inputs.py --inputs 24000 --out docs/data/inputs.json    # some minutes
    python examples/fuzz_inputs.py --inputs 400 --only episode

Bits are flipped, parts cut out, put in and put elsewhere; JSON values, keys, and members of
archives are replaced by others, with check sums that fit. What a reader may do is to read, or to
refuse in one sentence. Readers run in processes of their own: one that dies, hangs, takes more than
500 MB, raises what the command line puts in no sentence, or runs something is counted, and its
input is kept.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any

import numpy as np
import typer

from arena_breaker_gym._runtime.run_folder import write_json

ROOT = Path(__file__).parents[1]
OLD = ROOT / "tests" / "data" / "old_files"
MOST_BYTES = 500 * 2**20  # more than it had before the first input
GUARD_BYTES = 3 * 2**30  # at which a process is not let have more
PATIENCE_S = 60.0  # for one input
LONGEST = 2000  # letters of a sentence
OURS = ("arena_breaker", "nitrogen_adapter", "examples")
RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect")

READ, REFUSED = "read", "refused"
BAD = ("traceback", "unclear", "wrong", "crash", "hung", "memory", "ran")


# How inputs are damaged

DEEP = "\u2063deep\u2063"
NASTY: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3.5, -0.0, 1e308, float("nan"), float("inf"), 2**31, 2**63,
    2**300, 10**400, "", "x", "0", "1e5", "\ud800", "\0", "../../../etc/passwd",
    "/dev/zero", "/proc/self/mem", "x" * 10_000, [], {}, [[]], [None], {"": None}, [0] * 5000,
    {str(n): n for n in range(300)}, DEEP,
)  # fmt: skip
SHAPES = ((10**13,), (10**6, 10**6), (0,), (), (1,) * 40, (2**63, 2**63))
TYPES = ("|O", "<f8", "|V9", "<U3", "<M8[s]", ">f4", "|b1", "x", "<c16")
GADGETS = (
    b"cposix\nsystem\n(S'touch ran'\ntR.",
    b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x09touch ran\x85R.",
    b"cbuiltins\neval\n(S'print(1)'\ntR.",
)


def flipped(data: bytes, draw: random.Random) -> bytes:
    """Bytes with bits flipped, parts cut out, put in, doubled, zeroed, or put elsewhere."""
    damaged = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4, 16))):
        if not damaged:
            break
        start = draw.randrange(len(damaged))
        end = min(len(damaged), start + draw.choice((1, 2, 8, 64, 4096)))
        match draw.randrange(8):
            case 0 | 1 | 2:
                damaged[start] ^= 1 << draw.randrange(8)
            case 3:
                del damaged[start:end]
            case 4:
                damaged[start:start] = draw.randbytes(end - start)
            case 5:
                damaged[start:end] = bytes(end - start)
            case 6:
                damaged[start:start] = damaged[start:end]
            case 7:
                del damaged[start:]
    return bytes(damaged)


def changed_json(data: bytes, draw: random.Random) -> bytes:
    """A JSON text with values replaced, keys lost, added and renamed."""
    value = json.loads(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        value = _changed(value, draw)
    text = json.dumps(value).replace(json.dumps(DEEP), "[" * 50_000 + "]" * 50_000)
    return text.encode()


def _changed(value: Any, draw: random.Random) -> Any:
    """A JSON value with one place in it changed."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        key = draw.choice(list(value))
        match draw.randrange(10):
            case 0:
                return {k: v for k, v in value.items() if k != key}
            case 1:
                return {**value, draw.choice(("", "x" * 300, key + "s", "\0")): value[key]}
            case _:
                return {**value, key: _changed(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.9:
        place = draw.randrange(len(value))
        changed = [value[place]] * 400 if draw.random() < 0.05 else [_changed(value[place], draw)]
        return value[:place] + changed + value[place + 1 :]
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    if number and draw.random() < 0.4:
        return draw.choice((-value, value + 1, value * 1000, value / 7, int(value), str(value)))
    return draw.choice(NASTY)


def changed_lines(data: bytes, draw: random.Random) -> bytes:
    """A file of JSON lines with lines changed, lost, doubled and exchanged."""
    lines = data.split(b"\n")
    place = draw.randrange(len(lines))
    match draw.randrange(6):
        case 0:
            del lines[place]
        case 1:
            lines.insert(place, lines[place])
        case 2:
            draw.shuffle(lines)
        case _:
            if lines[place]:
                lines[place] = changed_json(lines[place], draw)
    return b"\n".join(lines)


def changed_zip(data: bytes, draw: random.Random) -> bytes:
    """An archive of which one member is another, with check sums that fit."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {
            one.filename: (one.compress_type, archive.read(one)) for one in archive.infolist()
        }
    name = draw.choice(list(members))
    method, content = members[name]
    bomb = 0
    match draw.randrange(24):
        case 0 | 1:
            del members[name]
        case 2 if draw.random() < 0.4:
            bomb = draw.choice((2**24, 2**27, 700 * 2**20))
        case 3 | 4:
            members[name] = method, draw.choice(GADGETS)
        case 5:
            members[name] = zipfile.ZIP_BZIP2, content
        case _:
            members[name] = method, changed_member(name, content, draw)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for one, (how, held) in members.items():
            if bomb and one == name:
                _write_bomb(archive, one, held, bomb)
            else:
                archive.writestr(zipfile.ZipInfo(one), held, how)
    return out.getvalue()


def _write_bomb(archive: zipfile.ZipFile, name: str, content: bytes, size: int) -> None:
    """A member that is small in the file, and large when it is unpacked."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, "w") as file:
        file.write(content)
        for _ in range(size // 2**20):
            file.write(bytes(2**20))


def changed_member(name: str, content: bytes, draw: random.Random) -> bytes:
    """One member of an archive, changed as its kind can be."""
    if name.endswith(".safetensors"):
        return changed_safetensors(content, draw)
    if name.endswith(".npy"):
        return changed_npy(content, draw)
    return changed_json(content, draw) if content[:1] == b"{" else flipped(content, draw)


def changed_npy(data: bytes, draw: random.Random) -> bytes:
    """An array of another shape, type or content."""
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype == np.uint8 and array[:1] in (b"{"[0], b"["[0]) and draw.random() < 0.7:
        return _npy(np.frombuffer(changed_json(array.tobytes(), draw), np.uint8))
    match draw.randrange(7):
        case 0:
            changed = _header(data, array.dtype.str, draw.choice(SHAPES)) + array.tobytes()
        case 1:
            changed = _header(data, draw.choice(TYPES), array.shape) + array.tobytes()
        case 2 if array.dtype.kind in "fiu" and array.size:
            values = (np.nan, np.inf, 1e38, -1.0) if array.dtype.kind == "f" else (0, 1, 127)
            odd = array.copy()
            odd.flat[draw.randrange(odd.size)] = draw.choice(values)
            changed = _npy(odd)
        case 3 if array.ndim:
            changed = _npy(array[: draw.randrange(len(array) + 1)])
        case 4 if array.ndim:
            changed = _npy(np.concatenate([array, array]))
        case _:
            changed = flipped(data, draw)
    return changed


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def _header(data: bytes, kind: str, shape: Sequence[int]) -> bytes:
    text = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {tuple(shape)}, }}".encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return data[:8] + len(text).to_bytes(2, "little") + text


def changed_safetensors(data: bytes, draw: random.Random) -> bytes:
    """Tensors whose header says something else."""
    if draw.random() < 0.3:
        return flipped(data, draw)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    note = header.get("__metadata__")
    if note and draw.random() < 0.5:
        key = draw.choice(list(note))
        with contextlib.suppress(ValueError):
            note[key] = changed_json(note[key].encode(), draw).decode()
        text = json.dumps(header).encode()
    else:
        text = changed_json(json.dumps(header).encode(), draw)
    size = draw.choice((0, 2**62, len(text) + 1)) if draw.random() < 0.05 else len(text)
    return size.to_bytes(8, "little") + text + data[8 + length :]


Change = Callable[[bytes, random.Random], bytes]


def damaged(whole: Sequence[bytes], changes: Sequence[Change], draw: random.Random) -> bytes:
    """An input: usually one that was changed, now and then something else altogether."""
    data = draw.choice(whole)
    match draw.randrange(40):
        case 0:
            return draw.choice((b"", b"{}", b"[]", b"null", b"\0" * 100, b"[" * 100_000, *GADGETS))
        case 1:
            return draw.randbytes(draw.randrange(1000))
        case 2:
            other = draw.choice(whole)
            return data[: draw.randrange(len(data))] + other[draw.randrange(len(other)) :]
    return draw.choice(changes)(data, draw)


# Who reads


@dataclass(frozen=True)
class Target:
    """A kind of input and its reader.

    Attributes:
        whole: What is right, one or several.
        read: Reads an input; what it returns is compared where the kind is sealed.
        changes: How inputs are changed, besides bytes.
        sealed: A digest or check sum covers it: an input whose bytes were damaged, and that is
            read nevertheless, must be read as what it was.
        plain: Any one-line ValueError is a refusal, since the caller puts it into a sentence.
        pid: The process that reads, if it is not this one.
    """

    whole: Sequence[bytes]
    read: Callable[[bytes], Any]
    changes: Sequence[Change] = (flipped,)
    sealed: bool = False
    plain: bool = False
    pid: int | None = None


def _at(path: Path, read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
    """Reads an input as a file in a certain place."""

    def through(data: bytes) -> Any:
        path.write_bytes(data)
        return read(path)

    return through


def episode(folder: Path) -> Target:
    """An episode's file, played again if it can be read."""
    from arena_breaker_gym.rollout import EpisodeStore, rollout, verify
    from arena_breaker_gym.rollout.store import load_episode

    agent = _agent("random")
    stage = Path(importlib.import_module("arena_breaker_gym.stages.loader").PACKAGED[0])
    mine = folder / "mine.json"
    mine.write_bytes(stage.read_bytes().replace(b'"name"', b' "name"'))
    for name, more in (("plain", {}), ("own", {"env": {"stages": [mine]}})):
        store = EpisodeStore(folder / name)
        rollout(agent, episodes=1, max_steps=12, recorder=store, keep_snapshots=True, **more)

    def read(path: Path) -> Any:
        found = load_episode(path)
        if len(found) <= 60:
            verify(found)
        return found.to_row() if hasattr(found, "to_row") else found.final_hash

    whole = [next((folder / name).glob("*.npz")).read_bytes() for name in ("plain", "own")]
    return Target(whole, _at(folder / "one.npz", read), (flipped, changed_zip), sealed=True)


def _agent(name: str) -> Any:
    from arena_breaker_agents.registry import make_agent

    return make_agent(name)


def transcript(folder: Path) -> Target:
    """A tutor's transcript: its bill, and the agent that replays it."""
    from arena_breaker_agents.tutor.bill import Bill
    from arena_breaker_agents.tutor.transcript import Transcript

    def read(path: Path) -> Any:
        said = Bill.of(Transcript(path).lines).sentence()
        with contextlib.closing(_agent(f"replay:{path}")) as agent:
            return said, agent.played

    whole = [(OLD / "tutor" / "transcript.jsonl").read_bytes()]
    return Target(whole, _at(folder / "transcript.jsonl", read), (flipped, changed_lines))


def batch_log(folder: Path) -> Target:
    """The log of batches that were sent."""
    from arena_breaker_agents.tutor.batches import BatchLog, BatchRequest

    log = BatchLog(folder / "whole.jsonl")
    for number in range(3):
        log.add(f"batch {number}", [BatchRequest(f"{number}", {"model": "m"})])
    whole = [(folder / "whole.jsonl").read_bytes()]
    return Target(whole, _at(folder / "log.jsonl", BatchLog), (flipped, changed_lines))


def claim(folder: Path) -> Target:
    """The note by which a run's folder belongs to one plan."""
    from arena_breaker_gym._runtime.run_folder import check_claim, write_json
    from arena_breaker_gym.bootcamp.plan import BootcampPlan

    about = BootcampPlan.for_student("tiny", seed=0).to_dict()
    write_json(folder / "plan.json", about)
    whole = [(folder / "plan.json").read_bytes()]

    def read(path: Path) -> None:
        check_claim(path, about, what="a bootcamp")

    return Target(whole, _at(folder / "plan.json", read), (flipped, changed_json))


def timings(folder: Path) -> Target:
    """A bootcamp's timings."""
    from arena_breaker_gym._runtime.run_folder import Clock

    whole = [json.dumps({"demonstrations": 1.5, "posttrain": 20.0, "evaluation": 3}).encode()]
    read = _at(folder / "timings.json", lambda path: Clock(path).seconds)
    return Target(whole, read, (flipped, changed_json))


def results(folder: Path) -> Target:
    """A file of results."""
    from arena_breaker_gym.rollout import rollout
    from arena_breaker_gym.rollout.metrics import rows_of
    from arena_breaker_gym.rollout.results import Results

    rows = rows_of("random", rollout(_agent("random"), episodes=2, max_steps=10))
    place = Results(rows, {"seed": 0}, {"evaluation": 1.0}).save(folder)

    def read(path: Path) -> None:
        Results.load(path.parent).to_dict()

    return Target([place.read_bytes()], _at(place, read), (flipped, changed_json))


def leaderboard(folder: Path) -> Target:
    """An entry of the leaderboard, read and shown."""
    from arena_breaker_gym.cli.report import print_table
    from arena_breaker_gym.leaderboard import Entry

    def read(path: Path) -> None:
        entry = Entry.load(path)
        with contextlib.redirect_stdout(io.StringIO()):
            print_table([{**entry.row, "agent": entry.agent}])

    whole = [path.read_bytes() for path in sorted((ROOT / "docs/leaderboard").glob("*.json"))[:2]]
    return Target(whole, _at(folder / "mine.json", read), (flipped, changed_json))


def throughput(folder: Path) -> Target:
    """A file of measured speeds."""
    from arena_breaker_gym.throughput.results import ThroughputResults

    whole = [(ROOT / "docs/data/throughput.json").read_bytes()]
    read = _at(folder / "throughput.json", ThroughputResults.load)
    return Target(whole, read, (flipped, changed_json))


def stage(folder: Path) -> Target:
    """A stage; one that is read is played, and what is seen must lie in the space."""
    from arena_breaker_gym.env import ArenaBreakerEnv
    from arena_breaker_gym.stages.loader import PACKAGED, load_campaign

    def read(path: Path) -> None:
        load_campaign([path])
        env = ArenaBreakerEnv(observation="state", stages=[path])
        env.action_space.seed(0)
        observation, _ = env.reset(seed=0)
        for _ in range(30):
            if not env.observation_space.contains(observation):
                raise AssertionError("an observation outside its space")
            observation, _, terminated, _, _ = env.step(env.action_space.sample())
            if terminated:
                break

    whole = [Path(path).read_bytes() for path in PACKAGED]
    return Target(whole, _at(folder / "stage.json", read), (changed_json, changed_json, flipped))


def skin(folder: Path) -> Target:
    """A skin; one that is read draws a frame."""
    from arena_breaker_gym.env import ArenaBreakerEnv
    from arena_breaker_gym.rendering import skins

    def read(path: Path) -> None:
        skins.load(path)
        if draw.random() < 0.1:  # drawing takes long
            env = ArenaBreakerEnv(render_mode="rgb_array", skin=str(path), pixel_size=64)
            env.reset(seed=0)
            env.render()

    draw = random.Random(0)  # nosec B311 - of tests, no secret
    whole = [skins.file_of(name).read_bytes() for name in ("default", "lava", "paper")]
    return Target(whole, _at(folder / "skin.json", read), (changed_json, flipped))


def _numbers_of(model: Any) -> str:
    from nitrogen_adapter.checkpoint import digest_of

    return digest_of(model.state_dict())


def safetensors(folder: Path) -> Target:
    """A student's weights as safetensors."""
    from nitrogen_adapter import checkpoint

    model = checkpoint.load(OLD / "student.safetensors")
    checkpoint.save(folder / "student.safetensors", model)
    beside = (folder / "student.json").read_bytes()

    def read(path: Path) -> str:
        path.with_suffix(".json").write_bytes(beside)
        return _numbers_of(checkpoint.load(path))

    whole = [(folder / "student.safetensors").read_bytes()]
    change = (flipped, changed_safetensors)
    return Target(whole, _at(folder / "one.safetensors", read), change, sealed=True)


def configuration(folder: Path) -> Target:
    """A student's configuration, beside its weights."""
    from nitrogen_adapter import checkpoint

    weights = folder / "one.safetensors"
    weights.write_bytes((OLD / "student.safetensors").read_bytes())
    whole = [(OLD / "student.json").read_bytes()]
    read = _at(folder / "one.json", lambda _: checkpoint.load(weights) and None)
    return Target(whole, read, (flipped, changed_json, changed_json))


def pickled(folder: Path) -> Target:
    """A student's weights as PyTorch pickles them."""
    from nitrogen_adapter import checkpoint

    read = _at(folder / "one.pt", lambda path: _numbers_of(checkpoint.load(path)))
    whole = [(OLD / "student.pt").read_bytes()]
    return Target(whole, read, (flipped, changed_zip), sealed=True)


def training(folder: Path) -> Target:
    """The state of a training that goes on."""
    from nitrogen_adapter import NitroGen
    from nitrogen_adapter.data.examples import ArrayExamples
    from nitrogen_adapter.gamepad import pack
    from nitrogen_adapter.training.config import TrainingConfig
    from nitrogen_adapter.training.trainer import Trainer

    frames = np.zeros((8, 64, 64, 3), np.uint8)
    examples = ArrayExamples(frames, pack(np.zeros((8, 18, 5), np.float32)))
    config = TrainingConfig.student(epochs=2, batch_size=4, warmup_steps=1, auxiliary_weight=0.0)
    trainer = Trainer(NitroGen.preset("tiny", seed=0), examples, config)
    trainer.run(until_step=2)
    trainer.save(folder / "whole.pt")
    read = _at(folder / "training.pt", trainer.resume)
    return Target([(folder / "whole.pt").read_bytes()], read, (flipped, changed_zip))


def fine_tuning(folder: Path) -> Target:
    """The state of a fine-tuning that goes on."""
    from arena_breaker_gym.distillation.fine_tuning import FineTuning, FineTuningConfig
    from arena_breaker_gym.settings import Settings
    from nitrogen_adapter import NitroGen

    config = FineTuningConfig(updates=1, arenas=2, looks=2, batch_size=4)
    settings = Settings(pixel_size=64)
    tuning = FineTuning(NitroGen.preset("tiny", seed=0), folder, config, settings=settings)
    tuning.run(lambda words, share: None)
    whole = [(folder / "fine_tuning.pt").read_bytes()]

    def read(path: Path) -> None:
        tuning._resume()

    return Target(whole, _at(folder / "fine_tuning.pt", read), (flipped, changed_zip))


def figures(folder: Path) -> Target:
    """A training's figures by step, gone on with and put on a page."""
    from arena_breaker_gym.loggers import Board
    from arena_breaker_gym.report.report import loss_curves

    def read(path: Path) -> None:
        list(loss_curves({"training": folder}))
        with contextlib.closing(Board(path.parent, step=3)):
            pass

    whole = [(OLD / "posttrain" / "metrics.jsonl").read_bytes()]
    return Target(whole, _at(folder / "metrics.jsonl", read), (flipped, changed_lines))


def training_page(folder: Path) -> Target:
    """A finished training's report, as it stands in its folder, put on a page."""
    from arena_breaker_gym.report.report import training_report
    from nitrogen_adapter.training.data_split import SCORES
    from nitrogen_adapter.training.run import finished

    (folder / "model.pt").write_bytes(b"")
    (folder / "settings.json").write_bytes((OLD / "posttrain" / "settings.json").read_bytes())
    figures = dict.fromkeys(SCORES, 0.5)
    report = {
        "parameters": 70_000, "steps": 12, "seconds": 3.0, "examples": 40,
        "trained_parameters": 50_000, "played": 9,
        "passes": {"planned": 12, "done": 12.0},
        "scores": {"post-trained": {"played": figures, "chunk": figures}},
    }  # fmt: skip

    def read(path: Path) -> None:
        found = finished(path.parent)
        assert found is not None
        training_report(path.parent, found)

    whole = [json.dumps(report).encode()]
    return Target(whole, _at(folder / "report.json", read), (flipped, changed_json))


def base_note(folder: Path) -> Target:
    """The note beside a base that says how far its training had come."""
    from arena_breaker_gym.distillation.pretraining import Pretraining

    (folder / "base.safetensors").write_bytes((OLD / "student.safetensors").read_bytes())

    class CountsOn:  # what a trainer is asked to do with the note
        def begin_at(self, step: int, seconds: float) -> None:
            if step < 0 or seconds < 0:
                raise AssertionError("a training that began before nothing")

    reader = Pretraining.__new__(Pretraining)
    reader._trainer = CountsOn()  # type: ignore[assignment]
    whole = [json.dumps({"steps": 40_000, "seconds": 812.5}).encode()]
    return Target(whole, _at(folder / "training.json", reader._count_on), (flipped, changed_json))


def labels(folder: Path) -> Target:
    """Labels in the form of NitroGen's public data set: a chunk's metadata."""
    return _labels(folder, "metadata.json", (flipped, changed_json))


def label_table(folder: Path) -> Target:
    """Labels in the form of NitroGen's public data set: a chunk's table."""
    return _labels(folder, "actions_processed.parquet", (flipped,))


def _labels(folder: Path, name: str, changes: Sequence[Change]) -> Target:
    import shutil

    from nitrogen_adapter.data.label_examples import label_tracks

    root = folder / "labels"
    shutil.copytree(OLD / "labels", root, dirs_exist_ok=True)
    path = next(root.rglob(name))
    for one in root.rglob("actions_raw.parquet"):
        one.unlink()
    return Target([path.read_bytes()], _at(path, lambda _: label_tracks(root) and None), changes)


def policy(folder: Path) -> Target:
    """A policy of Stable-Baselines3 in the file of ours."""
    from arena_breaker_gym.sb3.policy_file import load_policy

    def read(path: Path) -> None:
        load_policy(path)

    whole = [(OLD / "policy.zip").read_bytes()]
    return Target(whole, _at(folder / "policy.zip", read), (flipped, changed_zip))


def ppo_state(folder: Path) -> Target:
    """The state of a PPO training that goes on."""
    from stable_baselines3 import PPO

    from arena_breaker_gym.sb3 import make_vec_env
    from arena_breaker_gym.sb3.training import read_note, restore_checkpoint, save_checkpoint

    env = make_vec_env(2, observation="state", num_threads=1)
    model = PPO("MultiInputPolicy", env, n_steps=4, batch_size=8, n_epochs=1, device="cpu")
    model.learn(8)
    save_checkpoint(model, folder / "whole.safetensors", {"steps": 8})

    def read(path: Path) -> None:
        read_note(path)
        restore_checkpoint(model, path)

    whole = [(folder / "whole.safetensors").read_bytes()]
    return Target(whole, _at(folder / "one.safetensors", read), (flipped, changed_safetensors))


def expert(folder: Path) -> Target:
    """The expert's policy."""
    from arena_breaker_agents import expert as room

    def read(path: Path) -> None:
        room.StatePolicy.load(path)

    whole = [Path(room.SHIPPED).read_bytes()]
    return Target(whole, _at(folder / "expert.npz", read), (flipped, changed_zip))


def kept_fields(folder: Path) -> Target:
    """What is kept of a stage from one run to the next."""
    from arena_breaker_gym.stages import loader

    os.environ[loader.FOLDER_VARIABLE] = str(folder)
    fields = loader.Fields(
        np.zeros((loader.DISTANCE_NODES,) * 2, np.float32),
        np.zeros((loader.FLOW_CELLS**2,) * 2, np.int8),
    )
    digest = "0" * 64
    loader.save_fields(digest, fields)
    (path,) = folder.glob("stage-*.npz")

    def read(_: Path) -> Any:
        found = loader.load_fields(digest)
        return None if found is None else (found.distance.sum(), found.flow.sum())

    return Target([path.read_bytes()], _at(path, read), (flipped, changed_zip))


def sweep(folder: Path) -> Target:
    """A file of bootcamps."""
    from arena_breaker_gym.bootcamp.sweep import read_sweep

    def changed_toml(data: bytes, draw: random.Random) -> bytes:
        lines = data.decode().splitlines()
        place = draw.randrange(len(lines))
        key = lines[place].partition("=")[0]
        odd = ("-1", "true", '"x"', "[]", "{}", "1e400", "nan", "9" * 400, '{"" = 1}', "1979-05-27")
        lines[place] = draw.choice((f"{key}= {draw.choice(odd)}", f"[{key}]", lines[place] * 2))
        return "\n".join(lines).encode()

    whole = [(ROOT / "examples/sweep.toml").read_bytes()]
    read = _at(folder / "sweep.toml", lambda path: read_sweep(path) and None)
    return Target(whole, read, (flipped, changed_toml, changed_toml))


def scores(folder: Path) -> Target:
    """A person's best scores: a damaged list is set aside, and said to be."""
    from arena_breaker_gym.play.scores import Score, Scores

    mine = Score(name="me", score=3, kills=2, seconds=20, end="victory", day="2025-01-31")
    Scores(folder / "whole.json").add("board", mine)
    whole = [(folder / "whole.json").read_bytes()]

    def read(path: Path) -> None:
        for one in folder.glob("one*"):
            if one != path:
                one.unlink()
        trouble = Scores(path).trouble
        if trouble:
            raise ValueError(trouble)

    return Target(whole, _at(folder / "one.json", read), (flipped, changed_json))


def saved_state(folder: Path) -> Target:
    """A saved state of an arena, put back; a refused one leaves the arena as it was."""
    from arena_breaker_gym.env import ArenaBreakerEnv

    env = ArenaBreakerEnv(observation="state")
    env.action_space.seed(0)
    env.reset(seed=0)
    whole = []
    for _ in range(3):
        for _ in range(60):
            env.step(env.action_space.sample())
        whole.append(env.save_state())

    def read(data: bytes) -> bytes:
        before = env.save_state()
        try:
            env.restore_state(data)
        except ValueError:
            if env.save_state() != before:
                raise AssertionError("a refused state has changed the arena") from None
            raise
        env.step(env.action_space.sample())
        env.restore_state(data)
        return env.save_state()

    return Target(whole, read, sealed=True)


def wire_message(folder: Path) -> Target:
    """A message of the policy server and its clients."""
    from PIL import Image

    from nitrogen_adapter.remote import wire

    frames = np.zeros((2, 16, 16, 3), np.uint8)
    import pickle

    whole = [
        wire.dumps({"type": "predict", "images": frames, "sessions": [0, 1]}),
        wire.dumps({"type": "reset", "seed": 3}),
        *(
            pickle.dumps({"type": "predict", "image": Image.fromarray(frames[0])}, n)
            for n in (2, 4, 5)
        ),
    ]
    return Target(whole, lambda data: wire.loads(data) and None, plain=True)


def policy_server(folder: Path) -> Target:
    """Messages to a policy server on loopback, which answers an honest client after each."""
    import zmq

    from nitrogen_adapter import NitroGen
    from nitrogen_adapter.inference import LocalPredictor
    from nitrogen_adapter.remote import wire
    from nitrogen_adapter.remote.server import NitroGenServer

    logging.getLogger("nitrogen_adapter").setLevel(logging.CRITICAL)
    server = NitroGenServer(LocalPredictor(NitroGen.preset("tiny"), quiet=True), port=0).start()
    context = zmq.Context()
    bad, good = (context.socket(zmq.DEALER) for _ in range(2))
    for one in (bad, good):
        one.connect(server.address)
        one.setsockopt(zmq.LINGER, 0)
    whole = list(wire_message(folder).whole)

    def read(data: bytes) -> Any:
        parts = [data] if draw.random() < 0.5 else [b"", data]
        bad.send_multipart(parts)
        good.send_multipart([b"", wire.dumps({"type": "info"})])
        if not good.poll(30_000):
            raise AssertionError("the server answers no client any more")
        answer = wire.loads(good.recv_multipart()[-1])
        while bad.poll(0):
            said = wire.loads(bad.recv_multipart()[-1])
            if said.get("status") == "error":
                raise ValueError(str(said.get("message") or said.get("error") or "refused."))
        return None if answer else answer

    draw = random.Random(0)  # nosec B311 - of tests, no secret
    return Target(whole, read, plain=True)


def mcp(folder: Path) -> Target:
    """Lines to the MCP server on its standard input, which answers an honest one after each."""
    import subprocess

    server = subprocess.Popen(
        [sys.executable, "-m", "arena_breaker_gym", "mcp", "--out", str(folder / "out")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(folder / "said").open("wb"),
    )  # fmt: skip
    assert server.stdin is not None and server.stdout is not None
    stdin, stdout = server.stdin, server.stdout

    def send(**message: Any) -> None:
        stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        stdin.flush()

    told = {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "fuzz", "version": "1"},
    }  # fmt: skip
    send(id=1, method="initialize", params=told)
    stdout.readline()
    send(method="notifications/initialized")
    calls: list[tuple[str, dict[str, Any]]] = [
        ("new_episode", {"seed": 1, "stage": 2}),
        ("act", {"episode": 1, "move": {"x": 0.5, "z": 0}, "aim": {"x": 1, "z": 0}, "steps": 3}),
        ("get_state", {"episode": 1}),
        ("get_frame", {"episode": 1}),
    ]
    whole = [
        json.dumps(
            {"jsonrpc": "2.0", "id": 5, "method": "tools/call",
             "params": {"name": name, "arguments": arguments}}
        ).encode() for name, arguments in calls
    ] + [json.dumps({"jsonrpc": "2.0", "id": 6, "method": "tools/list"}).encode()]  # fmt: skip

    def read(data: bytes) -> None:
        stdin.write(data.replace(b"\n", b" ") + b"\n")
        number = draw.randrange(10**9, 10**10)
        send(id=number, method="ping")
        while True:
            line = stdout.readline()
            if not line:
                raise AssertionError("the server has ended")
            if json.loads(line).get("id") == number:
                break
        said = (folder / "said").read_text(errors="replace")
        if "Traceback" in said:
            (folder / "said").write_bytes(b"")
            raise AssertionError(f"the server printed {said[-500:]}")

    draw = random.Random(0)  # nosec B311 - of tests, no secret
    return Target(whole, read, (flipped, changed_json, changed_json), plain=True, pid=server.pid)


def claude_reply(folder: Path) -> Target:
    """A reply of Claude's API, and the decision in it."""
    from arena_breaker_agents.tutor.claude import reply_from

    usage = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 3}
    call = {"type": "tool_use", "id": "t", "name": "act", "input": {"plan": [_move()]}}
    message = {
        "type": "message", "id": "m", "model": "c", "role": "assistant", "stop_reason": "tool_use",
        "content": [{"type": "text", "text": "So."}, call], "usage": usage,
    }  # fmt: skip
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

    def read(data: bytes) -> None:
        with _as_an_endpoint():
            _decide(reply_from(json.loads(data), tool="act", request_id=None))

    whole = [json.dumps(one).encode() for one in (message, message, error)]
    return Target(whole, read, (changed_json, changed_json, flipped), plain=True)


def chat_reply(folder: Path) -> Target:
    """A reply in OpenAI's form, whole or as a stream, and the decision in it."""
    from arena_breaker_agents.tutor.chat_reply import completion_in, reply_from

    function = {"name": "act", "arguments": json.dumps({"plan": [_move()]})}
    calls = [{"index": 0, "id": "c", "type": "function", "function": function}]
    usage = {"prompt_tokens": 10, "completion_tokens": 4}
    whole = {
        "id": "x", "model": "m", "usage": usage,
        "choices": [
            {"message": {"content": "", "tool_calls": calls}, "finish_reason": "tool_calls"}
        ],
    }  # fmt: skip
    piece = {"id": "x", "model": "m", "choices": [{"delta": {"tool_calls": calls}}]}
    stream = b"data: " + json.dumps(piece).encode() + b"\n\ndata: [DONE]\n\n"

    def read(data: bytes) -> None:
        with _as_an_endpoint():
            found = completion_in(data)
            _decide(reply_from(found, tool="act", request_id=None, keys=("plan",)))

    def changed_stream(data: bytes, draw: random.Random) -> bytes:
        if not data.startswith(b"data: "):
            return changed_json(data, draw)
        events = data.split(b"\n\n")
        events[0] = b"data: " + changed_json(events[0][6:], draw)
        return b"\n\n".join(events)

    inputs = [json.dumps(whole).encode(), stream]
    return Target(inputs, read, (changed_stream, changed_stream, flipped), plain=True)


@contextlib.contextmanager
def _as_an_endpoint() -> Iterator[None]:
    """An API's answer that is no JSON, or too deep, is one that cannot be read."""
    try:
        yield
    except RecursionError as error:
        raise ValueError("an answer that is too deep") from error


def _move() -> dict[str, Any]:
    stick = {"x": 0.6, "z": -0.8}
    return {"move": stick, "aim": stick, "dash": False, "hold": 6}


def _decide(response: Any) -> None:
    from arena_breaker_agents.tutor.decision import Decision, UnusableAnswer

    with contextlib.suppress(UnusableAnswer):
        if response.call is not None:
            Decision.from_call(response.call, decision_steps=12, most_holds=4).actions()


KINDS: Mapping[str, Callable[[Path], Target]] = {
    one.__name__: one
    for one in (
        episode, transcript, batch_log, claim, timings, results, leaderboard, throughput, stage,
        skin, safetensors, configuration, pickled, training, fine_tuning, figures, training_page,
        base_note, labels, label_table, policy, ppo_state, expert, kept_fields, sweep, scores,
        saved_state, wire_message, policy_server, mcp, claude_reply, chat_reply,
    )
}  # fmt: skip


# What they do


def outcome_of(target: Target, data: bytes, *, changed: bool, ran: list[str]) -> tuple[str, str]:
    """Lets a reader read an input: what came of it, and in which words."""
    ran.clear()
    try:
        found = target.read(data)
    except (ValueError, ImportError, OSError) as error:
        done = _refusal(error, plain=target.plain)
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
        done = "memory" if isinstance(error, MemoryError) else "traceback", told
    else:
        kept = not target.sealed or changed or found is None or found in _right(target)
        done = (READ, "") if kept else ("wrong", "it is read as something else than was written")
    return ("ran", ", ".join(ran)) if ran else done


def _right(target: Target) -> list[Any]:
    """What the honest inputs are read as."""
    key = id(target)
    if key not in _known:
        _known[key] = [target.read(one) for one in target.whole]
    return _known[key]


_known: dict[int, list[Any]] = {}


def _refusal(error: Exception, *, plain: bool) -> tuple[str, str]:
    """Whether an error is one sentence of ours; others' words say nothing to a user."""
    told = f"{type(error).__name__}: {error}"
    raised = traceback.extract_tb(error.__traceback__)[-1].filename
    ours = type(error).__module__.startswith(OURS) or any(part in raised for part in OURS)
    if plain or isinstance(error, OSError):
        return REFUSED, told
    clear = ours and "\n" not in str(error) and len(str(error)) <= LONGEST
    return (REFUSED if clear else "unclear"), told


def _memory(pid: int | None, entry: str) -> int:
    """Bytes that /proc reports for a process."""
    lines = Path(f"/proc/{pid or 'self'}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(entry)) * 1024


def child(kind: str, folder: Path, inputs: range, seed: int, out: IO[str]) -> None:
    """Reads inputs one after the other, and says before and after each what is done."""
    os.chdir(folder)
    target = KINDS[kind](folder)
    _right(target) if target.sealed else target.read(target.whole[0])
    ran: list[str] = []
    sys.addaudithook(lambda event, _: ran.append(event) if event.startswith(RUNS) else None)
    before = _memory(target.pid, "VmRSS")
    most = _memory(None, "VmSize") + GUARD_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for number in inputs:
        data, changed = input_of(target, kind, number, seed)
        out.write(json.dumps(["begins", number, ""]) + "\n")
        out.flush()
        what, told = outcome_of(target, data, changed=changed, ran=ran)
        used = _memory(target.pid, "VmHWM") - before
        if used > MOST_BYTES:
            what, told = "memory", f"{used} bytes; {told}"
        if (folder / "ran").exists():
            what = "ran"
        out.write(json.dumps([what, number, told[:600], used]) + "\n")
        out.flush()
        if what == "memory":
            return


def input_of(target: Target, kind: str, number: int, seed: int) -> tuple[bytes, bool]:
    """The input of a number, and whether more than its bytes was changed."""
    draw = random.Random(f"{seed} {kind} {number}")  # nosec B311 - of tests, no secret
    if target.sealed and draw.random() < 0.5:
        return flipped(draw.choice(target.whole), draw), False
    return damaged(target.whole, target.changes, draw), True


def outcomes(
    kind: str, count: int, *, seed: int, keep: Path | None
) -> Iterator[tuple[str, int, str, int]]:
    """What a kind's reader does with so many inputs: (what, number, words, bytes of memory)."""
    first = 0
    while first < count:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            for what, number, told, used in _process(kind, Path(folder), range(first, count), seed):
                first = number + 1
                yield what, number, told, used
                if what in BAD and keep is not None:
                    _keep(kind, number, seed, keep)


def _keep(kind: str, number: int, seed: int, keep: Path) -> None:
    """Keeps an input that a reader failed at."""
    pid = os.fork()
    if pid == 0:
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(BaseException):
            target = KINDS[kind](Path(folder))
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{kind}-{number}").write_bytes(input_of(target, kind, number, seed)[0])
        os._exit(0)
    os.waitpid(pid, 0)


def _process(
    kind: str, folder: Path, inputs: range, seed: int
) -> Iterator[tuple[str, int, str, int]]:
    """One child, to its end or its death."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_child(kind, folder, inputs, seed, reading, writing)
    os.close(writing)
    began: int | None = None
    with os.fdopen(reading) as lines:
        while True:
            ready, _, _ = select.select(
                [lines], [], [], PATIENCE_S * (1 if began is not None else 10)
            )
            line = lines.readline() if ready else ""
            if not line:
                break
            what, number, told, *used = json.loads(line)
            began = number if what == "begins" else None
            if what != "begins":
                yield what, number, told, used[0]
    if not ready:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if began is not None:
        yield ("crash" if ready else "hung"), began, f"status {status}", 0
    elif status:
        raise RuntimeError(f"{kind}: its reader could not be made ready (status {status}).")


def _be_child(
    kind: str, folder: Path, inputs: range, seed: int, reading: int, writing: int
) -> None:
    """Runs in the fork, which ends here."""
    status = 1
    try:
        os.close(reading)
        warnings.simplefilter("ignore")
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        with os.fdopen(writing, "w") as out:
            child(kind, folder, inputs, seed, out)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def prepare(*, everything: bool) -> None:
    """Compiles the game, once for all children, and imports what is large where all are run."""
    from arena_breaker_gym.rollout import rollout

    large = ("torch", "stable_baselines3", "transformers", "pyarrow.parquet")
    for name in large if everything else ():
        importlib.import_module(name)
    rollout(_agent("random"), episodes=1, num_envs=1, max_steps=20)


def fuzz(
    kinds: Sequence[str], count: int, *, seed: int, keep: Path | None, out: Path | None
) -> dict[str, Any]:
    """So many inputs for each kind; what came of them, which `out` is told after each."""
    began, found = time.monotonic(), {}
    result: dict[str, Any] = {}
    for kind in kinds:
        counts: Counter[str] = Counter()
        told: list[str] = []
        most = 0
        for what, number, words, used in outcomes(kind, count, seed=seed, keep=keep):
            counts[what] += 1
            most = max(most, used)
            if what in BAD and len(told) < 40:
                told.append(f"{what} {number}: {words}")
        found[kind] = {
            "inputs": counts.total(), **{one: counts[one] for one in (READ, REFUSED, *BAD)},
            "megabytes": round(most / 2**20), "told": told,
        }  # fmt: skip
        result = {
            "inputs": sum(one["inputs"] for one in found.values()),
            "faults": sum(one[bad] for one in found.values() for bad in BAD),
            "seed": seed, "minutes": round((time.monotonic() - began) / 60, 1), "kinds": found,
        }  # fmt: skip
        if out is not None:
            write_json(out, result)
        print(f"{kind}: {dict(counts)}, {round(most / 2**20)} MB", flush=True)
        for line in told[:6]:
            print("   ", line[:300], flush=True)
    return result


def run(
    inputs: Annotated[int, typer.Option(min=1, help="How many in all.")] = 24_000,
    seed: Annotated[int, typer.Option(help="Of the damage.")] = 0,
    only: Annotated[list[str] | None, typer.Option(help="Kinds. Default: all.")] = None,
    out: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder for inputs that were too much.")] = None,
) -> None:
    """Feeds damaged inputs to readers; ends with status 1 if one did more than read or refuse."""
    kinds = list(only or KINDS)

    prepare(everything=only is None)
    result = fuzz(kinds, -(-inputs // len(kinds)), seed=seed, keep=keep, out=out)
    print(f"{result['inputs']} inputs, {result['faults']} faults")
    raise typer.Exit(1 if result["faults"] else 0)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    typer.run(run)
