"""Examples: the same bytes however they are made, whole episodes held out, labels and Minari."""

import contextlib
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import warnings
import zlib
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from arena_breaker_agents.baselines import RandomAgent
from arena_breaker_agents.registry import make_agent
from arena_breaker_gym.cli import build
from arena_breaker_gym.rollout import EpisodeStore, ReplayError, replay, rollout
from arena_breaker_gym.rollout.episode import AGENT_FAILED
from nitrogen_adapter import gamepad
from nitrogen_adapter.data.dataset import (
    ChunkSettings,
    EpisodeExamples,
    build_examples,
    episode_statistics,
    kept_starts,
    split_by_episode,
)
from nitrogen_adapter.data.examples import ArrayExamples, Batch, WorkerError, batches
from nitrogen_adapter.data.features import Column, FeatureStore, FeatureStoreError, cache_features
from nitrogen_adapter.data.label_examples import LabelExamples, label_tracks, track_statistics
from nitrogen_adapter.data.label_recorder import export_labels
from nitrogen_adapter.data.labels import BUTTON_COLUMNS, LabelError, read_rows, write_rows
from nitrogen_adapter.data.minari_source import MinariError, MinariExamples
from nitrogen_adapter.gamepad import BUTTONS, GamepadSettings, mirror, pack
from nitrogen_adapter.mapping import DiscreteMapping, mapping_for
from nitrogen_adapter.model import NitroGen

# torch says so where a machine has fewer cores than a test has workers.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

SMALL = ChunkSettings(stride=9)


@pytest.fixture(scope="module")
def episodes():
    """Stage 1 twice and stage 2 twice, of two agents and one game with other settings."""
    scripted = rollout(make_agent("scripted"), episodes=3, seed=3, stage=(1, 2), max_steps=150)
    (other,) = rollout(
        RandomAgent(), episodes=1, seed=9, stage=2, max_steps=120, env={"frame_skip": 4}
    )
    return [*scripted, other]


@pytest.fixture(scope="module")
def store(tmp_path_factory, episodes):
    kept = EpisodeStore(tmp_path_factory.mktemp("run"))
    for number, episode in enumerate(episodes):
        kept.save(number, episode)
    return kept


def shuffled(examples, *, count=12, size=5):
    order = np.random.default_rng(0)
    return [order.integers(0, len(examples), size) for _ in range(count)]


def assert_same(one, other):
    for mine, theirs in zip(one, other, strict=True):
        if mine is None:
            assert theirs is None
        else:
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)


# ---- streamed, in memory, by workers ----


@pytest.mark.parametrize("memory", [1, 100_000, 2**28])
def test_streamed_examples_equal_those_in_memory_whatever_is_kept_of_the_play(episodes, memory):
    whole, _ = build_examples(episodes, SMALL, size=64)
    streamed = EpisodeExamples(episodes, SMALL, size=64, memory=memory)
    assert len(streamed) == len(whole)
    for rows in shuffled(streamed):
        assert_same(streamed.batch(rows), whole.batch(rows))


def test_streamed_frames_and_actions_are_those_of_the_replay(episodes):
    settings = ChunkSettings(stride=11, action_shift=3)
    examples = EpisodeExamples(episodes, settings, size=64)
    frames = [list(replay(one, size=64)) for one in episodes]
    for row, (number, step) in enumerate(examples.windows):
        batch = examples.batch(np.array([row]))
        np.testing.assert_array_equal(batch.inputs[0], frames[number][step])
        played = episodes[number].actions[step + 3 : step + 21]
        np.testing.assert_array_equal(batch.actions[0], pack(played))
        assert batch.auxiliary[0, 0, 2] == 0


def test_several_frames_are_the_moment_and_those_before_it(episodes):
    settings = ChunkSettings(stride=7, frames=3, frame_spacing=7)
    examples = EpisodeExamples(episodes, settings, size=64)
    frames = [list(replay(one, size=64)) for one in episodes]
    assert examples.windows[:, 1].min() == 14, "moments without their history are left out"
    rows = shuffled(examples, count=1, size=8)[0]
    batch = examples.batch(rows)
    assert batch.inputs.shape == (8, 3, 64, 64, 3)
    for shown, (number, step) in zip(batch.inputs, examples.windows[rows], strict=True):
        for frame, back in zip(shown, (14, 7, 0), strict=True):
            np.testing.assert_array_equal(frame, frames[number][step - back])
    single = EpisodeExamples(episodes, replace(settings, frames=1), size=64)
    alone = single.windows.tolist().index(examples.windows[rows[0]].tolist())
    np.testing.assert_array_equal(single.batch(np.array([alone])).auxiliary[0], batch.auxiliary[0])


def test_a_mirror_shows_every_frame_of_several(episodes):
    examples = EpisodeExamples(episodes, ChunkSettings(stride=40, frames=2), size=64)
    batch = examples.batch(np.arange(2))
    shown = batch.mirrored(old_layout=False)
    np.testing.assert_array_equal(shown.inputs, batch.inputs[:, :, :, ::-1])
    np.testing.assert_array_equal(shown.actions, mirror(batch.actions))


def test_workers_make_the_same_batches_and_leave_nothing_behind(episodes):
    examples = EpisodeExamples(episodes, SMALL, size=64)
    orders = shuffled(examples)
    chance = torch.random.get_rng_state()
    expected = [examples.batch(rows) for rows in orders]
    for workers in (0, 1, 2):
        made = list(batches(examples, iter(orders), workers=workers))
        assert len(made) == len(orders)
        for one, other in zip(made, expected, strict=True):
            assert_same(one, other)
    assert multiprocessing.active_children() == []
    assert torch.equal(torch.random.get_rng_state(), chance)


def test_closing_batches_early_ends_the_workers(episodes):
    examples = EpisodeExamples(episodes, SMALL, size=64)
    made = batches(examples, shuffled(examples), workers=2)
    next(made)
    assert len(multiprocessing.active_children()) == 2
    made.close()
    assert multiprocessing.active_children() == []


