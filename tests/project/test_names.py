"""Names are the field's: ours of before stand nowhere, and where users typed them they warn."""

import asyncio
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces

from arena_breaker_agents.baselines import RandomAgent
from arena_breaker_agents.tutor import llm_client
from arena_breaker_gym.cli import main
from arena_breaker_gym.deprecated import OLD_MODULES
from arena_breaker_gym.engine.shots import ENEMY_SHOT_RANGE
from arena_breaker_gym.rollout import rollout
from arena_breaker_gym.sb3 import make_vec_env
from nitrogen_adapter.data import windows
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.training.config import TrainingConfig
from tests import ROOT

# By the folders they must not stand in: names that only their authors would understand.
GONE = {
    "arena_breaker_gym agents nitrogen_adapter": "Engine LocalEngine RayEngine make_engine EXECUTE",
    "agents nitrogen_adapter": "execute",
    "arena_breaker_gym agents": (
        "Ponders CarriesOn Deliberates DESK TALLY tally BURST burst_count room_to_sort heed"
    ),
    "arena_breaker_gym": "settled inlined Crew births Terms",
    "arena_breaker_gym/wrappers arena_breaker_gym/sb3 agents": (
        "Kit Shrink Interface KitEnv KitVectorEnv Recipe recipe"
    ),
    "nitrogen_adapter arena_breaker_gym/distillation": (
        "Balance balance_of episode_balance label_balance Sights sights SightHead Waves Lesson "
        "Course sight_weight sight_kinds sight_head sight_is_frozen"
    ),
    "arena_breaker_gym/rollout agents": "Travels Presides Parcel freight bury Recipe",
    "arena_breaker_gym/rollout": "Crew Member Orders Question crew member parcel deputy",
    "agents/arena_breaker_agents": (
        "Mind MindError mind Question Reply Books Own Desk Deputy deputy Sitting "
        "hungry Terms spoken"
    ),
}
# Files that know old names in order to warn of them.
ALIASES = (
    "agents/arena_breaker_agents/nitrogen.py",
    "deprecated.py",
)
MOST_MODULES = 230  # a new one takes the place of a fragment that joins its neighbour
# Lines that name an old name on purpose.
ALLOWED = re.compile(
    r'old name|old_keyword|old_names|stored files|": f"\{_|OLD_|"(looked|meanwhile|ponder|recipe)"'
    r'|"(sight_\w+|draws)": '
)


@pytest.mark.parametrize("folders", GONE)
def test_old_names_are_gone(folders):
    words = re.compile(rf"(?<!\w)({'|'.join(GONE[folders].split())})(?!\w)")
    files = [file for folder in folders.split() for file in (ROOT / folder).rglob("*.py")]
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files
        if not file.as_posix().endswith(ALIASES)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if words.search(line) and not ALLOWED.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_class_has_two_meanings():
    found = Counter(
        name
        for folder in ("arena_breaker_gym", "agents", "nitrogen_adapter")
        for file in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"^class ([A-Za-z]\w*)", file.read_text(), re.MULTILINE)
    )
    assert [name for name, count in found.items() if count > 1] == []


def test_the_old_names_of_backends_work_and_warn(monkeypatch, capsys):
    with pytest.warns(DeprecationWarning, match=r"rollout\(backend=\)"):
        assert rollout(RandomAgent(), episodes=1, max_steps=2, engine="local")
    with pytest.warns(DeprecationWarning, match=r"rollout\.engines.* is now called"):
        from arena_breaker_gym.rollout.engines import ray_engine

        assert ray_engine.RayEngine.__name__ == "RayBackend"
    told = ["rollout", "random", "-n", "1", "--max-steps", "2", "--engine=local", "--json"]
    monkeypatch.setattr(sys, "argv", ["arena-breaker", *told])
    with pytest.raises(SystemExit) as ended, pytest.warns(DeprecationWarning, match="--backend"):
        main()
    assert not ended.value.code, capsys.readouterr().err


def test_modules_that_moved_are_found_by_their_old_names_and_warn():
    with pytest.warns(DeprecationWarning, match=r"arenas is now called .*batch\.arenas"):
        from arena_breaker_gym.arenas import Arenas
    from arena_breaker_gym.batch.arenas import Arenas as Moved

    assert Arenas is Moved
    assert all(importlib.util.find_spec(new) for new in OLD_MODULES.values())
    with pytest.warns(DeprecationWarning, match=r"enemy_shots.* is now called .*shots"):
        from arena_breaker_gym.engine.enemy_shots import RANGE
    assert RANGE == ENEMY_SHOT_RANGE


