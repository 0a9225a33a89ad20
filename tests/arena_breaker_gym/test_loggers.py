"""A training's figures also go where `ARENA_BREAKER_LOG` says, and go on there after a kill."""

import csv
import os
import time

import pytest

from arena_breaker_gym.loggers import LOGGERS, VARIABLE, Board


def rows_in(folder):
    with (folder / "metrics.csv").open() as file:
        return [tuple(row.values()) for row in csv.DictReader(file)]


def noted(folder, step, *lines):
    board = Board(folder, step=step)
    for line in lines:
        board.note(*line)
    board.save()
    board.close()


def test_a_table_holds_every_figure_once_through_a_kill(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "csv")
    noted(tmp_path, 0, ("train", 1, {"loss": 0.5, "odd": None}), ("train", 2, {"loss": 0.25}))
    noted(tmp_path, 1, ("train", 1, {"loss": 0.5}), ("train", 2, {"loss": float("nan"), "lr": 1}))
    assert rows_in(tmp_path) == [("train", "1", "loss", "0.5"), ("train", "2", "lr", "1")]
    assert not (tmp_path / "tensorboard").exists()


class Spy:
    """Stands for a library's logger."""

    def __init__(self, folder, *, step, kept):
        self.seen = [step, *kept]
        self.note = self.seen.append

    def save(self):
        self.seen.append("saved")

    def close(self):
        self.seen.append("closed")


def test_every_logger_that_is_named_hears_all(tmp_path, monkeypatch):
    spies = []

    def make(*words, **more):
        spies.append(Spy(*words, **more))
        return spies[-1]

    monkeypatch.setattr("arena_breaker_gym.loggers.LOGGERS", {**LOGGERS, "spy": make})
    monkeypatch.setenv(VARIABLE, "csv, spy")
    noted(tmp_path, 0, ("train", 1, {"loss": 0.5}))
    assert spies[0].seen == [0, {"kind": "train", "step": 1, "loss": 0.5}, "saved", "closed"]
    assert rows_in(tmp_path) == [("train", "1", "loss", "0.5")]


def test_a_logger_that_there_is_not_is_refused_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "tensorbord")
    with pytest.raises(ValueError, match="ARENA_BREAKER_LOG names 'tensorbord': did you mean"):
        Board(tmp_path, step=0)


def test_a_full_disk_names_the_file_of_tensorboard(tmp_path, monkeypatch):
    logger = LOGGERS["tensorboard"](tmp_path, step=0, kept=[])
    logger.note({"kind": "train", "step": 1, "loss": 0.5})

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left on device") as error:
            logger.save()
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert error.value.filename == str(events)
    logger.close()


def test_weights_and_biases_keeps_a_run_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv(VARIABLE, "wandb")
    noted(tmp_path, 0, ("train", 1, {"loss": 0.5}))
    (kept,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    end = time.monotonic() + 60  # its own process writes on after the run has ended
    while b"train/loss" not in kept.read_bytes() and time.monotonic() < end:
        time.sleep(0.1)
    assert b"train/loss" in kept.read_bytes()
