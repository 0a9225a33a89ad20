"""Stored episodes leave as data sets: nothing is lost, and readers need nothing of ours."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from arena_breaker_agents.baselines import RandomAgent
from arena_breaker_gym.cli import main
from arena_breaker_gym.export import ExportError, export_lerobot, export_minari
from arena_breaker_gym.export.source import moments_of
from arena_breaker_gym.rollout import EpisodeStore, replay, rollout
from tests import ROOT

minari = pytest.importorskip("minari")
NAME = "arenabreaker/random-v0"

READER = """
import json, sys
sys.modules["arena_breaker_gym"] = None  # an import of it fails
import minari
data = minari.load_dataset(sys.argv[1])
sums = []
for one in data:
    seen = one.observations
    sums.append([int(one.id), len(one.rewards), float(one.rewards.sum()),
        int(one.infos["score"][-1]), float(one.actions.sum()), bool(one.truncations[-1]),
        list(seen["pixels"].shape), int(seen["pixels"].sum()), float(seen["player"].sum())])
raw = data.storage.metadata
print(json.dumps({"sums": sums, "steps": int(data.total_steps), "license": raw["license"],
    "agent": raw["algorithm_name"], "seeds": [int(m["seed"]) for m in
    data.storage.get_episode_metadata(range(len(data)))]}))
"""

# What LeRobot's own reader makes of a set: argv is its folder, the video backend, and where to
# write what was read. Torchvision's operators are no part of the reading, but its import fails
# where its compiled half does not fit PyTorch: PyPI's is for CUDA, our PyTorch may be for CPUs.
LEROBOT_READER = """
import sys
sys.modules["arena_breaker_gym"] = None  # an import of it fails
import numpy as np, torch
try:
    import torchvision
except RuntimeError:
    for name in [name for name in sys.modules if name.startswith("torchvision.")]:
        del sys.modules[name]  # half imported
    for name in ("nms", "qnms"):
        told = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        torch.library.define("torchvision::" + name, told)
from lerobot.datasets import video_utils
from lerobot.datasets.lerobot_dataset import LeRobotDataset
folder, backend, out = sys.argv[1:]
if backend == "torchcodec":
    import torchcodec
elif not hasattr(video_utils, "decode_video_frames_pyav"):  # LeRobot before 0.6 has it by:
    from torchvision.io import VideoReader