def test_the_command_line_runs_under_its_old_name_and_warns():
    command = [sys.executable, "-W", "always", "-m", "arena_breaker_gym.cli", "--version"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout[:14]) == (0, "arena-breaker "), ended.stderr
    assert "cli.__main__ is now called arena_breaker_gym.__main__" in ended.stderr


def test_the_packages_have_no_more_modules_than_a_reader_can_find_through():
    folders = ("arena_breaker_gym", "agents/arena_breaker_agents", "nitrogen_adapter")
    modules = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    assert len(modules) <= MOST_MODULES


def test_there_is_no_file_by_a_modules_old_name():
    for old in OLD_MODULES:
        path = Path(*old.split("."))
        assert not [*ROOT.glob(f"{path}.py"), *ROOT.glob(f"agents/{path}.py")], old


def test_the_old_names_of_llm_clients_work_and_warn():
    class Still:
        model, options = "still", {}

        async def ask(self, question):
            return Reply(ending="called", call={})

    with pytest.warns(DeprecationWarning, match=r"Still.ask is now called complete"):
        complete = llm_client.completion(Still())
    with pytest.warns(DeprecationWarning, match=r"tutor\.mind.* is now called .*llm_client"):
        from arena_breaker_agents.tutor.mind import Reply

        assert asyncio.run(complete(None)).ending == "called"


def test_the_old_place_of_chunk_settings_works_and_warns():
    with pytest.warns(DeprecationWarning, match=r"data\.moments is now called .*windows"):
        from nitrogen_adapter.data.moments import ChunkSettings
    assert ChunkSettings is windows.ChunkSettings


def test_methods_of_agents_under_their_old_names_work_and_warn():
    class Old(RandomAgent):
        def looked(self, arenas):
            return [True] * len(arenas)

        def meanwhile(self, arenas):
            return np.ones((len(arenas), 5), np.float32)

    with pytest.warns(DeprecationWarning, match=r"Old\.(looked|meanwhile)"):
        (episode,) = rollout(Old(), episodes=1, max_steps=4, latency=4)
    assert (episode.actions[:2] == 1.0).all()
    with pytest.warns(DeprecationWarning, match="AsyncAgent"):
        from arena_breaker_gym.rollout import Ponders  # noqa: F401


def test_the_old_names_of_preprocessing_work_and_warn():
    pytest.importorskip("stable_baselines3")
    import arena_breaker_gym

    with pytest.warns(DeprecationWarning, match="Kit is now called .*PreprocessingConfig"):
        kit = arena_breaker_gym.Kit(headings=8)
    with pytest.warns(DeprecationWarning, match="kit is now called preprocessing"):
        envs = make_vec_env(1, kit=kit)
    assert envs.preprocessing == kit


def test_prose_is_plain():
    """Words for people in general, which pages and notebooks can do without."""
    unwanted = re.compile(r"\b(whoever|whomever|nobody|somebody|anybody|he|him|she)\b", re.I)
    found = {}
    for folder in ("arena_breaker_gym", "agents", "nitrogen_adapter", "examples", "docs", "."):
        for kind in ("py", "md", "ipynb"):
            pattern = f"*.{kind}" if folder == "." else f"**/*.{kind}"
            for path in (ROOT / folder).glob(pattern):
                text = re.sub(r'"image/png": "[^"]*"', "", path.read_text(encoding="utf-8"))
                if words := unwanted.findall(text):
                    found[str(path.relative_to(ROOT))] = words
    assert found == {}


def test_splits_under_their_old_names_work_and_warn():
    with pytest.warns(DeprecationWarning, match="split 'acts' is now called 'action_head'"):
        config = TrainingConfig(split="acts")
    assert config.split == "action_head"
    model = NitroGen.preset("tiny")
    with pytest.warns(DeprecationWarning, match="action_head"):
        count = model.trainable_parameters("acts+attention")
    assert count == model.trainable_parameters("action_head+attention")


def test_policies_stored_under_old_names_of_layers_load():
    networks = pytest.importorskip("arena_breaker_gym.sb3.policy_file")
    network = networks.SmallCNN(spaces.Box(0.0, 1.0, (3, 42, 42)))
    renamed = {"features": "eyes", "head": "mind"}
    stored = {}
    for name, value in network.state_dict().items():
        first, _, rest = name.partition(".")
        stored[f"{renamed[first]}.{rest}"] = value + 1.0
    network.load_state_dict(stored)
    assert (network.head[0].bias == stored["mind.0.bias"]).all()
