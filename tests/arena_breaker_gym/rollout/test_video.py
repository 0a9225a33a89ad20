"""Films: every moment is a frame, at the rate of play; several stand side by side."""

import base64
import itertools
import json
import re
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from importlib.resources import files

import numpy as np
import pytest

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")

import arena_breaker_gym  # noqa: E402 - only with the extra
from arena_breaker_agents.baselines import IdleAgent, RandomAgent  # noqa: E402
from arena_breaker_agents.scripted import ScriptedBaseline  # noqa: E402
from arena_breaker_gym._runtime.extras import MissingExtraError  # noqa: E402
from arena_breaker_gym.cli import main  # noqa: E402
from arena_breaker_gym.rendering.layers import draw_caption  # noqa: E402
from arena_breaker_gym.rendering.renderer import Renderer  # noqa: E402
from arena_breaker_gym.rollout import EpisodeStore, replay, rollout, verify  # noqa: E402
from arena_breaker_gym.rollout.replay import EpisodePainter, Layers  # noqa: E402
from arena_breaker_gym.rollout.video import (  # noqa: E402
    VideoError,
    encoder,
    export_side_by_side,
    export_video,
    inline_video,
)

SIZE = 96
ALL_LAYERS = list(itertools.product((False, True), repeat=3))


def read_back(path):
    """Frames a second, seconds and frames (n, height, width, 3) of a film, as ffmpeg sees it."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    raw = ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    command = [program, "-i", str(path), *raw]
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


@pytest.mark.parametrize(("speed", "rate"), [(2.0, 60.0), (0.5, 15.0)])
def test_speed_changes_the_rate_and_drops_nothing(tmp_path, episodes, speed, rate):
    film = export_video(episodes[0], tmp_path / "a.mp4", size=SIZE, speed=speed)
    fps, _, frames = read_back(film.path)
    assert (fps, film.fps, len(frames)) == (rate, rate, 21)


def test_fewer_frames_a_second_leave_out_evenly_and_keep_the_end(tmp_path, episodes):
    every = [frame.astype(int) for frame in replay(episodes[0], size=SIZE)]
    for fps, shown in ((15, [*range(0, 21, 2)]), (10, [*range(0, 20, 3), 20])):
        film = export_video(episodes[0], tmp_path / "a.mp4", size=SIZE, layers=Layers(), fps=fps)
        rate, seconds, frames = read_back(film.path)
        assert (rate, film.frames, len(frames)) == (fps, len(shown), len(shown))
        assert seconds == pytest.approx(len(shown) / fps, abs=0.01)
        for frame, moment in zip(frames, shown, strict=True):
            assert np.abs(frame.astype(int) - every[moment]).mean() < 4.0


def test_frames_show_the_game(tmp_path, episodes):
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
    plain = list(replay(episodes[0], size=256))
    drawn = list(replay(episodes[0], size=256, layers=Layers(**{layer: True}), caption="words"))
    changed = [np.abs(a.astype(int) - b).any(axis=2) for a, b in zip(plain, drawn, strict=True)]
    assert all(0 < change.mean() < 0.5 for change in changed)
    verify(episodes[0])


def test_the_caption_tells_agent_seed_and_kills_of_the_moment(episodes):
    (episode,) = rollout(ScriptedBaseline(), episodes=1, seed=4, max_steps=150)
    caption = Layers(caption=True)
    kills = int(episode.metrics["kills"])
    assert kills > 0
    drawn = list(replay(episode, size=256, layers=caption))
    plain = list(replay(episode, size=256))
    for moment, count in ((0, 0), (-1, kills)):
        words = f"scripted  ·  seed 4  ·  kills {count}"
        assert np.array_equal(drawn[moment], draw_caption(plain[moment], words))
    first = next(replay(episode, size=256, layers=caption, caption="{agent}: {score}, {else}"))
    assert np.array_equal(first, draw_caption(plain[0], "scripted: 0, {else}"))


@pytest.mark.parametrize(("speed", "rate", "count"), [(1.0, 30, 21), (2.0, 30, 11), (1.5, 45, 21)])
def test_a_gif_holds_as_many_frames_as_it_can_show(tmp_path, episodes, speed, rate, count):
    film = export_video(episodes[0], tmp_path / "a.gif", size=64, speed=speed)
    _, seconds, frames = read_back(film.path)
    assert (film.fps, film.frames, len(frames)) == (rate, count, count)
    assert seconds == pytest.approx(count / rate, abs=0.02)


def test_a_gif_has_the_games_colours_and_holds_the_end_of_the_shorter(tmp_path, episodes):
    film = export_side_by_side(episodes, tmp_path / "a.gif", size=SIZE, layers=Layers(), fps=15)
    frames = read_back(film.path)[2].astype(int)
    assert len(frames) == film.frames == 19
    drawn = list(replay(episodes[0], size=SIZE, every=2))
    for moment, frame in enumerate(frames):
        assert np.abs(frame[:, :SIZE] - drawn[min(moment, 10)]).mean() < 6.0


def test_a_gif_is_small(tmp_path, episodes):
    film = export_video(episodes[1], tmp_path / "a.gif", size=256)
    assert film.path.stat().st_size < film.frames * 8_000


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_memory_does_not_grow_with_length(tmp_path, suffix):
    stage = json.loads((files(arena_breaker_gym) / "stages" / "stage_1.json").read_text())
    late = {"type": "swarmer", "count": 1, "zone": "north", "delay": 60.0}
    (tmp_path / "calm.json").write_text(json.dumps({**stage, "waves": [{"groups": [late]}]}))
    calm = {"stages": [str(tmp_path / "calm.json")], "observation": "state"}
    (episode,) = rollout(IdleAgent(), episodes=1, max_steps=400, env=calm)
    assert len(episode) == 400
    export_video(episode, tmp_path / f"warm{suffix}", size=128, fps=1)
    tracemalloc.start()
    try:
        film = export_video(episode, tmp_path / f"a{suffix}", size=128)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert film.frames == 401
    assert peak < 10 * 128 * 128 * 3 + 1_000_000  # all frames take 19.7 MB


def test_frames_are_drawn_as_they_are_written(tmp_path, episodes, monkeypatch):
    drawn, ahead = [], []
    compose = Renderer.compose

    def counted(renderer, arenas, out=None):
        drawn.append(1)
        return compose(renderer, arenas, out)

    monkeypatch.setattr(Renderer, "compose", counted)
    shares = []

    def watch(share):
        shares.append(share)
        ahead.append(len(drawn) - len(shares))

    export_video(episodes[1], tmp_path / "a.mp4", size=SIZE, progress=watch)
    assert set(ahead) == {0}
    assert shares == pytest.approx([(frame + 1) / 36 for frame in range(36)])


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
        ("a.mp4", {"size": 10}, "side must be a whole number from 32 to 1024, got 10"),
        ("a.mp4", {"speed": 0.0}, "speed must be a number from 0.1 to 10.0, got 0.0"),
        ("a.mp4", {"labels": ["one", "two"]}, "1 episodes but 2 labels"),
        ("a.gif", {"fps": 12}, "one of 30, 15, 10, 7.5, 6, …; got 12"),
        ("a.gif", {"fps": 60, "speed": 2.0}, "one of 30, 20, 15, 12, 10, …; got 60"),
        ("a.mp4", {"fps": 0}, "fps must leave out frames evenly"),
        ("a.mp4", {"fps": float("nan")}, "fps must leave out frames evenly"),
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


def test_a_folder_is_no_films_name(tmp_path, episodes):
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(VideoError, match=r"a\.mp4: this is a folder"):
        export_video(episodes[0], tmp_path / "a.mp4")


def test_a_clip_of_moviepy_shows_each_moment_whenever_it_is_asked(tmp_path, episodes):
    episode = episodes[0]
    clip = episode.clip(size=64, skin="garden", layers=Layers(gamepad=True))
    frames = [*replay(episode, size=64, skin="garden", layers=Layers(gamepad=True))]
    assert (clip.fps, clip.size) == (30, (64, 64))
    assert clip.duration == pytest.approx(21 / 30)
    for moment in (0, 7, 20, 3, 3):  # onwards, back and on the spot
        assert np.array_equal(clip.get_frame(moment / 30), frames[moment])
    assert np.array_equal(clip.get_frame(3.99 / 30), frames[3])
    cut = clip.subclipped(0.1, 0.5)
    assert [*map(np.array_equal, cut.iter_frames(), frames[3:15])] == [True] * 12


def test_a_clip_is_drawn_only_when_it_is_asked(episodes, monkeypatch):
    drawn = []
    draw = EpisodePainter.frame
    monkeypatch.setattr(
        EpisodePainter, "frame", lambda *given: drawn.append(given[1]) or draw(*given)
    )
    clip = episodes[0].clip()
    assert drawn in ([], [0])  # newer moviepy looks at the first frame for its size
    clip.get_frame(5 / 30)
    assert drawn[-1] == 5 and len(drawn) <= 2
    monkeypatch.setitem(sys.modules, "moviepy", None)
    with pytest.raises(MissingExtraError, match="extra 'video'"):
        episodes[0].clip()


def video_in(page):
    return base64.b64decode(re.search(r'src="data:video/mp4;base64,([^"]+)"', page)[1])


def test_a_notebook_shows_an_episode_as_a_small_video(tmp_path, episodes, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = episodes[0]._repr_html_()
    assert list(tmp_path.iterdir()) == []
    assert "random · seed 1 · stage 1 · kills" in page and "the first" not in page
    (tmp_path / "a.mp4").write_bytes(video_in(page))
    fps, _, frames = read_back(tmp_path / "a.mp4")
    assert (fps, frames.shape) == (30.0, (21, 256, 256, 3))


def test_the_small_video_is_short_and_small(tmp_path, episodes):
    page = inline_video(episodes[1], seconds=0.5)
    (tmp_path / "a.mp4").write_bytes(video_in(page))
    assert len(read_back(tmp_path / "a.mp4")[2]) == 15
    whole = video_in(inline_video(episodes[1]))
    part = video_in(inline_video(episodes[1], largest=len(whole) - 1))
    assert len(part) < len(whole)


def test_a_notebook_gets_words_where_there_can_be_no_video(episodes, monkeypatch):
    strange = replace(episodes[0], agent="<b>", engine_version=0)
    assert "No video: The episode of &#x27;&lt;b&gt;&#x27; with seed 1" in strange._repr_html_()
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    page = episodes[0]._repr_html_()
    assert "random · seed 1" in page and "arena-breaker-gym[video]" in page
    assert "<video" not in page


def run_video(monkeypatch, *arguments):
    """The exit status of the command."""
    monkeypatch.setattr(sys, "argv", ["x", "video", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


@pytest.fixture
def store(tmp_path, episodes):
    kept = EpisodeStore(tmp_path / "runs")
    for index, episode in enumerate(episodes):
        kept.save(index, episode)
    return kept


def test_the_film_lies_beside_its_episode_unless_it_is_named(tmp_path, store, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = "--size", 64
    assert run_video(monkeypatch, store.folder, "--episode", 1, *small) == 0
    assert len(read_back(store.folder / "episode_000001.mp4")[2]) == 36
    assert run_video(monkeypatch, store.path_of(0), store.path_of(1), *small) == 0
    assert read_back(tmp_path / "side_by_side.mp4")[2].shape == (36, 64, 132, 3)


@pytest.mark.parametrize(
    ("flags", "layers"),
    [
        ([], Layers(hud=True, caption=True)),
        (["--gamepad", "--no-caption"], Layers(hud=True, gamepad=True)),
        (["--no-hud", "--no-caption"], Layers()),
        (["--layer", "gamepad"], Layers(gamepad=True)),
        (["--layer", "none", "--hud"], Layers(hud=True)),
    ],
    ids=str,
)
def test_flags_choose_the_layers(tmp_path, store, episodes, monkeypatch, flags, layers):
    out = tmp_path / "a.mp4"
    assert run_video(monkeypatch, store.folder, "--out", out, "--size", 256, *flags) == 0
    shown = read_back(out)[2][5].astype(int)
    choices = [Layers(hud=hud, gamepad=pad, caption=bar) for hud, pad, bar in ALL_LAYERS]
    frames = [list(replay(episodes[0], size=256, layers=choice))[5] for choice in choices]
    nearest = np.argmin([np.abs(shown - frame).mean() for frame in frames])
    assert choices[nearest] == layers


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["runs", "--episode", "7"], "runs: this folder has no episode 7; it has those from 0 to"),
        (["."], ".: this folder has no episode 0; it has none at all."),
        (["none.npz"], "none.npz: there is no such episode."),
        (["runs", "--fps", "7", "--out", "a.gif"], "fps must leave out frames evenly"),
        (["runs", "--out", "film"], "film: a video's name must end in .mp4 or .gif."),
    ],
    ids=str,
)
def test_the_command_refuses_in_a_sentence(
    tmp_path, store, monkeypatch, capsys, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    assert run_video(monkeypatch, *arguments) == 1
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["runs"]


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
