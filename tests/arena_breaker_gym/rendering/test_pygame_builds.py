"""pygame or pygame-ce: either alone serves, and what was drawn names who drew it."""

import os
import subprocess
import sys
from pathlib import Path

import pygame

import arena_breaker_gym
from arena_breaker_agents.baselines import IdleAgent, RandomAgent
from arena_breaker_gym import EpisodeStore
from arena_breaker_gym.rendering.atlas import build_atlas
from arena_breaker_gym.rendering.skins import load
from arena_breaker_gym.rollout import rollout
from arena_breaker_gym.stages.loader import load_campaign

ROOT = Path(arena_breaker_gym.__file__).parents[1]
OTHER = {"pygame": "pygame-ce", "pygame-ce": "pygame"}
OURS = "pygame-ce" if getattr(pygame, "IS_CE", False) else "pygame"

DRAWS = """
import gymnasium as gym
for _ in range(2):
    gym.make("arena_breaker_gym:ArenaBreaker-v0", pixel_size=64, observation="pixels").reset()
"""


def drawing(*folders):
    done = subprocess.run(
        [sys.executable, "-c", DRAWS],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *folders)))},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def test_both_at_once_are_warned_of_once(tmp_path):
    assert "both installed" not in drawing()
    there = tmp_path / f"{OTHER[OURS].replace('-', '_')}-2.5.0.dist-info"
    there.mkdir()
    (there / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {OTHER[OURS]}\nVersion: 2.5.0\n")
    said = drawing(tmp_path)
    assert said.count("pygame and pygame-ce are both installed") == 1
    assert "pip uninstall -y pygame pygame-ce" in said


class Watcher(RandomAgent):
    needs = ("pixels",)


def test_an_episode_notes_who_drew_what_its_agent_saw(tmp_path):
    store = EpisodeStore(tmp_path)
    rollout(Watcher(), episodes=1, max_steps=3, env={"pixel_size": 64}, recorder=store)
    assert store.load(0).drawn_by == f"{OURS} {pygame.version.ver}"
    (blind,) = rollout(IdleAgent(), episodes=1, max_steps=3)
    assert blind.drawn_by is None


def test_kept_sprites_belong_to_the_build_that_drew_them(tmp_path, monkeypatch):
    monkeypatch.setenv("ARENA_BREAKER_CACHE", str(tmp_path))
    stage, skin = load_campaign().models[0], load("default")
    build_atlas(stage, skin, 2.0)
    monkeypatch.setattr(pygame.version, "ver", "0.0.0")
    build_atlas(stage, skin, 2.0)
    assert len(list(tmp_path.glob("atlas-*.npz"))) == 2