def test_a_worker_that_dies_is_said_in_one_sentence(episodes):
    examples = EpisodeExamples(episodes, SMALL, size=64)
    made = batches(examples, shuffled(examples, count=1000), workers=1)
    next(made)
    for worker in multiprocessing.active_children():
        os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerError, match=r"^A worker process .* ended early: [^\n]*\.$"):
        list(made)


def test_what_a_worker_refuses_is_refused_here(episodes):
    damaged = replace(episodes[0], final_hash="0" * 64)
    examples = EpisodeExamples([damaged], SMALL, size=64)
    with pytest.raises(ReplayError, match="does not end as recorded"):
        examples.batch(np.arange(1))
    with pytest.raises(ValueError, match="does not end as recorded"):
        list(batches(examples, [np.arange(1)], workers=1))


def test_examples_that_cannot_travel_are_refused_in_one_sentence():
    class Local:
        def __len__(self):
            return 1

        def batch(self, rows):
            return Batch(np.zeros((1, 1)), np.zeros((1, 18, 25), np.float32))

    with pytest.raises(ValueError, match="Local cannot be sent to worker processes"):
        list(batches(Local(), [np.arange(1)], workers=1))
    assert len(list(batches(Local(), [np.arange(1)]))) == 1
    with pytest.raises(ValueError, match="workers is -1"):
        batches(Local(), [], workers=-1)


def test_failed_episodes_teach_nothing_and_snapshots_do_not_travel(episodes):
    failed = replace(episodes[0], status=AGENT_FAILED)
    noted = replace(episodes[1], snapshots=[{"note": "x" * 1000}] * len(episodes[1]))
    examples = EpisodeExamples([failed, noted], SMALL, size=64)
    assert len(examples.episodes) == 1
    examples.batch(np.arange(3))
    assert len(pickle.dumps(examples)) < 30_000


# ---- held out, balance ----


def test_held_out_episodes_are_whole_and_the_choice_is_repeatable():
    train, held = split_by_episode(range(20), 0.2, seed=5)
    assert len(held) == 4 and sorted(train + held) == list(range(20))
    assert train == sorted(train) and held == sorted(held)
    assert (train, held) == split_by_episode(range(20), 0.2, seed=5)
    choices = {tuple(split_by_episode(range(20), 0.2, seed)[1]) for seed in range(6)}
    assert len(choices) > 1
    assert [len(side) for side in split_by_episode([1, 2], 0.01, 0)] == [1, 1]
    assert [len(side) for side in split_by_episode([1, 2, 3], 0.99, 0)] == [1, 2]


@pytest.mark.parametrize(
    ("count", "share", "message"),
    [(1, 0.5, "1 episodes to learn from"), (9, 0.0, "share is 0.0"), (9, 1.0, "share is 1.0")],
)
def test_a_split_that_leaves_a_side_empty_is_refused(count, share, message):
    with pytest.raises(ValueError, match=message):
        split_by_episode(range(count), share, 0)


def test_failed_episodes_are_on_neither_side(episodes):
    failed = replace(episodes[0], status=AGENT_FAILED)
    train, held = split_by_episode([failed, *episodes[1:3]], 0.5, 0)
    assert failed not in train + held and len(train) == len(held) == 1


def acted(episode, *, dashes, steps=200):
    """The episode with actions of our own: both sticks pushed, and the dash on some steps."""
    actions = np.zeros((steps, 5), np.float32)
    actions[:, 0], actions[:, 2] = 1.0, 1.0
    for first, last in dashes:
        actions[first:last, 4] = 1.0
    most = max(episode.max_steps, steps)
    return replace(episode, actions=actions, rewards=np.zeros(steps), max_steps=most)


def test_the_balance_counts_steps_chunks_and_presses(episodes):
    settings = ChunkSettings(stride=20)
    episode = acted(episodes[0], dashes=[(0, 2), (100, 104)])
    statistics = episode_statistics([episode, acted(episodes[3], dashes=[])], settings)
    per_episode = 10  # moments 0, 20, … 180: the chunk of the last ends at 198
    assert (statistics.moments, statistics.kept) == (2 * per_episode, 2 * per_episode)
    dash = statistics.shares["RIGHT_SHOULDER"]
    assert dash.presses == 2
    assert dash.chunks == pytest.approx(2 / 20)
    assert dash.steps == pytest.approx(6 / (20 * 18)) == statistics.dashing
    assert statistics.moving == statistics.aiming == 1.0
    assert statistics.shares["SOUTH"].presses == 0
    stages = statistics.groups["stage"]
    assert {name: group.episodes for name, group in stages.items()} == {"1": 1, "2": 1}
    assert stages["1"].dashing == pytest.approx(6 / 180) and stages["2"].dashing == 0.0
    assert set(statistics.groups["agent"]) == {"scripted", "random"}


def test_rare_buttons_weigh_more_up_to_a_bound(episodes):
    settings = ChunkSettings(stride=20)
    rare = episode_statistics([acted(episodes[0], dashes=[(0, 2)])], settings)
    assert rare.weights() == {"RIGHT_SHOULDER": 30.0}
    assert rare.weights(most=80.0) == {"RIGHT_SHOULDER": pytest.approx(0.5 / (2 / 180))}
    common = episode_statistics([acted(episodes[0], dashes=[(0, 20), (100, 190)])], settings)
    share = common.shares["RIGHT_SHOULDER"].steps
    assert common.weights() == {"RIGHT_SHOULDER": pytest.approx(0.5 / min(share, 1 - share))}
    never = episode_statistics([acted(episodes[0], dashes=[])], settings)
    assert never.weights() == {}
    with pytest.raises(ValueError, match="largest weight is 0"):
        rare.weights(most=0.0)


