"""Damaged, foreign and hostile files: one sentence, no more memory than an honest file needs."""

import io
import json
import os
import shutil
import zipfile

import numpy as np
import pytest

from arena_breaker_agents.baselines import RandomAgent
from arena_breaker_agents.expert import SHIPPED, ExpertFileError, StatePolicy
from arena_breaker_agents.registry import make_agent
from arena_breaker_agents.tutor.batches import BatchLog, BatchRequest
from arena_breaker_agents.tutor.bill import Bill
from arena_breaker_agents.tutor.chat_reply import completion_in
from arena_breaker_agents.tutor.transcript import Transcript, TranscriptError
from arena_breaker_gym._runtime.files import LineFile
from arena_breaker_gym._runtime.run_folder import Clock, write_json
from arena_breaker_gym.distillation.pretraining import Pretraining
from arena_breaker_gym.report.report import training_report
from arena_breaker_gym.rollout import EpisodeError, EpisodeStore, rollout, verify
from arena_breaker_gym.rollout.replay import ReplayError, replay
from arena_breaker_gym.rollout.results import Results
from arena_breaker_gym.rollout.store import load_episode
from arena_breaker_gym.stages.loader import PACKAGED, load_campaign
from arena_breaker_gym.throughput.results import ThroughputResults
from nitrogen_adapter import checkpoint
from nitrogen_adapter.data.label_examples import label_tracks
from nitrogen_adapter.data.labels import LabelError, read_metadata
from nitrogen_adapter.training.data_split import SCORES
from nitrogen_adapter.training.run import finished
from tests import DATA

