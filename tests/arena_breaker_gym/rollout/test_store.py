"""Episodes on disk: read back as they were written, or refused in one sentence."""

import json
from dataclasses import fields

import numpy as np
import pytest

from arena_breaker_agents.baselines import RandomAgent
from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_gym.rollout import Episode, EpisodeError, EpisodeStore, rollout, verify


@pytest.fixture(scope="module")
def episode() -> Episode:
    return rollout(RandomAgent(), episodes=1, seed=2, env={"point_blank_fix": False}, stage=2)[0]


def test_an_episode_is_read_back_as_it_was_written(tmp_path, episode):
    store = EpisodeStore(tmp_path / "new" / "folder")
    path = store.save(12, episode)
    assert path.name == "episode_000012.npz"
    read = store.load(12)
    for one in fields(Episode):
        written, found = getattr(episode, one.name), getattr(read, one.name)
        if isinstance(written, np.ndarray):
            assert written.dtype == found.dtype
            assert np.array_equal(written, found)
        else:
            assert written == found
    verify(read)


def test_snapshots_come_along_if_they_were_kept(tmp_path):
    store = EpisodeStore(tmp_path)
    kept = rollout(
        ScriptedBaseline(), episodes=1, max_steps=20, keep_snapshots=True, recorder=store
    )
    assert store.load(0).snapshots == kept[0].snapshots
    assert len(store.load(0).snapshots) == 20


def test_an_agent_that_is_shown_no_snapshots_keeps_none(tmp_path):
    store = EpisodeStore(tmp_path)
    rollout(RandomAgent(), episodes=1, max_steps=20, keep_snapshots=True, recorder=store)
    assert store.load(0).snapshots is None


def test_a_store_counts_and_iterates_in_order(tmp_path, episode):
    store = EpisodeStore(tmp_path)
    assert (len(store), list(store), store.has(0)) == (0, [], False)
    for index in (3, 0, 10):
        store.save(index, episode)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "episode_draft.npz").write_text("mine")
    assert store.indices() == [0, 3, 10]
    assert len(list(store)) == 3


def test_equal_episodes_are_equal_files(tmp_path, episode):
    store = EpisodeStore(tmp_path)
    assert store.save(0, episode).read_bytes() == store.save(1, episode).read_bytes()


def test_a_file_cut_short_anywhere_is_refused(tmp_path, episode):
    store = EpisodeStore(tmp_path)
    whole = store.save(0, episode).read_bytes()
    for length in [0, 10, *range(100, len(whole), len(whole) // 7), len(whole) - 1]:
        store.path_of(0).write_bytes(whole[:length])
        with pytest.raises(EpisodeError, match=r"episode_000000.npz: cut short, damaged"):
            store.load(0)


def test_a_changed_byte_is_noticed(tmp_path, episode):
    store = EpisodeStore(tmp_path)
    whole = store.save(0, episode).read_bytes()
    for place in range(60, len(whole) // 2, len(whole) // 11):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        store.path_of(0).write_bytes(damaged)
        with pytest.raises(EpisodeError, match=r"episode_000000.npz"):
            store.load(0)


def test_foreign_files_are_refused(tmp_path, episode):
    store = EpisodeStore(tmp_path)
    np.savez(store.path_of(0), actions=episode.actions)
    np.save(tmp_path / "bare.npy", episode.actions)
    (tmp_path / "bare.npy").rename(store.path_of(1))
    store.path_of(2).write_text("hello")
    np.savez(store.path_of(3), **dict.fromkeys(("about", "actions", "rewards", "snapshots"), 1))
    for index in range(4):
        with pytest.raises(EpisodeError, match=f"episode_00000{index}.npz: cut short, damaged"):
            store.load(index)
    with pytest.raises(EpisodeError, match=r"episode_000009.npz: there is no such episode"):
        store.load(9)


def test_another_version_of_the_format_is_refused(tmp_path, episode):
    store = EpisodeStore(tmp_path)
    with np.load(store.save(0, episode)) as file:
        arrays = dict(file)
    about = json.loads(arrays["about"].tobytes())
    about["version"] = 99
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(store.path_of(0), **arrays)
    with pytest.raises(EpisodeError, match="in version 99, expected"):
        store.load(0)


def test_nothing_is_left_of_a_write_that_fails(tmp_path, episode, monkeypatch):
    store = EpisodeStore(tmp_path)

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space left"):
        store.save(0, episode)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_writer_are_ignored_and_swept(tmp_path, episode):
    store = EpisodeStore(tmp_path)
    store.save(0, episode)
    (tmp_path / ".episode_000001.npz.abc.part").write_bytes(b"half")
    assert store.indices() == [0]
    store.sweep()
    assert [file.name for file in tmp_path.iterdir()] == ["episode_000000.npz"]