def test_the_balance_can_be_read_by_people_and_scripts(episodes):
    statistics = episode_statistics(episodes, SMALL)
    plain = json.loads(json.dumps(statistics.to_dict()))
    assert plain["kept"] == statistics.kept and plain["shares"].keys() == statistics.shares.keys()
    table = str(statistics)
    assert f"{statistics.kept:,} of {statistics.moments:,} moments kept" in table
    assert "RIGHT_SHOULDER *" in table and "scripted" in table and "WEST" not in table


def test_the_balance_needs_a_kept_chunk(episodes):
    idle = replace(episodes[0], actions=np.zeros((60, 5), np.float32))
    with pytest.raises(ValueError, match="No chunk is busy enough"):
        episode_statistics([idle], SMALL)


# ---- features on the disk ----


def noise(count=30, seed=0):
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 255, (count, 64, 64, 3), dtype=np.uint8)
    return ArrayExamples(frames, rng.random((count, 18, 25), dtype=np.float32))


def told(calls):
    return lambda done, total: calls.append(done)


def test_kept_features_are_those_in_memory_and_are_not_computed_again(tmp_path):
    model, calls = NitroGen.preset("tiny"), []
    fresh = cache_features(model, noise(), mirror=True, batch_size=7)
    kept = cache_features(
        model, noise(), mirror=True, batch_size=7, folder=tmp_path, on_batch=told(calls)
    )
    assert isinstance(kept.inputs, np.memmap) and kept.inputs.dtype == np.float16
    assert_same(kept.batch(np.arange(60)), fresh.batch(np.arange(60)))
    assert calls[-1] == 60
    calls.clear()
    again = cache_features(model, noise(), mirror=True, folder=tmp_path, on_batch=told(calls))
    assert calls == []
    assert_same(again.batch(np.arange(60)), fresh.batch(np.arange(60)))


def test_other_weights_examples_or_frames_never_meet_a_stale_cache(tmp_path, episodes):
    model = NitroGen.preset("tiny")

    def computed(model, examples, **options):
        calls = []
        cache_features(model, examples, folder=tmp_path, on_batch=told(calls), **options)
        return bool(calls)

    drawn = EpisodeExamples(episodes, ChunkSettings(stride=60), size=64)
    assert computed(model, noise()) and not computed(model, noise())
    assert computed(model, noise(seed=1))
    assert computed(model, drawn) and not computed(model, drawn)
    assert computed(model, EpisodeExamples(episodes[:3], ChunkSettings(stride=60), size=64))
    assert computed(model, EpisodeExamples(episodes, ChunkSettings(stride=61), size=64))
    assert computed(model, noise(), attended=False)
    with torch.no_grad():
        model.vision_encoder.norm.bias.add_(0.1)
    assert computed(model, noise())
    with torch.no_grad():
        model.action_decoder.layer1.b.add_(0.1)
    assert not computed(model, noise()), "what acts has no part in features"


def test_the_towers_own_tokens_become_the_same_features(tmp_path, episodes):
    model = NitroGen.preset("tiny").eval()
    examples = EpisodeExamples(episodes, ChunkSettings(stride=80), size=64)
    tokens = cache_features(model, examples, attended=False, folder=tmp_path).inputs
    seen = model.attend(torch.from_numpy(np.array(tokens, dtype=np.float32)))
    attended = cache_features(model, examples).inputs
    np.testing.assert_allclose(seen.detach().numpy(), attended, atol=1e-2)


KILLED = """
import os, signal, sys
from nitrogen_adapter.data.features import Column, FeatureStore, FeatureStoreError
from nitrogen_adapter.data.features import cache_features
from nitrogen_adapter.model import NitroGen
from tests.nitrogen_adapter.data.test_dataset import noise
import nitrogen_adapter.data.features as store
store.SAVE_EVERY = 0.0
def kill(done, total):
    if done >= 20:
        os.kill(os.getpid(), signal.SIGKILL)
cache_features(NitroGen.preset("tiny"), noise(), batch_size=5, folder=sys.argv[1], on_batch=kill)
"""


def test_a_killed_cache_goes_on_where_it_stopped(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob(".features-*.part")
    inputs = left / "inputs.npy"
    inputs.write_bytes(inputs.read_bytes()[:-1])  # the last row was on its way
    calls = []
    kept = cache_features(
        NitroGen.preset("tiny"), noise(), batch_size=5, folder=tmp_path, on_batch=told(calls)
    )
    assert calls[0] == 24
    fresh = cache_features(NitroGen.preset("tiny"), noise(), batch_size=5)
    np.testing.assert_allclose(kept.inputs, fresh.inputs, atol=2e-3)
    np.testing.assert_array_equal(kept.actions, fresh.actions)
    assert not left.exists()


def test_a_damaged_cache_is_refused_in_one_sentence(tmp_path):
    model = NitroGen.preset("tiny")
    cache_features(model, noise(), folder=tmp_path)
    (file,) = tmp_path.glob("features-*/inputs.npy")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"inputs.npy: missing or damaged; remove the folder"):
        cache_features(model, noise(), folder=tmp_path)


def test_no_header_of_a_cached_array_is_believed(tmp_path):
    columns = {"a": Column(np.float16, (3, 4))}
    store = FeatureStore(tmp_path, "cache", columns)
    with store.writing() as writer:
        writer.append(a=np.ones((3, 4)))
    file = store.place / "a.npy"
    whole = file.read_bytes()
    np.testing.assert_array_equal(store.open()["a"], np.ones((3, 4)))

    def refused():
        with pytest.raises(FeatureStoreError, match=r"a.npy: missing or damaged") as refusal:
            store.open()
        assert len(str(refusal.value)) < 300 + 2 * len(str(file))

    for bad in (
        b"",
        whole[:-1],
        whole + b"x",
        whole.replace(b"(3, 4)", b"(9, 4)"),
        whole.replace(b"(3, 4)", b"(1e9,)"),
        whole.replace(b"'<f2'", b"'|O8'"),
        whole.replace(b"'descr'", b"[[[[[[["),
        b"PK\x03\x04" + whole[4:],
        b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + whole[12:],
    ):
        file.write_bytes(bad)
        refused()
    file.unlink()
    os.mkfifo(file)  # is not waited for
    refused()