OLD = DATA / "old_files"
LONGEST = 1000  # letters of a sentence


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """The members of a whole episode's file, by name."""
    store = EpisodeStore(tmp_path_factory.mktemp("whole"))
    rollout(RandomAgent(), episodes=1, max_steps=30, recorder=store)
    with zipfile.ZipFile(store.path_of(0)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def about_of(members):
    return json.loads(np.lib.format.read_array(io.BytesIO(members["about.npy"])).tobytes())


def npy(text):
    out = io.BytesIO()
    data = text if isinstance(text, bytes) else json.dumps(text).encode()
    np.lib.format.write_array(out, np.frombuffer(data, np.uint8))
    return out.getvalue()


def header(descr, shape):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def written(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def refused(path):
    with pytest.raises(EpisodeError, match=path.name) as caught:
        load_episode(path)
    assert len(str(caught.value)) < LONGEST + len(str(path))
    return str(caught.value)


CHANGES = {
    "seed": [-1, None, "1", 1.5, True, 2**300, []],
    "stage": [0, None, 10**9],
    "max_steps": [None, 0, 3, "many"],
    "metrics": [{}, None, [], {"kills": 1}],
    "status": ["lost", None, [], {}],
    "reason": [None, 3, "x" * 10**6],
    "agent": [None, 3, {}, "x" * 10**6],
    "settings": [None, [], {"pixel_size": 65}, {"x" * 10**5: 1}, {"skin": 5}, {"stages": [1]}],
    "engine_version": ["1", None, -1],
    "latency": ["soon", -1, []],
    "drawn_by": [3, []],
    "final_hash": [3, None, "x" * 65],
    "more": [1],
    "version": [2, None, "x" * 10**6],
    "format": ["y" * 10**6, {}],
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_part_of_an_episode_is_looked_at(tmp_path, members, name):
    about = about_of(members)
    for number, value in enumerate(CHANGES[name]):
        changed = {**members, "about.npy": npy({**about, name: value})}
        refused(written(tmp_path / f"{number}.npz", changed))
    if name in about:
        del about[name]
        refused(written(tmp_path / "less.npz", {**members, "about.npy": npy(about)}))


@pytest.mark.parametrize(
    ("member", "data"),
    [
        ("about.npy", npy(b"[" * 100_000 + b"]" * 100_000)),
        ("about.npy", npy(b"3")),
        ("actions.npy", header("<f4", "(10000000000000, 5)")),
        ("actions.npy", header("<f8", "(30, 5)") + bytes(30 * 40)),
        ("actions.npy", header("<f4", "(30, 5)") + np.full((30, 5), np.nan, "<f4").tobytes()),
        ("actions.npy", header("|O", "(30, 5)") + bytes(1200)),
        ("rewards.npy", header("<f8", "(30, 1000000000)")),
        ("rewards.npy", header("<f8", "(29,)") + bytes(29 * 8)),
        ("rewards.npy", b""),
        ("snapshots.npy", npy([1] * 30)),
        ("snapshots.npy", npy([{}])),
        ("snapshots.npy", npy(b"{" * 1000)),
    ],
)
def test_an_array_that_is_another_is_refused(tmp_path, members, member, data):
    refused(written(tmp_path / "one.npz", {**members, member: data}))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, members):
    path = tmp_path / "bomb.npz"
    size = 2**24
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("actions.npy", "rewards.npy", "snapshots.npy"):
            archive.writestr(name, members[name])
        with archive.open("about.npy", "w") as file:
            file.write(header("|u1", f"({size},)"))
            for _ in range(size // 2**22):
                file.write(b" " * 2**22)
    assert "rows" in refused(path)


def test_members_that_are_encrypted_or_packed_otherwise_are_refused(tmp_path, members):
    whole = written(tmp_path / "whole.npz", members).read_bytes()
    central = whole.find(b"PK\x01\x02")
    for name, at, bit in (("encrypted", 8, 1), ("method", 10, 2), ("other", 10, 1)):
        damaged = bytearray(whole)
        damaged[central + at] ^= bit
        (tmp_path / f"{name}.npz").write_bytes(damaged)
        refused(tmp_path / f"{name}.npz")
    refused(written(tmp_path / "lzma.npz", members, zipfile.ZIP_LZMA))


def test_what_is_no_plain_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    refused(tmp_path / "pipe.npz")
    (tmp_path / "folder.npz").mkdir()
    refused(tmp_path / "folder.npz")


@pytest.mark.parametrize("seed", range(4))
def test_no_flipped_bit_and_no_cut_ends_otherwise_than_in_a_sentence(tmp_path, members, seed):
    path = written(tmp_path / "one.npz", members)
    whole, random = path.read_bytes(), np.random.default_rng(seed)
    for _ in range(60):
        damaged = bytearray(
            whole[: random.integers(len(whole))] if random.random() < 0.2 else whole
        )
        for at in random.integers(len(damaged), size=random.integers(1, 4)) if damaged else ():
            damaged[at] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            load_episode(path)
        except EpisodeError as error:
            assert len(str(error)) < LONGEST


def test_an_episode_on_stages_of_ones_own_holds_them(tmp_path):
    stage = tmp_path / "mine.json"
    stage.write_bytes(PACKAGED[0].read_bytes().replace(b'"name"', b' "name"'))
    store = EpisodeStore(tmp_path / "out")
    rollout(RandomAgent(), episodes=1, max_steps=20, env={"stages": [stage]}, recorder=store)
    stage.unlink()
    verify(store.load(0))
    store.save(1, store.load(0))
    verify(store.load(1))


def test_no_path_that_only_an_episode_names_is_opened(tmp_path, members):
    about = about_of(members)
    secret = tmp_path / "secret.json"
    secret.write_bytes(PACKAGED[0].read_bytes())
    for place in (str(secret), "/dev/zero"):
        settings = {**about["settings"], "stages": [place]}
        digest = load_campaign([secret]).digest
        changed = {**about, "settings": settings, "stages_digest": digest}
        path = written(tmp_path / "one.npz", {**members, "about.npy": npy(changed)})
        with pytest.raises(ReplayError, match="only names"):
            verify(load_episode(path))
    verify(load_episode(path, stages=[secret]))
    settings = {**about["settings"], "skin": str(secret)}
    written(path, {**members, "about.npy": npy({**about, "settings": settings})})
    with pytest.raises(ValueError, match="skin of its own"):
        next(replay(load_episode(path)))
    assert next(replay(load_episode(path), skin="garden")).shape == (256, 256, 3)


LINE = {"seed": 0, "decision": 0, "attempt": 0, "outcome": "answered", "problem": None,
        "dollars": 0.01, "usage": {"input": 3}, "answer": {}, "snapshot": {"score": 0}}  # fmt: skip


def transcript_of(path, *lines):
    transcript = Transcript(path, heading={"agent": "a"})
    for line in lines:
        transcript.add(line)
    transcript.close()
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"seed": None}, {"seed": -1}, {"seed": "0"}, {"decision": 1.5}, {"decision": True},
        {"dollars": "1"}, {"dollars": [1]}, {"usage": 3}, {"outcome": None}, {"snapshot": [1]},
        {"problem": 3}, {"attempt": {}},
    ],
)  # fmt: skip
def test_every_part_of_a_transcripts_line_is_looked_at(tmp_path, change):
    path = transcript_of(tmp_path / "t.jsonl", LINE)
    with path.open("a") as file:
        file.write(json.dumps({**LINE, **change}) + "\n")
    with pytest.raises(TranscriptError, match="line 3") as caught:
        Transcript(path)
    assert len(str(caught.value)) < LONGEST


