"""Files that are whole or not there, what is swept, and folders that one run has to itself."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arena_breaker_agents.baselines import RandomAgent
from arena_breaker_gym._runtime.files import (
    BusyError,
    GoneError,
    claimed,
    folder_written_whole,
    scratch_folder,
    sweep_leftovers,
    written_whole,
)
from arena_breaker_gym.rollout import EpisodeStore, rollout

FULL = OSError(28, "No space left on device")


def names(folder):
    return sorted(one.name for one in folder.iterdir())


@pytest.mark.parametrize("fault", ["body", "chmod", "replace"])
def test_a_write_that_fails_names_the_file_and_leaves_the_old_one(tmp_path, monkeypatch, fault):
    path = tmp_path / "film.mp4"
    path.write_text("old")

    def fails(*_, **__):
        raise FULL

    if fault != "body":
        monkeypatch.setattr(Path, fault, fails)
    with pytest.raises(OSError, match="No space left") as caught, written_whole(path) as part:
        part.write_text("new")
        if fault == "body":
            fails()
    assert caught.value.filename == str(path)
    assert (path.read_text(), names(tmp_path)) == ("old", ["film.mp4"])


def test_the_next_writer_sweeps_what_a_killed_one_left_of_its_file(tmp_path):
    other = tmp_path / ".notes.txt.part"
    other.write_text("somebody's")
    (tmp_path / ".film.mp4.kept1.part").write_text("half")
    (tmp_path / ".film.mp4.kept2.part").mkdir()
    with written_whole(tmp_path / "film.mp4") as part:
        part.write_text("whole")
    assert names(tmp_path) == [".notes.txt.part", "film.mp4"]


def test_the_sweep_leaves_what_a_living_writer_is_at_work_on(tmp_path):
    (tmp_path / ".b.killed.part").write_text("half")
    with written_whole(tmp_path / "a") as part:
        part.write_text("whole")
        sweep_leftovers(tmp_path)
        assert names(tmp_path) == [part.name]
    assert names(tmp_path) == ["a"]


def test_a_folder_takes_the_place_of_an_old_one_whole(tmp_path):
    for text in ("old", "new"):
        (tmp_path / ".adapter.part").mkdir(exist_ok=True)
        (tmp_path / ".adapter.killed.part").mkdir()
        with folder_written_whole(tmp_path / "adapter") as part:
            (part / "weights").write_text(text)
        assert (tmp_path / "adapter" / "weights").read_text() == text
        sweep_leftovers(tmp_path)
        assert names(tmp_path) == ["adapter"]


def test_scratch_folders_of_killed_processes_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "arena-breaker-killed").mkdir()
    with scratch_folder() as first, scratch_folder() as second:
        assert names(tmp_path) == sorted([first.name, second.name])
    assert names(tmp_path) == []


def test_a_second_run_in_one_folder_is_refused(tmp_path):
    store = EpisodeStore(tmp_path / "out")
    with (
        claimed(store.folder),
        pytest.raises(BusyError, match="Another run is writing into"),
    ):
        rollout(RandomAgent(), episodes=1, max_steps=5, recorder=store)
    assert len(rollout(RandomAgent(), episodes=1, max_steps=5, recorder=store)) == 1


def test_a_folder_that_is_deleted_under_a_run_is_said(tmp_path):
    store = EpisodeStore(tmp_path / "out")

    def delete(progress):
        if progress.done == 1 and store.folder.exists():
            shutil.rmtree(store.folder)

    with pytest.raises(GoneError, match="out was deleted or moved while the run was going on"):
        rollout(RandomAgent(), episodes=3, num_envs=1, max_steps=5, recorder=store, progress=delete)
    assert not store.folder.exists()


def test_sigterm_ends_a_command_as_ctrl_c_does(tmp_path):
    command = [sys.executable, "-m", "arena_breaker_gym", "rollout", "random", "-n", "100000"]
    run = subprocess.Popen(
        [*command, "--max-steps", "60", "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    while not list(tmp_path.glob("out/episode_*")) and run.poll() is None:
        time.sleep(0.05)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate()
    assert run.returncode == 1
    assert "Interrupted. Finished episodes are kept in" in said
    assert "Traceback" not in said


def test_a_benchmark_whose_agent_always_fails_ends_with_status_1(monkeypatch, capsys):
    from arena_breaker_gym.cli.benchmark import _check_played

    row = {"agent": "tutor", "stage": 1, "episodes": 2, "status": {"agent failed": 2}}
    with pytest.raises(Exception) as caught:
        _check_played([row])
    assert caught.value.exit_code == 1
    assert "tutor failed in every episode" in capsys.readouterr().err
    _check_played([json.loads(json.dumps({**row, "status": {"completed": 2}}))])