@pytest.mark.parametrize("note", ["-5", "9" * 5000, "two", "", "1e9", "\xff"])
def test_a_damaged_note_of_the_rows_that_are_there_loses_them_and_no_more(tmp_path, note):
    store = FeatureStore(tmp_path, "cache", {"a": Column(np.int64, (3,))})
    with store.writing() as writer:
        writer.append(a=np.array([1, 2]))
    (tmp_path / ".cache.part" / "rows.txt").write_text(note)
    with store.writing() as writer:
        assert writer.rows == 0
        writer.append(a=np.arange(3))
    np.testing.assert_array_equal(store.open()["a"], np.arange(3))


def test_features_of_examples_without_a_fingerprint_are_not_kept(tmp_path):
    class Plain:
        def __len__(self):
            return 30

        def batch(self, rows):
            return noise().batch(rows)

    with pytest.raises(ValueError, match="Plain has no fingerprint"):
        cache_features(NitroGen.preset("tiny"), Plain(), folder=tmp_path)
    assert len(cache_features(NitroGen.preset("tiny"), Plain())) == 30


# ---- labels ----


def test_labels_hold_the_public_columns_and_chunks(tmp_path, store, episodes):
    (first, *_) = export_labels(store, tmp_path)
    assert first == tmp_path / "shard_0000" / "episode_000000"
    chunk = first / "episode_000000_chunk_0000"
    assert {file.name for file in chunk.iterdir()} == {
        "actions_raw.parquet",
        "actions_processed.parquet",
        "metadata.json",
    }
    table = pq.read_table(chunk / "actions_processed.parquet")
    assert table.column_names == [*BUTTON_COLUMNS, "j_left", "j_right"]
    assert len(BUTTON_COLUMNS) == 17
    assert table.num_rows == 2 * len(episodes[0])
    move = np.array(table.column("j_left").to_pylist())[::2]
    np.testing.assert_allclose(move, episodes[0].actions[:, :2], atol=1e-6)
    dash = np.array(table.column("right_shoulder").to_pylist())[::2]
    np.testing.assert_array_equal(dash, episodes[0].actions[:, 4] > 0.5)


def test_a_long_episode_is_cut_every_1200_rows_and_read_as_one(tmp_path, episodes):
    long = acted(episodes[0], dashes=[(595, 605), (1190, 1250)], steps=1300)
    store = EpisodeStore(tmp_path / "run")
    store.save(7, long)
    (video,) = export_labels(store, tmp_path / "labels")
    counts = [pq.read_table(f).num_rows for f in sorted(video.glob("*/actions_raw.parquet"))]
    assert counts == [1200, 1200, 200]
    (track,) = label_tracks(tmp_path / "labels")
    assert (track.video, track.rows_per_step) == ("episode_000007", 2)
    np.testing.assert_array_equal(track.rows, pack(long.actions))
    (ticks,) = label_tracks(video, rows_per_step=1)
    np.testing.assert_array_equal(ticks.rows, np.repeat(pack(long.actions), 2, axis=0))


def test_labels_come_back_bit_for_bit(tmp_path, store, episodes):
    export_labels(store, tmp_path, frame_size=64)
    tracks = label_tracks(tmp_path)
    assert [track.rows_per_step for track in tracks] == [2, 2, 2, 4]
    for track, episode in zip(tracks, episodes, strict=True):
        np.testing.assert_array_equal(track.rows, pack(episode.actions))
    examples = LabelExamples(tracks, SMALL, size=64)
    drawn = EpisodeExamples(episodes, SMALL, size=64)
    np.testing.assert_array_equal(examples.windows, drawn.windows)
    rows = shuffled(examples, count=1, size=20)[0]
    np.testing.assert_array_equal(examples.batch(rows).inputs, drawn.batch(rows).inputs)
    np.testing.assert_array_equal(examples.batch(rows).actions, drawn.batch(rows).actions)
    counted, known = examples.statistics(dash="RIGHT_SHOULDER"), drawn.statistics()
    assert counted.shares == known.shares and counted.groups == known.groups
    (made,) = batches(examples, [rows], workers=1)
    assert_same(made, examples.batch(rows))


def test_raw_labels_are_what_the_agent_asked_for(tmp_path, episodes):
    actions = np.tile(np.float32([1, 1, -0.5, 0.25, 0]), (60, 1))
    wild = replace(episodes[0], actions=actions, rewards=np.zeros(60))
    store = EpisodeStore(tmp_path / "run")
    store.save(0, wild)
    export_labels(store, tmp_path / "labels")
    (raw,) = label_tracks(tmp_path / "labels", kind="raw")
    (made,) = label_tracks(tmp_path / "labels")
    np.testing.assert_allclose(raw.rows[0, -4:] * 2 - 1, [1, 1, -0.5, 0.25], atol=1e-6)
    np.testing.assert_allclose(made.rows[0, -4:-2] * 2 - 1, [0.5**0.5] * 2, atol=1e-6)


def test_labels_are_plain_whatever_the_layout_and_can_be_read_in_either(tmp_path, store, episodes):
    old = GamepadSettings(dash_button="WEST", old_layout=True)
    export_labels(store, tmp_path, buttons=old)
    (first, *_) = label_tracks(tmp_path, old_layout=True)
    np.testing.assert_array_equal(first.rows, pack(episodes[0].actions, old))
    statistics = track_statistics(label_tracks(tmp_path), SMALL, dash="WEST")
    other = track_statistics(label_tracks(tmp_path, old_layout=True), SMALL, old_layout=True)
    assert statistics.shares == other.shares
    assert statistics.dashing == episode_statistics(episodes, SMALL).dashing