PLAN = {"settings": {"stages": None, "point_blank_fix": True}, "seed": 0, "stages": [1],
        "max_steps": 30, "latency": None}  # fmt: skip


@pytest.mark.parametrize(
    "plan",
    [None, [], {}, {**PLAN, "settings": {}}, {**PLAN, "seed": "0"}, {**PLAN, "stages": []},
     {**PLAN, "stages": [0]}, {**PLAN, "max_steps": 0}, {**PLAN, "settings": {"stages": "a"}},
     {**PLAN, "settings": {"stages": [1], "point_blank_fix": True}}],
)  # fmt: skip
def test_a_replay_of_a_transcript_that_tells_of_no_run_is_refused(tmp_path, plan):
    path = tmp_path / "t.jsonl"
    Transcript(path, heading={"agent": "a", "plan": PLAN}).close()
    assert make_agent(f"replay:{path}").played["max_steps"] == 30
    path.unlink()
    Transcript(path, heading={"agent": "a", "plan": plan}).close()
    with pytest.raises(TranscriptError, match="its first line describes no run"):
        _ = make_agent(f"replay:{path}").played


def test_a_transcript_of_deep_json_or_no_plain_file_is_refused(tmp_path):
    path = transcript_of(tmp_path / "t.jsonl", LINE)
    with path.open("a") as file:
        file.write("[" * 100_000 + "\n")
    with pytest.raises(TranscriptError, match="line 3"):
        Transcript(path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TranscriptError):
        Transcript(tmp_path / "pipe")


def test_a_half_last_line_is_dropped_on_opening(tmp_path):
    path = transcript_of(tmp_path / "t.jsonl", LINE)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[-20:-1])
    transcript_of(path, {**LINE, "decision": 1})
    assert [line.decision for line in Transcript(path).lines] == [0, 1]
    log = BatchLog(tmp_path / "batches.jsonl")
    log.add("one", [BatchRequest("a", {})])
    with (tmp_path / "batches.jsonl").open("ab") as file:
        file.write(b'{"batch": "tw')
    BatchLog(tmp_path / "batches.jsonl").add("three", [BatchRequest("b", {})])
    assert BatchLog(tmp_path / "batches.jsonl").find(BatchRequest("b", {})) == "three"


class NearlyFull(io.FileIO):
    """A file on a disk that takes a part of a line, and then nothing."""

    room = 10**9

    def write(self, data):
        if self.room == 0:
            raise OSError(28, "No space left on device")
        taken = super().write(bytes(data)[: self.room])
        self.room -= taken
        return taken


def test_a_line_that_the_disk_has_no_room_for_leaves_whole_lines(tmp_path):
    path = tmp_path / "lines"
    lines = LineFile(path)
    lines.close()
    lines._file = disk = NearlyFull(path, "ab")
    lines.add(b"one\n")
    disk.room = 3
    with pytest.raises(OSError, match="No space left") as caught:
        lines.add(b"second\n")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"one\n"
    disk.room = 10**9
    assert lines.add(b"third\n") == 4
    lines.close()
    assert path.read_bytes() == b"one\nthird\n"


def test_a_batch_that_could_not_be_noted_is_not_known(tmp_path, monkeypatch):
    log = BatchLog(tmp_path / "batches.jsonl")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LineFile, "add", full)
    with pytest.raises(OSError, match="No space"):
        log.add("one", [BatchRequest("a", {})])
    assert log.find(BatchRequest("a", {})) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "{}", "[" * 100_000, '{"rows": 1, "settings": {}, "timings_s": {}}',
     '{"rows": [1], "settings": {}, "timings_s": {}}',
     '{"rows": [], "settings": [], "timings_s": {}}',
     '{"rows": [], "settings": {}, "timings_s": {"a": "b"}}'],
)  # fmt: skip
def test_damaged_results_are_refused_in_a_sentence(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ValueError, match=r"results\.json: this is no file of results"):
        Results.load(tmp_path)