data = LeRobotDataset("me/set", root=folder, video_backend=backend)
rows = [data[number] for number in range(len(data))]
assert (data.num_frames, data.num_episodes) == (len(rows), len(data.meta.episodes))
read = {key: np.stack([np.asarray(row[key]) for row in rows]) for key in rows[0]}
np.savez(out, **read)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two episodes of 40 steps, the second on stage 2."""
    found = EpisodeStore(tmp_path_factory.mktemp("episodes"))
    game = {"pixel_size": 64, "skin": "garden"}
    rollout(RandomAgent(), episodes=2, seed=5, stage=[1, 2], max_steps=40, env=game, recorder=found)
    return found


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "sets"))
    return tmp_path / "sets"


def test_minari_alone_reads_what_was_written(store, root):
    export_minari(store, NAME, author="A. Tester")
    done = subprocess.run(
        [sys.executable, "-c", READER, NAME],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MINARI_DATASETS_PATH": str(root)},
    )
    read = json.loads(done.stdout)
    assert (read["steps"], read["seeds"], read["license"]) == (80, [5, 6], "MIT")
    assert read["agent"] == "random"
    for number, episode in enumerate(store):
        row = read["sums"][number]
        assert row[:2] == [number, 40]
        assert row[2] == pytest.approx(float(episode.rewards.sum()))
        assert row[3] == episode.metrics["score"]
        assert row[4] == pytest.approx(float(episode.actions.sum()), abs=1e-4)
        assert row[5:7] == [True, [41, 64, 64, 3]]


def test_the_recovered_environment_gives_the_same_bytes_again(store, root):
    export_minari(store, NAME)
    data = minari.load_dataset(NAME)
    env = data.recover_environment()
    assert env.spec.max_episode_steps == 40 and env.observation_space == data.observation_space
    for number, one in enumerate(data):
        about = next(iter(data.storage.get_episode_metadata([number])))
        options = {"stage": int(about["options"]["stage"])}
        seen, info = env.reset(seed=about["seed"], options=options)
        for step in range(len(one.rewards) + 1):
            assert all(np.array_equal(seen[key], one.observations[key][step]) for key in seen)
            assert all(info[key] == one.infos[key][step] for key in one.infos)
            if step < len(one.rewards):
                seen, reward, terminated, truncated, info = env.step(one.actions[step])
                ended = (one.terminations[step], one.truncations[step])
                assert (reward, terminated, truncated) == (one.rewards[step], *ended)


@pytest.mark.parametrize(
    ("observation", "space"), [("state", gym.spaces.Dict), ("pixels", gym.spaces.Box)]
)
def test_either_half_is_enough(store, root, observation, space):
    export_minari(store, NAME, observation=observation, pixel_size=84)
    data = minari.load_dataset(NAME)
    assert isinstance(data.observation_space, space)
    assert data.recover_environment().observation_space == data.observation_space
    first = data[0].observations
    assert "pixels" not in first if observation == "state" else first.shape == (41, 84, 84, 3)


def test_a_root_may_be_relative(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = export_minari(store, NAME, root=Path("sets"), observation="state")
    assert (tmp_path / "sets" / NAME / "data/main_data.hdf5").is_file()
    assert place.resolve() == tmp_path / "sets" / NAME


class StoppedError(Exception):
    """Stands for a kill in the middle."""


@pytest.fixture
def played(monkeypatch):
    """Seeds of the episodes that are played again for an export, as they come."""
    seeds = []

    def told(episode, **terms):
        seeds.append(episode.seed)
        return moments_of(episode, **terms)

    for format_ in ("minari", "lerobot"):
        monkeypatch.setattr(f"arena_breaker_gym.export.{format_}.moments_of", told)
    return seeds


def stop(done, total):
    raise StoppedError


def test_an_export_that_was_killed_goes_on(store, root, played):
    with pytest.raises(StoppedError):
        export_minari(store, NAME, progress=stop)
    assert minari.list_local_datasets() == {} and not (root / NAME).exists()
    told = []
    place = export_minari(store, NAME, progress=lambda *figures: told.append(figures))
    assert told == [(40, 80), (80, 80)]
    assert played == [5, 6]  # the first only once
    assert [one.name for one in place.parent.iterdir() if one.name.startswith(".")] == []
    before = (place / "data/main_data.hdf5").stat().st_mtime_ns
    assert export_minari(store, NAME) == place
    assert (place / "data/main_data.hdf5").stat().st_mtime_ns == before
    assert list(minari.list_local_datasets()) == [NAME]


def test_a_kill_between_a_data_set_and_its_namespace_is_healed(store, root):
    place = export_minari(store, NAME)
    (note,) = place.parent.glob("namespace_metadata.json")
    note.unlink()
    assert export_minari(store, NAME) == place
    assert note.exists()


def test_what_cannot_be_exported_is_refused_in_a_sentence(store, root, tmp_path):
    with pytest.raises(ExportError, match="is no name of a Minari data set"):
        export_minari(store, "without version")
    with pytest.raises(ExportError, match="holds no episode"):
        export_minari(EpisodeStore(tmp_path / "nothing"), NAME)
    export_minari(store, NAME, observation="state")
    with pytest.raises(ExportError, match="holds something else already"):
        export_minari(store, NAME, observation="pixels")
    mixed = EpisodeStore(tmp_path / "mixed")
    rollout(RandomAgent(), episodes=1, max_steps=3, env={"skin": "ice"}, recorder=mixed)
    mixed.save(1, store.load(0))
    with pytest.raises(
        ExportError, match=r"episodes 0 and 1 differ in skin \('ice' and 'garden'\)"
    ):
        export_minari(mixed, NAME)


def test_the_command_writes_and_says_where(store, root, monkeypatch, capsys):
    words = ["export", "minari", str(store.folder), "--name", NAME, "--observation", "state"]
    monkeypatch.setattr(sys, "argv", ["arena-breaker", *words, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert not ended.value.code
    assert Path(json.loads(out)["out"]) == root / NAME and str(root / NAME) in err


def film_of(path, size):
    """The frames of a film, decoded."""
    program = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    words = [program, "-loglevel", "error", "-i", str(path), "-f", "rawvideo"]
    done = subprocess.run([*words, "-pix_fmt", "rgb24", "-"], capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, size, size, 3)


def test_lerobot_gets_tables_and_a_film_with_a_frame_for_every_action(store, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    place = export_lerobot(store, tmp_path / "set")
    info = json.loads((place / "meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"], info["total_frames"]) == ("v3.0", 30, 80)
    episodes = parquet.read_table(place / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    key = "observation.images.arena"
    for number, (told, episode) in enumerate(zip(episodes, store, strict=True)):
        where = {"chunk_index": told["data/chunk_index"], "file_index": told["data/file_index"]}
        rows = parquet.read_table(place / info["data_path"].format(**where))
        assert set(rows.column_names) | {key} == set(info["features"])
        assert np.array_equal(rows["action"].to_pylist(), episode.actions)
        assert np.allclose(rows["next.reward"], episode.rewards)
        assert rows["frame_index"].to_pylist() == list(range(40))
        assert rows["index"].to_pylist() == list(range(40 * number, 40 * number + 40))
        assert rows["next.done"].to_pylist() == [False] * 39 + [True]
        assert np.allclose(rows["timestamp"], np.arange(40) / 30)
        assert (told["dataset_from_index"], told["seed"]) == (40 * number, episode.seed)
        film = film_of(place / info["video_path"].format(video_key=key, **where), 64)
        shown = np.stack(list(replay(episode)))[:-1]
        assert film.shape == shown.shape
        away = np.abs(film.astype(int) - shown).mean(axis=(1, 2, 3))
        assert away.max() < 6  # of 255: H.264 is lossy, but no frame stands in another's place


@pytest.fixture
def lerobot_python():
    """The Python that has LeRobot: it asks for other versions than ours, so it may be another."""
    if "LEROBOT_PYTHON" not in os.environ:
        pytest.importorskip("lerobot")
    return os.environ.get("LEROBOT_PYTHON", sys.executable)


def read_by_lerobot(python, place, backend, out):
    """All that LeRobot reads of a data set, by key."""
    home = {"HF_HOME": str(out / "home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    words = [python, "-c", LEROBOT_READER, str(place), backend, str(out / "read.npz")]
    env = {**os.environ, **home}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    last = (done.stderr.strip().splitlines() or [""])[-1]
    if "No module named 'torchcodec'" in last or "import name 'VideoReader'" in last:
        pytest.skip(f"{python} has not what reads by {backend}: {last}")
    assert done.returncode == 0, done.stderr
    return np.load(out / "read.npz")


def flat(episode):
    """What the environment shows before each action of an episode."""
    with gym.make("ArenaBreaker-v0", observation="flat") as env:
        seen, _ = env.reset(seed=episode.seed, options={"stage": episode.stage})
        for action in episode.actions:
            yield seen
            seen = env.step(action)[0]


# docs/export.md says how to make such an environment.
# LEROBOT_PYTHON=lr/bin/python pytest tests/arena_breaker_gym/export/test_export.py -k own_reader
@pytest.mark.parametrize("backend", ["torchcodec", "pyav"])
def test_lerobots_own_reader_gives_every_frame_with_its_action(
    store, tmp_path, lerobot_python, backend
):
    pytest.importorskip("pyarrow")
    place = export_lerobot(store, tmp_path / "set")
    read = read_by_lerobot(lerobot_python, place, backend, tmp_path)
    episodes = list(store)
    assert np.array_equal(read["action"], np.concatenate([one.actions for one in episodes]))
    rewards = np.concatenate([one.rewards for one in episodes])
    assert np.array_equal(read["next.reward"], rewards.astype(np.float32))
    assert read["episode_index"].tolist() == [0] * 40 + [1] * 40
    assert read["next.done"].tolist() == ([False] * 39 + [True]) * 2
    assert np.array_equal(read["observation.state"], [row for one in episodes for row in flat(one)])
    frames = np.rint(read["observation.images.arena"].transpose(0, 2, 3, 1) * 255).astype(int)
    shown = np.concatenate([np.stack(list(replay(one)))[:-1] for one in episodes]).astype(int)
    assert frames.shape == shown.shape == (80, 64, 64, 3)
    away = np.abs(frames[:, None] - shown[None]).mean(axis=(2, 3, 4))
    assert away.diagonal().max() < 6  # H.264 is lossy
    assert away.argmin(axis=1).tolist() == list(range(80))  # but no frame takes another's place


def bytes_in(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_lerobot_export_that_was_killed_goes_on_to_the_same_files(store, tmp_path, played):
    with pytest.raises(StoppedError):
        export_lerobot(store, tmp_path / "set", progress=stop)
    assert not (tmp_path / "set").exists()
    place = export_lerobot(store, tmp_path / "set")
    assert played == [5, 6] and list(tmp_path.iterdir()) == [place]
    assert bytes_in(place) == bytes_in(export_lerobot(store, tmp_path / "at_once"))


def test_pieces_of_another_data_set_are_thrown_away(store, tmp_path, played):
    with pytest.raises(StoppedError):
        export_lerobot(store, tmp_path / "set", pixel_size=84, progress=stop)
    export_lerobot(store, tmp_path / "set")
    assert played == [5, 5, 6]


def test_a_lerobot_set_is_never_overwritten(store, tmp_path):
    place = export_lerobot(store, tmp_path / "set")
    told = []
    assert export_lerobot(store, place, progress=lambda *figures: told.append(figures)) == place
    assert not told
    with pytest.raises(ExportError, match="holds something else already"):
        export_lerobot(store, place, pixel_size=84)
    stats = json.loads((place / "meta/stats.json").read_text())
    actions = np.concatenate([one.actions for one in store])
    assert np.allclose(stats["action"]["mean"], actions.mean(axis=0))
    assert np.allclose(stats["action"]["std"], actions.std(axis=0))
    assert np.array(stats["observation.images.arena"]["max"]).shape == (3, 1, 1)


def test_the_minari_extra_brings_what_minaris_storage_imports():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["optional-dependencies"]["minari"]
    assert any(one.startswith("pillow") for one in wanted)