def test_exporting_again_goes_on_and_another_episode_is_refused(tmp_path, store, episodes):
    (first, *_, last) = export_labels(store, tmp_path)
    before = (first / f"{first.name}_chunk_0000" / "metadata.json").stat().st_mtime_ns
    part = last.with_name(f".{last.name}.part")
    last.rename(part)  # as a kill would leave it
    assert export_labels(store, tmp_path)[-1] == last and not part.exists()
    assert (first / f"{first.name}_chunk_0000" / "metadata.json").stat().st_mtime_ns == before
    other = EpisodeStore(tmp_path / "other")
    other.save(0, episodes[1])
    with pytest.raises(LabelError, match="holds labels of another episode"):
        export_labels(other, tmp_path)
    with pytest.raises(LabelError, match="holds no episode to export"):
        export_labels(EpisodeStore(tmp_path / "none"), tmp_path)


def chunk_of(folder, number, rows, video="film"):
    chunk = folder / video / f"{video}_chunk_{number:04d}"
    chunk.mkdir(parents=True)
    write_rows(chunk / "actions_processed.parquet", rows)
    return chunk


def held(button, count=1200):
    rows = gamepad.at_rest((count,))
    rows[:, BUTTONS.index(button)] = 1.0
    return rows


def test_a_missing_chunk_ends_a_track(tmp_path):
    """As in the public data set: no metadata of ours, and a stretch that was left out."""
    for number, button in ((0, "SOUTH"), (1, "EAST"), (3, "WEST")):
        chunk_of(tmp_path, number, held(button))
    tracks = label_tracks(tmp_path)
    assert [(len(track.rows), track.rows_per_step) for track in tracks] == [(2400, 1), (1200, 1)]
    assert tracks[0].rows[1199:1201, BUTTONS.index("EAST")].tolist() == [0, 1]
    leftovers = [BUTTONS.index(name) for name in gamepad.UNUSED_BUTTONS]
    assert not tracks[0].rows[:, leftovers].any()


def test_only_moments_with_their_frames_become_examples(tmp_path):
    chunks = [chunk_of(tmp_path, number, held("SOUTH", n)) for number, n in ((0, 1200), (1, 90))]
    for chunk, row in [(chunks[0], 0), (chunks[0], 1190), (chunks[1], 8), (chunks[1], 80)]:
        (chunk / "frames").mkdir(exist_ok=True)
        Image.new("RGB", (90, 60), (row % 256, 7, 9)).save(chunk / "frames" / f"{row:06d}.png")
    examples = LabelExamples(label_tracks(tmp_path), ChunkSettings(), size=32)
    assert examples.windows[:, 1].tolist() == [0, 1190, 1208]
    assert examples.batch(np.arange(3)).inputs[:, 5, 5].tolist() == [
        [0, 7, 9],
        [1190 % 256, 7, 9],
        [8, 7, 9],
    ]
    two = ChunkSettings(frames=2, frame_spacing=18)
    pairs = LabelExamples(label_tracks(tmp_path), two, size=32)
    assert pairs.windows[:, 1].tolist() == [1208]
    picture = chunks[0] / "frames" / "000000.png"
    whole, random = picture.read_bytes(), np.random.default_rng(0)
    large = b"IHDR" + (30_000).to_bytes(4, "big") * 2 + whole[24:29]
    large = whole[:12] + large + zlib.crc32(large).to_bytes(4, "big") + whole[33:]
    for bad in (b"no picture", whole[:60], b"GIF89a" + bytes(90), large):
        picture.write_bytes(bad)
        said = "has more than" if bad is large else "missing, damaged, or not a picture"
        with pytest.raises(LabelError, match=rf"000000.png: {said}"):
            examples.batch(np.arange(1))
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] ^= 1 << int(random.integers(8))
        picture.write_bytes(damaged)
        with contextlib.suppress(LabelError):
            examples.batch(np.arange(1))
    picture.unlink()
    os.mkfifo(picture)  # is not waited for
    with pytest.raises(LabelError, match=r"000000.png: missing, damaged"):
        examples.batch(np.arange(1))


def test_labels_without_frames_are_labels_only(tmp_path):
    chunk_of(tmp_path, 0, held("SOUTH"))
    tracks = label_tracks(tmp_path)
    assert track_statistics(tracks, SMALL).shares["SOUTH"].steps == 1.0
    with pytest.raises(LabelError, match="No frames lie beside the labels"):
        LabelExamples(tracks, SMALL)


def column(**changes):
    """A file of two rows with some columns changed; None leaves one out."""
    columns = {name: pa.array([False, True]) for name in BUTTON_COLUMNS}
    columns |= {name: pa.array([[0.0, 0.5], [1.0, -1.0]]) for name in ("j_left", "j_right")}
    columns |= changes
    return pa.table({name: one for name, one in columns.items() if one is not None})


_ROW_OF_MANY = pa.ListArray.from_arrays(pa.array([0, 2, 3 * 10**6]), pa.nulls(3 * 10**6).cast("f8"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (column(south=None), "the column 'south' is missing"),
        (column(j_right=None), "the column 'j_right' is missing"),
        (column(south=pa.array([0.5, 1.0])), "'south' must hold booleans"),
        (column(south=pa.array([True, None])), "'south' must hold booleans, without gaps"),
        (column(j_left=pa.array([0.0, 0.5])), r"'j_left' must hold lists \[x, y\]"),
        (column(j_left=pa.array([[0.0], [0.5, 1.0]])), "'j_left' must hold two numbers"),
        (column(j_left=pa.array([[0.0, None], [0.5, 1.0]])), "'j_left' must hold two numbers"),
        (column(j_left=pa.array([["a", "b"]] * 2)), "'j_left' must hold two numbers"),
        (column(j_left=pa.array([[0.0, 0.0], [0.5, 1.2]])), r"row 1 of 'j_left' is \[0.5, 1.2\]"),
        (column(j_left=pa.array([[0.0, float("nan")], [0.5, 1.0]])), "row 0 of 'j_left'"),
        (column().slice(0, 0), "holds 0 rows, expected 1 to 1,200"),
        (pa.concat_tables([column()] * 601), "holds 1,202 rows"),
        # Few bytes that unfold to many: one row of a hundred million numbers, or of a long text.
        (column(j_left=_ROW_OF_MANY), "'j_left' holds more than its 2 rows can"),
        (column(south=pa.array(["x" * 10**7, ""])), "'south' holds more than its 2 rows can"),
        (column(south=pa.array([b"0", b"1"])), "'south' must hold booleans"),
    ],
)
def test_bad_labels_are_refused_in_one_sentence(tmp_path, table, message):
    path = tmp_path / "actions_processed.parquet"
    pq.write_table(table, path)
    with pytest.raises(LabelError, match=message) as refusal:
        read_rows(path)
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)