def damages(path, seed):
    """Damages a file again and again: flipped bits, and now and then a cut."""
    whole, random = path.read_bytes(), np.random.default_rng(seed)
    for _ in range(60):
        cut = random.random() < 0.2
        damaged = bytearray(whole[: random.integers(1, len(whole))] if cut else whole)
        for at in random.integers(len(damaged), size=random.integers(1, 4)):
            damaged[at] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        yield


# By hand, for as long as one likes:
# ARENA_BREAKER_FUZZ=300 pytest tests/project/test_damaged_files.py
@pytest.mark.parametrize("seed", range(int(os.environ.get("ARENA_BREAKER_FUZZ", "3"))))
def test_damaged_transcripts_logs_and_results_end_in_sentences(tmp_path, seed):
    def one_sentence(read):
        try:
            read()
        except ValueError as error:
            assert len(str(error)) < LONGEST

    path = transcript_of(tmp_path / "t.jsonl", *({**LINE, "decision": n} for n in range(5)))
    for _ in damages(path, seed):
        one_sentence(lambda: Bill.of(Transcript(path).lines).sentence())
    log = tmp_path / "batches.jsonl"
    BatchLog(log).add("one", [BatchRequest("a", {})])
    for _ in damages(log, seed):
        one_sentence(lambda: BatchLog(log))
    row = {"agent": "a", "stage": 1, "episodes": 1, "status": {}}
    for _ in damages(Results([row], {}, {"a": 1.0}).save(tmp_path), seed):
        one_sentence(lambda: Results.load(tmp_path))


DEEP = "[" * 100_000


@pytest.mark.parametrize("text", [DEEP, '{"a": NaN}', '{"a": -1}', '{"a": true}', "[1]"])
def test_damaged_timings_are_refused_in_a_sentence(tmp_path, text):
    (tmp_path / "timings.json").write_text(text)
    with pytest.raises(ValueError, match=r"timings\.json: this is no record of timings"):
        Clock(tmp_path / "timings.json")


def test_measured_speeds_in_deep_json_are_refused_in_a_sentence(tmp_path):
    (tmp_path / "throughput.json").write_text(DEEP)
    with pytest.raises(ValueError, match="this is no file of `arena-breaker throughput`"):
        ThroughputResults.load(tmp_path / "throughput.json")


@pytest.fixture
def trained(tmp_path):
    """The folder of a training that has ended."""
    judged = dict.fromkeys(SCORES, 0.5)
    report = {
        "parameters": 9, "trained_parameters": 5, "examples": 4, "steps": 3, "seconds": 1.0,
        "played": 9, "passes": {"done": 1.0, "planned": 2}, "scores": {
            "post-trained": {"played": judged, "chunk": judged}},
    }  # fmt: skip
    write_json(tmp_path / "report.json", report)
    write_json(tmp_path / "settings.json", {})
    (tmp_path / "model.pt").touch()
    return tmp_path


def test_damaged_lines_of_a_trainings_figures_are_left_out_of_its_page(trained):
    rows = [b'{"kind": "train", "step": 1, "loss": 0.5}', b"\x82", b'{"kind": "train", "st',
            b'{"kind": "train", "step": 2}', b"[1]", b'{"step": 2}', DEEP.encode(),
            b'{"kind": "train", "step": 2, "loss": {}}']  # fmt: skip
    (trained / "metrics.jsonl").write_bytes(b"\n".join(rows))
    (curve,) = training_report(trained, finished(trained)).curves
    assert [line.y for line in curve.lines] == [[0.5]]


@pytest.mark.parametrize("text", ["[]", DEEP, ""])
def test_damaged_settings_of_a_training_are_said(trained, text):
    (trained / "settings.json").write_text(text)
    with pytest.raises(ValueError, match=r"settings\.json: damaged"):
        training_report(trained, finished(trained))


