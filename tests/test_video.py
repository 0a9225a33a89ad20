"""Films: every moment is a frame, at the rate of play; several stand side by side."""

import json
import re
import subprocess
import sys
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")

from agents.random import RandomAgent  # noqa: E402 - only with the extra
from arena_breaker_gym.cli import main  # noqa: E402
from arena_breaker_gym.extras import MissingExtraError  # noqa: E402
from arena_breaker_gym.rollout import EpisodeStore, rollout  # noqa: E402
from arena_breaker_gym.rollout.encoder import VideoError, encoder  # noqa: E402
from arena_breaker_gym.rollout.layers import Layers  # noqa: E402
from arena_breaker_gym.rollout.video import export_side_by_side, export_video  # noqa: E402

SIZE = 96


def read_back(path):
    """Frames a second, seconds and frames (n, height, width, 3) of a film, as ffmpeg sees it."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    command = [program, "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    words = done.stderr.decode()
    width, height = map(int, re.search(r"Video:.*?, (\d+)x(\d+)", words).groups())
    fps = float(re.search(r"([\d.]+) fps", words)[1])
    seconds = float(re.search(r"Duration: 00:00:([\d.]+)", words)[1])
    frames = np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)
    return fps, seconds, frames


@pytest.fixture(scope="module")
def episodes():
    """Two episodes of 20 and 35 steps."""
    return [
        rollout(RandomAgent(), episodes=1, seed=seed, max_steps=steps)[0]
        for seed, steps in ((1, 20), (2, 35))
    ]


def test_a_film_has_a_frame_for_every_moment(tmp_path, episodes):
    film = export_video(episodes[0], tmp_path / "a.mp4", size=SIZE)
    fps, seconds, frames = read_back(film.path)
    assert (film.frames, len(frames)) == (21, 21)
    assert fps == film.fps == 30.0
    assert seconds == pytest.approx(21 / 30, abs=0.01)
    assert frames.shape[1:] == (SIZE, SIZE, 3)
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


def test_speed_changes_the_rate_and_drops_nothing(tmp_path, episodes):
    film = export_video(episodes[0], tmp_path / "fast.mp4", size=SIZE, speed=2.0)
    fps, _, frames = read_back(film.path)
    assert (fps, len(frames)) == (60.0, 21)


def test_frames_show_the_game(tmp_path, episodes):
    from arena_breaker_gym.rollout import replay

    film = export_video(episodes[0], tmp_path / "a.mp4", size=SIZE, layers=Layers())
    for shown, drawn in zip(read_back(film.path)[2], replay(episodes[0], size=SIZE), strict=True):
        assert np.abs(shown.astype(int) - drawn.astype(int)).mean() < 4.0


def test_side_by_side_the_shorter_holds_its_last_frame(tmp_path, episodes):
    film = export_side_by_side(
        episodes, tmp_path / "two.mp4", size=SIZE, labels=["before", "after"], layers=Layers()
    )
    frames = read_back(film.path)[2].astype(int)
    assert len(frames) == film.frames == 36
    assert frames.shape[1] == SIZE
    assert frames.shape[2] >= 2 * SIZE
    left, right = frames[:, :, :SIZE], frames[:, :, -SIZE:]
    assert np.abs(left[-1] - left[20]).mean() < 1.0
    assert np.abs(right[-1] - right[20]).mean() > np.abs(left[-1] - left[20]).mean()


@pytest.mark.parametrize("layer", ["hud", "gamepad", "caption"])
def test_a_layer_changes_the_film_and_nothing_else(tmp_path, episodes, layer):
    from arena_breaker_gym.rollout import replay, verify

    plain = list(replay(episodes[0], size=256))
    drawn = list(replay(episodes[0], size=256, layers=Layers(**{layer: True}), caption="words"))
    changed = [np.abs(a.astype(int) - b).any(axis=2) for a, b in zip(plain, drawn, strict=True)]
    assert all(0 < change.mean() < 0.5 for change in changed)
    verify(episodes[0])


def test_a_gif_holds_every_frame_too(tmp_path, episodes):
    film = export_video(episodes[0], tmp_path / "a.gif", size=64)
    _, seconds, frames = read_back(film.path)
    assert len(frames) == 21
    assert seconds == pytest.approx(21 / 30, abs=0.02)


def test_memory_does_not_grow_with_length(tmp_path):
    frame = np.zeros((128, 128, 3), np.uint8)
    tracemalloc.start()
    try:
        with encoder(tmp_path / "a.mp4", width=128, height=128, fps=Fraction(30)) as film:
            for _ in range(600):
                film.write(frame)
        assert tracemalloc.get_traced_memory()[1] < 5 * frame.nbytes + 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("sides", [(65, 33), (64, 64)])
def test_any_size_is_taken_and_any_rate_exact(tmp_path, sides):
    width, height = sides
    with encoder(tmp_path / "a.mp4", width=width, height=height, fps=Fraction(60, 7)) as film:
        for shade in range(50):
            film.write(np.full((height, width, 3), shade, np.uint8))
    _, seconds, frames = read_back(tmp_path / "a.mp4")
    assert len(frames) == 50
    assert seconds == pytest.approx(50 * 7 / 60, abs=0.01)


def test_an_error_leaves_no_file(tmp_path):
    with (
        pytest.raises(RuntimeError, match="stop"),
        encoder(tmp_path / "a.mp4", width=64, height=64, fps=Fraction(30)) as film,
    ):
        film.write(np.zeros((64, 64, 3), np.uint8))
        raise RuntimeError("stop")
    with (
        pytest.raises(VideoError, match=r"a.mp4: ffmpeg could not write it"),
        encoder(tmp_path / "a.mp4", width=0, height=64, fps=Fraction(30)) as film,
    ):
        for _ in range(1000):
            film.write(np.zeros((64, 0, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "keywords", "sentence"),
    [
        ("a.avi", {}, "must end in .mp4 or .gif"),
        ("a.mp4", {"size": 10}, "side must be 32 to 1024 pixels, got 10"),
        ("a.mp4", {"speed": 0.0}, "speed must be a number from 0.1 to 10.0, got 0.0"),
        ("a.mp4", {"labels": ["one", "two"]}, "1 episodes but 2 labels"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, episodes, name, keywords, sentence):
    with pytest.raises(ValueError, match=sentence):
        export_side_by_side(episodes[:1], tmp_path / name, **keywords)
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_error_names_it(tmp_path, episodes, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    sentence = r'extra \'video\': pip install "arena-breaker-gym\[video\]"'
    with pytest.raises(MissingExtraError, match=sentence):
        export_video(episodes[0], tmp_path / "a.mp4")


def test_the_command_films_stored_episodes(tmp_path, episodes, monkeypatch, capsys):
    store = EpisodeStore(tmp_path)
    for index, episode in enumerate(episodes):
        store.save(index, episode)
    out = tmp_path / "film.mp4"
    arguments = [str(tmp_path), str(store.path_of(1)), "--size", "96", "--layer", "none"]
    monkeypatch.setattr(sys, "argv", ["x", "video", *arguments, "--out", str(out), "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out) == {"out": str(out), "frames": 36, "fps": 30.0}
    assert len(read_back(out)[2]) == 36
