"""Reference games: what the engine makes of some seeds and actions, in `data/play_hashes.json`.

After a change of play and of `ENGINE_VERSION`, `python -m tests.play_guard` writes the file anew,
and, beside it, the words of a tutor's prompt whose version is new.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from gymnasium.utils import seeding

from arena_breaker_agents.tutor.prompt import VERSIONS, Prompt
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.env import draw_keys
from arena_breaker_gym.settings import Settings
from tests.trajectories import actions_of

FILE = Path(__file__).parent / "data/play_hashes.json"
STEPS = 900
GAMES = {
    f"seed{seed}-stage{stage}-{'fix' if fix else 'bug'}": (seed, stage, fix)
    for stage in (1, 2, 3)
    for seed in (11, 12, 13)
    for fix in (True, False)
}


def reference() -> dict[str, object]:
    """What the file is to hold, as the engine plays now."""
    games = {name: played(*game) for name, game in GAMES.items()}
    return {"engine_version": ENGINE_VERSION, "stages": stages(), "games": games}


def stages() -> str:
    """The digest of the shipped stages."""
    return Arenas(Settings(), count=1).loaded.digest


def played(seed: int, stage: int, fix: bool) -> str:
    """A hash of every moment of a game: walks and dashes by chance, shoots at who is nearest."""
    arenas = Arenas(Settings(point_blank_fix=fix), count=1)
    arenas.reset(0, draw_keys(seeding.np_random(seed)[0]), stage=stage)
    digest = hashlib.sha256()
    for action in actions_of(seed, STEPS):
        nearest = arenas.observe().enemies[0, 0]
        if nearest[0]:
            action[2:4] = nearest[1:3] / np.sqrt(nearest[1] ** 2 + nearest[2] ** 2)
        arenas.step(action[np.newaxis])
        digest.update(arenas.records.tobytes())
        if arenas.terminated[0]:
            arenas.reset(0, draw_keys(seeding.np_random(seed + 100)[0]), stage=stage)
    return digest.hexdigest()


def prompt_words(version: str) -> str:
    """All that a version of the prompt says of the shipped stages."""
    told = Prompt.of(version, stages=None, frame_skip=2, decision_steps=6, most_holds=3)
    tool = {"name": told.tool.name, "about": told.tool.description, "schema": told.tool.schema}
    return f"{told.system}\n\n{json.dumps(tool, indent=2)}\n"


def prompt_file(version: str) -> Path:
    """Where the words of a version are kept, which never change."""
    return FILE.parent / "tutor" / f"prompt_{version}.txt"


if __name__ == "__main__":
    FILE.write_text(json.dumps(reference(), indent=1) + "\n", encoding="utf-8")
    for version in VERSIONS:
        if not prompt_file(version).exists():
            prompt_file(version).write_text(prompt_words(version), encoding="utf-8")