@pytest.mark.parametrize(
    "change",
    [{"trained_parameters": {}}, {"parameters": None}, {"seconds": "long"}, {"played": 1.5},
     {"passes": {"done": 1}}, {"passes": 3}, {"examples": -1},
     {"scores": {"untrained": {"played": {}, "chunk": {}}}}],
)  # fmt: skip
def test_every_part_of_a_trainings_report_is_looked_at(trained, change):
    report = json.loads((trained / "report.json").read_text())
    write_json(trained / "report.json", report | change)
    with pytest.raises(ValueError, match=r"report\.json: damaged"):
        finished(trained)


def test_metadata_of_labels_in_deep_json_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "metadata.json").write_text(DEEP)
    with pytest.raises(LabelError, match=r"metadata\.json: damaged, or not a JSON file"):
        read_metadata(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("rows_per_step", [0] * 5000), ("rows_per_step", 10**400), ("rows_per_second", 10**400),
     ("chunk_size", ["x"] * 5000), ("bbox_controller_overlay", [10**400] * 4),
     ("bbox_controller_overlay", [0] * 5000)],
)  # fmt: skip
def test_odd_metadata_of_labels_are_refused_in_a_short_sentence(tmp_path, name, value):
    root = shutil.copytree(OLD / "labels", tmp_path / "labels")
    (path,) = root.rglob("metadata.json")
    about = json.loads(path.read_text())
    about.pop("rows_per_second", None)
    path.write_text(json.dumps({**about, name: value}))
    with pytest.raises(LabelError, match="metadata") as caught:
        label_tracks(root)
    assert len(str(caught.value)) < LONGEST


@pytest.mark.parametrize(("steps", "seconds"), [(-3, 1.0), (1.5, 1.0), (3, -1.0), (True, 1.0)])
def test_a_note_of_a_base_counts_from_nothing_less_than_nothing(tmp_path, steps, seconds):
    shutil.copy(OLD / "student.safetensors", tmp_path / "base.safetensors")
    shutil.copy(OLD / "student.json", tmp_path / "base.json")
    write_json(tmp_path / "training.json", {"steps": steps, "seconds": seconds})
    with pytest.raises(ValueError, match=r"training\.json: damaged"):
        Pretraining(tmp_path / "run", start=tmp_path / "base.safetensors")


@pytest.mark.parametrize(
    ("member", "data"),
    [
        ("bias.0.npy", b"no array"),
        ("bias.0.npy", header("<f4", "(1000000000000,)")),
        ("bias.0.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': (1,\n     "),
        ("about.npy", npy(b"[" * 100_000)),
        ("more", b"no array"),
    ],
)
def test_a_damaged_expert_is_refused_in_a_sentence(tmp_path, member, data):
    with zipfile.ZipFile(SHIPPED) as archive:
        whole = {one: archive.read(one) for one in archive.namelist()}
    path = written(tmp_path / "expert.npz", {**whole, member: data})
    with pytest.raises(ExpertFileError, match=r"expert\.npz is damaged, or holds no expert"):
        StatePolicy.load(path)


@pytest.mark.parametrize(
    "piece",
    ['{"choices": [true]}', '{"choices": 3}', '{"choices": [{"delta": {"tool_calls": [3]}}]}',
     '{"choices": [{"delta": {"tool_calls": 3}}]}', '{"choices": [{"delta": [1]}]}',
     '{"choices": [{"delta": {"tool_calls": [{"index": [], "function": {}}]}}]}'],
)  # fmt: skip
def test_a_stream_of_pieces_of_another_form_is_an_answer_that_cannot_be_read(piece):
    with pytest.raises(ValueError, match="of another form"):
        completion_in(f"data: {piece}\n\ndata: [DONE]\n\n".encode())


def test_an_odd_configuration_of_a_checkpoint_is_refused_in_a_short_sentence(tmp_path):
    shutil.copy(OLD / "student.safetensors", tmp_path)
    about = json.loads((OLD / "student.json").read_text())
    for name in ("add_view_embed", "model_type"):
        odd = {**about, "model_cfg": {**about.get("model_cfg", {}), name: [0] * 5000}}
        (tmp_path / "student.json").write_text(json.dumps(odd))
        with pytest.raises(checkpoint.CheckpointError) as caught:
            checkpoint.load(tmp_path / "student.safetensors")
        assert len(str(caught.value)) < LONGEST
