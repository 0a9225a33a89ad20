"""Files of the first release, kept in `data/old_files`, are read and gone on with ever after."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch

from arena_breaker_agents.registry import make_agent
from arena_breaker_agents.tutor.transcript import Transcript
from arena_breaker_gym.cli import main
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.rollout import EpisodeStore, rollout, verify
from arena_breaker_gym.rollout.replay import ReplayError
from nitrogen_adapter import NitroGen, checkpoint
from nitrogen_adapter.data.label_examples import label_tracks
from nitrogen_adapter.gamepad import pack
from nitrogen_adapter.training.post_training import DataConfig
from tests import DATA

OLD = DATA / "old_files"


PLAYED_UNDER = 1  # the engine's version then
under_the_same_rules = pytest.mark.skipif(
    ENGINE_VERSION != PLAYED_UNDER, reason="play has changed since these files were written"
)


@pytest.mark.parametrize("folder", ["episodes", "snapshots", "tutor"])
def test_episodes_are_read_and_play_as_they_were_played(folder):
    """Or are refused in a sentence, where the rules have changed since."""
    episodes = list(EpisodeStore(OLD / folder))
    assert episodes
    for one in episodes:
        assert one.engine_version == PLAYED_UNDER
        if ENGINE_VERSION == PLAYED_UNDER:
            verify(one)
        else:
            with pytest.raises(ReplayError, match=f"under version {PLAYED_UNDER} of the engine"):
                verify(one)
    assert (folder == "snapshots") == all(one.snapshots for one in episodes)


@under_the_same_rules
def test_a_transcript_plays_the_episodes_of_its_run():
    lines = list(Transcript.find(OLD / "tutor").lines)
    assert [line.values["usage"]["output"] > 0 for line in lines] == [True] * 10
    again = rollout(make_agent(f"replay:{OLD / 'tutor'}"), episodes=2, seed=0, max_steps=30)
    for one, other in zip(again, EpisodeStore(OLD / "tutor"), strict=True):
        assert one.final_hash == other.final_hash


def test_a_checkpoint_is_read_in_both_forms_and_plays():
    pickled, plain = (checkpoint.load(OLD / f"student{end}") for end in (".pt", ".safetensors"))
    assert pickled.config == plain.config
    for name, value in pickled.state_dict().items():
        assert torch.equal(value, plain.state_dict()[name]), name
    agent = make_agent(f"nitrogen:{OLD / 'student.safetensors'}")
    assert len(rollout(agent, episodes=1, seed=0, max_steps=3)[0]) == 3


def test_a_policy_plays():
    pytest.importorskip("stable_baselines3")
    agent = make_agent(f"sb3:{OLD / 'policy.zip'}")
    (episode,) = rollout(agent, episodes=1, seed=5, env={"observation": "state"}, max_steps=20)
    assert len(episode) == 20
    assert not episode.failed


def test_labels_are_the_actions_of_their_episode():
    (track,) = label_tracks(OLD / "labels")
    (episode,) = EpisodeStore(OLD / "snapshots")
    np.testing.assert_array_equal(track.rows, pack(episode.actions))


@under_the_same_rules
def test_a_post_training_goes_on_where_it_was_killed(tmp_path, monkeypatch):
    """Command line, settings, training state and figures are those that were written then."""
    run = tmp_path / "run"
    shutil.copytree(OLD / "posttrain", run)
    # The digests of the data cover the renderer's source text, which may change.
    data = DataConfig(episodes=(OLD / "episodes",), stride=6)
    about = data.split(checkpoint.load(OLD / "student.pt"), 0).about()
    settings = json.loads((run / "settings.json").read_text()) | {"data": about}
    (run / "settings.json").write_text(json.dumps(settings))
    reached = checkpoint.read(run / "training.pt", expected=("parameters",))["step"]
    said = "--stride 6 --batch-size 4 --heldout-most 8 --epochs 12 --execute 6"
    where = ["--episodes", str(OLD / "episodes"), "--out", str(run)]
    command = ["nitrogen", "posttrain", str(OLD / "student.pt"), *where, *said.split()]
    monkeypatch.setattr(sys, "argv", ["arena-breaker", *command])
    with pytest.raises(SystemExit) as ended, pytest.warns(DeprecationWarning, match="--n-action"):
        main()
    assert not ended.value.code
    report = json.loads((run / "report.json").read_text())
    assert 0 < reached < report["steps"]
    kept = (OLD / "posttrain" / "metrics.jsonl").read_text().splitlines()[: reached + 1]
    assert (run / "metrics.jsonl").read_text().splitlines()[: len(kept)] == kept
    NitroGen.from_checkpoint(run / "model.pt")