def test_damaged_and_missing_files_are_named_in_one_sentence_and_left_out(tmp_path, caplog):
    chunk = chunk_of(tmp_path, 0, held("SOUTH"))
    chunk_of(tmp_path, 1, held("EAST", 60))
    file = chunk / "actions_processed.parquet"
    good = file.read_bytes()
    for bad in (b"", b"nonsense", good[: len(good) // 2], good[:40] + bytes(60) + good[100:]):
        file.write_bytes(bad)
        caplog.clear()
        (track,) = label_tracks(tmp_path)
        assert len(track.rows) == 60
        assert str(file) in caplog.text
        with pytest.raises(LabelError, match=r"damaged|not a parquet file|is missing"):
            label_tracks(tmp_path / "film" / "film_chunk_0000")
    file.write_bytes(good)
    for text, message in (
        ("{", "not a JSON file"),
        ("[]", "holds a list"),
        ('{"chunk_size": "many"}', "tells no rows a second"),
        ('{"rows_per_second": 0}', "tells no rows a second"),
        ('{"bbox_controller_overlay": [1, 2]}', "expected four numbers"),
        ('{"bbox_controller_overlay": [10, 2, 30, 9]}', "but no resolution"),
        ('{"bbox_controller_overlay": "' + "x" * 10**6 + '"}', "expected four numbers"),
        ('{"bbox_controller_overlay": [1, 2, 3, 1' + "0" * 400 + "]}", "expected four numbers"),
        ('{"chunk_size": "' + "x" * 10**6 + '"}', "tells no rows a second"),
        ('{"chunk_size": 1' + "0" * 400 + "}", "tells no rows a second"),
    ):
        (chunk / "metadata.json").write_text(text)
        caplog.clear()
        assert [len(track.rows) for track in label_tracks(tmp_path)] == [60]
        assert message in caplog.text
        assert len(caplog.text) < 1000
    (chunk / "metadata.json").write_text('{"rows_per_step": 0}')
    with pytest.raises(LabelError, match="is 0"):
        label_tracks(tmp_path)


def test_a_track_ends_where_a_chunk_is_short(tmp_path, caplog):
    for number, count in ((0, 60), (1, 1200)):
        chunk_of(tmp_path, number, held("SOUTH", count))
    assert [len(track.rows) for track in label_tracks(tmp_path)] == [60, 1200]
    assert "holds 60 rows, expected 1,200 of a chunk that another follows" in caplog.text


def with_metadata(chunk, **about):
    (chunk / "metadata.json").write_text(json.dumps(about))
    return chunk


def test_numbers_for_buttons_and_whole_sticks_are_read(tmp_path):
    file = tmp_path / "actions_processed.parquet"
    numbers = {name: pa.array([0, 1], pa.int32()) for name in BUTTON_COLUMNS}
    sticks = {
        name: pa.array([[0, 1], [1, -1]], pa.list_(pa.int64())) for name in ("j_left", "j_right")
    }
    pq.write_table(column(**numbers, **sticks), file)
    rows = read_rows(file)
    pq.write_table(column(**{name: pa.array([[0.0, 1.0], [1.0, -1.0]]) for name in sticks}), file)
    np.testing.assert_array_equal(rows, read_rows(file))
    pq.write_table(column(south=pa.array([0, 2])), file)
    with pytest.raises(LabelError, match="'south' must hold booleans"):
        read_rows(file)


def test_other_rates_are_brought_to_sixty_rows_a_second(tmp_path):
    """A second of play is as many rows whatever the video's frame rate."""
    for video, sizes in (("thirty", (600, 600, 300)), ("fast", (2400, 1200)), ("sixty", (1200,))):
        for number, size in enumerate(sizes):
            rows = gamepad.at_rest((size,))
            rows[size // 2 :, BUTTONS.index("SOUTH")] = 1.0
            with_metadata(chunk_of(tmp_path, number, rows, video), chunk_size=size)
    tracks = {track.video: track for track in label_tracks(tmp_path)}
    assert {name: len(track.rows) for name, track in tracks.items()} == {
        "thirty": 3000,
        "fast": 1800,
        "sixty": 1200,
    }
    assert tracks["thirty"].rows_per_second == 30
    pressed = tracks["thirty"].rows[:, BUTTONS.index("SOUTH")]
    assert np.flatnonzero(np.diff(pressed)).tolist() == [599, 1199, 1799, 2399, 2699]
    assert {len(track.rows) for track in label_tracks(tmp_path / "thirty", rows_per_step=2)} == {
        1500
    }


@pytest.mark.parametrize(
    ("about", "rate"),
    [
        ({"chunk_size": 1199}, 60.0),
        ({"chunk_size": 500}, 25.0),
        ({"chunk_size": 90, "original_video": {"duration": 3.0}}, 30.0),
        (
            {
                "chunk_size": 60,
                "original_video": {
                    "start_frame": 300,
                    "end_frame": 360,
                    "start_time": 10.0,
                    "end_time": 12.0,
                },
            },
            30.0,
        ),
        ({"rows_per_second": 50}, 50.0),
        ({}, 60.0),
    ],
)
def test_the_rate_is_what_the_metadata_tell(tmp_path, about, rate):
    with_metadata(chunk_of(tmp_path, 0, held("SOUTH", 60)), **about)
    (track,) = label_tracks(tmp_path)
    assert track.rows_per_second == rate
    assert len(track.rows) == round(60 * 60 / rate)


def test_raw_labels_stand_in_for_processed_ones_that_are_missing(tmp_path, caplog):
    first, second = (chunk_of(tmp_path, number, held("SOUTH")) for number in (0, 1))
    (second / "actions_processed.parquet").rename(second / "actions_raw.parquet")
    (track,) = label_tracks(tmp_path)
    assert len(track.rows) == 2400
    assert track.raw == (second,)
    assert "1 of 2 chunks have no actions_processed.parquet" in caplog.text
    (first / "actions_processed.parquet").unlink()
    assert label_tracks(tmp_path)[0].raw == (second,)


def test_frames_do_not_show_the_controller(tmp_path):
    chunk = chunk_of(tmp_path, 0, held("SOUTH"))
    with_metadata(
        chunk,
        chunk_size=1200,
        bbox_controller_overlay=[10, 650, 300, 150],  # beyond the lower edge, as some are
        original_video={"resolution": [720, 1280]},
    )
    (chunk / "frames").mkdir()
    Image.new("RGB", (128, 72), (200, 7, 9)).save(chunk / "frames" / "000000.png")
    examples = LabelExamples(label_tracks(tmp_path), ChunkSettings(), size=72)
    picture = examples.batch(np.arange(1)).inputs[0]
    black = (picture == 0).all(axis=-1)
    height, width = picture.shape[:2]
    assert black[int(0.95 * height), int(0.1 * width)]
    assert not black[: int(0.85 * height)].any()
    assert not black[:, int(0.3 * width) :].any()


def test_a_frame_of_a_slower_video_is_seen_until_the_next(tmp_path):
    chunk = with_metadata(chunk_of(tmp_path, 0, held("SOUTH", 600)), chunk_size=600)
    (chunk / "frames").mkdir()
    for row in (3, 4):
        Image.new("RGB", (90, 60), (row, 7, 9)).save(chunk / "frames" / f"{row:06d}.png")
    examples = LabelExamples(label_tracks(tmp_path), ChunkSettings(), size=32)
    assert examples.windows[:, 1].tolist() == [6, 7, 8, 9]
    assert examples.batch(np.arange(4)).inputs[:, 5, 5, 0].tolist() == [3, 3, 4, 4]


def test_a_folder_without_labels_is_refused(tmp_path):
    with pytest.raises(LabelError, match="holds no folder NAME_chunk_0000"):
        label_tracks(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="not 'cooked'"):
        label_tracks(tmp_path, kind="cooked")


# ---- Minari ----


@pytest.fixture
def minari(tmp_path, monkeypatch):
    """Minari with its data sets in a folder of the test's own."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return pytest.importorskip("minari")


class Corridor(gym.Env):
    """A tiny game of another kind: a dot walks left or right in a picture of 40 by 24 pixels."""

    action_space = gym.spaces.Discrete(3)

    def __init__(self, *, nested=False):
        picture = gym.spaces.Box(0, 255, (24, 40, 3), np.uint8)
        self.nested = nested
        self.observation_space = picture
        if nested:
            place = gym.spaces.Box(0, 40, (1,), np.float32)
            self.observation_space = gym.spaces.Dict({"view": picture, "place": place})

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = 20
        return self._observed(), {}

    def step(self, action):
        self.place = int(np.clip(self.place + action - 1, 0, 39))
        return self._observed(), 0.0, False, False, {}

    def _observed(self):
        view = np.zeros((24, 40, 3), np.uint8)
        view[:, self.place] = 255
        place = np.array([self.place], np.float32)
        return {"view": view, "place": place} if self.nested else view


def collected(minari, env, name, *, episodes=2, steps=40, actions=None):
    """A data set of random play, its pictures kept as they are, and the actions played.

    Minari's own collector would need JAX.
    """
    from minari.data_collector.episode_buffer import EpisodeBuffer

    env.action_space.seed(0)
    buffers, played = [], []
    for episode in range(episodes):
        seen = [env.reset(seed=episode)[0]]
        acted = [env.action_space.sample() for _ in range(steps)] if actions is None else actions
        seen += [env.step(action)[0] for action in acted]
        nested = isinstance(seen[0], dict)
        observations = {key: [one[key] for one in seen] for key in seen[0]} if nested else seen
        nothing = [False] * len(acted)
        buffers.append(
            EpisodeBuffer(
                id=episode,
                seed=episode,
                observations=observations,
                actions=list(acted),
                rewards=[0.0] * len(acted),
                terminations=nothing,
                truncations=nothing,
            )
        )
        played += acted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it would have an author's name and more
        dataset = minari.create_dataset_from_buffers(
            name,
            buffers,
            action_space=env.action_space,
            observation_space=env.observation_space,
            jpeg_encoding=False,
        )
    env.close()
    return dataset, played


WALK = DiscreteMapping([(), ("LEFT",), ("RIGHT",)], keys={"LEFT": "DPAD_LEFT", "RIGHT": "LEFT_X+"})


def test_a_foreign_game_with_keys_becomes_examples(minari):
    steps = [1, 1, 2, 2] * 10
    dataset, _ = collected(minari, Corridor(), "corridor/test-v0", actions=steps)
    examples = MinariExamples(dataset, WALK, settings=ChunkSettings(action_shift=2), size=64)
    assert len(examples) == 2 * (40 - 18 - 2 + 1)
    batch = examples.batch(np.array([5, 0, 30]))
    assert batch.inputs.shape == (3, 64, 64, 3) and batch.auxiliary is None
    (number, step) = examples.windows[30]
    np.testing.assert_array_equal(
        batch.actions[2], WALK.pack(np.array(steps))[step + 2 : step + 20]
    )
    dot = batch.inputs[2, 32, :, 0].argmax() / 64
    assert abs(dot - (dataset[number].observations[step][0, :, 0].argmax() + 0.5) / 40) < 0.03
    for given in ("corridor/test-v0", Path(dataset.storage.data_path).parent):
        assert_same(
            MinariExamples(given, WALK, settings=examples.settings, size=64).batch(
                np.array([5, 0, 30])
            ),
            batch,
        )


def test_idle_chunks_of_a_foreign_game_are_left_out_and_its_keys_counted(minari):
    dataset, _ = collected(
        minari, Corridor(), "corridor/idle-v0", episodes=1, steps=60, actions=[0] * 40 + [1] * 20
    )
    examples = MinariExamples(dataset, WALK.pack, size=64)
    assert examples.windows[:, 1].tolist() == list(range(31, 43))
    statistics = examples.statistics()
    assert statistics.shares["DPAD_LEFT"].presses == 1 and statistics.dash is None
    assert statistics.weights().keys() == {"DPAD_LEFT"}


def test_the_pictures_key_is_found_or_named(minari):
    dataset, _ = collected(minari, Corridor(nested=True), "corridor/nested-v0", actions=[1] * 40)
    found = MinariExamples(dataset, WALK, size=64)
    named = MinariExamples(dataset, WALK, pixels="view", size=64)
    assert_same(found.batch(np.arange(4)), named.batch(np.arange(4)))
    with pytest.raises(MinariError, match=r"key is 'place', but .* are \['view'\]"):
        MinariExamples(dataset, WALK, pixels="place")


def test_episodes_of_a_minari_data_set_can_be_held_out_and_drawn_by_workers(minari):
    dataset, _ = collected(minari, Corridor(), "corridor/split-v0", episodes=5, actions=[1] * 40)
    train, held_out = split_by_episode(range(dataset.total_episodes), 0.4, 1)
    examples = MinariExamples(dataset, WALK, episodes=train, size=64, memory=1)
    others = MinariExamples(dataset, WALK, episodes=held_out, size=64)
    assert (len(examples), len(others)) == (3 * 23, 2 * 23)
    orders = shuffled(examples, count=4)
    for made, rows in zip(batches(examples, orders, workers=1), orders, strict=True):
        assert_same(made, examples.batch(rows))
    assert examples.fingerprint() != others.fingerprint()


def test_our_own_game_through_minari_gives_the_frames_and_rows_that_were_played(minari):
    env = gym.make("ArenaBreaker-v0", observation="pixels", pixel_size=64)
    dataset, played = collected(minari, env, "arena/test-v0", episodes=1, steps=30)
    mapping = mapping_for(dataset.action_space, "arena-breaker")
    examples = MinariExamples(dataset, mapping, size=64)
    batch = examples.batch(np.arange(len(examples)))
    for row, (_, step) in enumerate(examples.windows):
        np.testing.assert_array_equal(batch.actions[row], pack(np.array(played))[step : step + 18])
        np.testing.assert_array_equal(batch.inputs[row], dataset[0].observations[step])


def test_minari_data_sets_of_no_use_are_refused_in_one_sentence(minari, tmp_path):
    with pytest.raises(MinariError, match="there is no such Minari data set on this machine"):
        MinariExamples("nobody/has-v0", WALK)
    with pytest.raises(MinariError, match="there is no such Minari data set on this machine"):
        MinariExamples(tmp_path, WALK)
    dataset, _ = collected(minari, gym.make("CartPole-v1"), "pole/test-v0", episodes=1, steps=5)
    with pytest.raises(MinariError, match="expected RGB frames"):
        MinariExamples(dataset, WALK)
    dataset, _ = collected(minari, Corridor(), "corridor/bad-v0", actions=[1] * 40)
    with pytest.raises(MinariError, match=r"shape \(40, 5\) for episode 0; expected \(steps, 25\)"):
        MinariExamples(dataset, lambda actions: np.zeros((len(actions), 5)))
    with pytest.raises(MinariError, match="beyond 0 to 1"):
        MinariExamples(dataset, lambda actions: np.full((len(actions), 25), -1.0))


# ---- commands ----


def called(*words):
    return CliRunner().invoke(build(), ["nitrogen", *map(str, words)])


def test_the_balance_command_prints_a_table_or_json(store, episodes):
    assert "RIGHT_SHOULDER *" in called("balance", store.folder).stdout
    report = json.loads(called("balance", store.folder, "--json", "--stride", 9).stdout)
    assert report == json.loads(json.dumps(episode_statistics(episodes, SMALL).to_dict()))


def test_the_export_command_writes_labels(store, tmp_path, episodes):
    result = called("export", store.folder, "--out", tmp_path, "--frame-size", 64, "--json")
    assert result.exit_code == 0
    printed, _ = json.JSONDecoder().raw_decode(result.stdout)  # older runners mix in the rest
    assert len(printed["videos"]) == len(episodes)
    assert len(list(tmp_path.glob("shard_0000/*/*/frames/*.png"))) == sum(map(len, episodes))


def test_commands_refuse_an_empty_folder(tmp_path):
    assert "holds no stored episodes" in str(called("balance", tmp_path).exception)
    refusal = called("export", tmp_path, "--out", tmp_path / "out")
    assert "holds no episode to export" in str(refusal.exception)


def test_chunk_settings_that_cannot_be_meant_are_refused():
    with pytest.raises(ValueError, match="frames is 0; expected at least 1"):
        ChunkSettings(frames=0)
    with pytest.raises(ValueError, match="frame_spacing is 0"):
        ChunkSettings(frame_spacing=0)
    assert kept_starts(np.ones((40, 5), np.float32), ChunkSettings(frames=2)).tolist() == [
        18,
        19,
        20,
        21,
        22,
    ]
