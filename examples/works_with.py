"""Tries our ids with other libraries as their users would, and writes what came of it to a page.

Run `python examples/works_with.py` from the repository's root, in an environment in which some of
these libraries are installed (none is a dependency of ours): each that is there plays a bounded
number of steps in a process of its own. `docs/works_with.md` is written from what this and
earlier runs found, so that libraries which cannot live in one environment can be tried in several.
NAMEs as arguments try only those.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gymnasium as gym
import numpy as np

import arena_breaker_gym  # noqa: F401  # registers, where the plug-in is not installed

PAGE = Path(__file__).parents[1] / "docs/works_with.md"
DATA = Path(__file__).parents[1] / "docs/data/works_with.json"
FLAT, STATE, PIXELS = "ArenaBreaker-Flat-v0", "ArenaBreaker-State-v0", "ArenaBreaker-Pixels84-v0"
LONGEST = 400  # seconds that a library may take


@dataclass(frozen=True)
class Trial:
    """A library that is tried.

    Attributes:
        package: Its name for pip.
        does: What is done with it.
        run: Does it and returns the steps played.
    """

    package: str
    does: str
    run: Callable[[], int]


# CleanRL: a loop of your own, as `ppo_continuous_action.py` has it


def cleanrl_envs(count: int) -> gym.vector.SyncVectorEnv:
    """Environments under the wrappers that CleanRL's continuous PPO puts on them."""

    def make() -> gym.Env[Any, Any]:
        env = gym.wrappers.FlattenObservation(gym.make(FLAT))
        env = gym.wrappers.ClipAction(gym.wrappers.RecordEpisodeStatistics(env))
        env = gym.wrappers.NormalizeObservation(env)
        env = gym.wrappers.TransformObservation(
            env, lambda seen: np.clip(seen, -10, 10), env.observation_space
        )
        return gym.wrappers.NormalizeReward(env)

    return gym.vector.SyncVectorEnv([make] * count)


def play_cleanrl() -> int:
    """Two rounds of rollout and update."""
    import torch
    from torch import nn

    envs, steps = cleanrl_envs(2), 128
    inputs, outputs = envs.single_observation_space.shape[0], envs.single_action_space.shape[0]
    actor, critic = (
        nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, width))
        for width in (outputs, 1)
    )
    spread = nn.Parameter(torch.zeros(outputs))
    learned = [*actor.parameters(), *critic.parameters(), spread]
    optimiser = torch.optim.Adam(learned, lr=3e-4)
    seen = torch.tensor(envs.reset(seed=1)[0], dtype=torch.float32)
    for _ in range(2):
        rows: list[tuple[torch.Tensor, ...]] = []
        for _ in range(steps):
            with torch.no_grad():
                noise = torch.distributions.Normal(actor(seen), spread.exp())
                action = noise.sample()
            shown, rewards, ended, cut, _ = envs.step(action.numpy())
            over = torch.tensor(ended | cut, dtype=torch.float32)
            paid = torch.tensor(rewards, dtype=torch.float32)
            rows.append((seen, action, noise.log_prob(action).sum(-1), paid, over))
            seen = torch.tensor(shown, dtype=torch.float32)
        learn_cleanrl(rows, actor, critic, spread, optimiser)
    return 2 * 2 * steps


def learn_cleanrl(rows: Any, actor: Any, critic: Any, spread: Any, optimiser: Any) -> None:
    """One update with PPO's clipped objective, over discounted returns."""
    import torch

    seen, actions, before, rewards, over = (torch.stack(parts) for parts in zip(*rows, strict=True))
    returns, ahead = torch.zeros_like(rewards), torch.zeros(rewards.shape[1])
    for step in reversed(range(len(rewards))):
        ahead = rewards[step] + 0.99 * ahead * (1 - over[step])
        returns[step] = ahead
    values = critic(seen).squeeze(-1)
    gain = (returns - values).detach()
    now = torch.distributions.Normal(actor(seen), spread.exp()).log_prob(actions).sum(-1)
    ratio = (now - before).exp()
    bounded = torch.min(ratio * gain, ratio.clamp(0.8, 1.2) * gain)
    loss = -bounded.mean() + 0.5 * (returns - values).pow(2).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


# Libraries


def play_gymnasium() -> int:
    """Its wrapper for PyTorch, infos included, and its vector wrappers over the native batch."""
    import torch

    env = gym.wrappers.NumpyToTorch(gym.make(STATE))
    env.reset(seed=0)
    for _ in range(100):
        *_, info = env.step(torch.zeros(5))
    assert isinstance(info["reward_score"], torch.Tensor)
    envs = gym.wrappers.vector.RecordEpisodeStatistics(gym.make_vec(FLAT, num_envs=4))
    envs = gym.wrappers.vector.DictInfoToList(envs)
    envs.reset(seed=0)
    for _ in range(100):
        envs.step(envs.action_space.sample())
    return 500


def play_sb3() -> int:
    """PPO from the vector and from pixels."""
    from stable_baselines3 import PPO

    PPO("MlpPolicy", FLAT, n_steps=128, batch_size=64, device="cpu").learn(256)
    PPO("CnnPolicy", PIXELS, n_steps=64, batch_size=32, device="cpu").learn(64)
    return 320


def play_zoo() -> int:
    """Its training script, by id."""
    settings = """
        ArenaBreaker-Flat-v0:
          n_timesteps: 256
          policy: MlpPolicy
          n_steps: 128
          batch_size: 64
    """
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / "ppo.yml"
        conf.write_text(textwrap.dedent(settings), encoding="utf-8")
        command = [sys.executable, "-m", "rl_zoo3.train", "--algo", "ppo", "--env", FLAT]
        command += ["--conf-file", str(conf), "--gym-packages", "arena_breaker_gym"]
        command += ["-f", folder, "--device", "cpu", "--eval-freq", "-1", "-P"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return 256


def play_torchrl() -> int:
    """`GymEnv` by id and `check_env_specs`, infos read; the native batch with its own resets."""
    from torchrl.envs import GymEnv, GymWrapper, check_env_specs

    for name in ("ArenaBreaker-v0", STATE, FLAT, PIXELS):
        env = GymEnv(name)
        check_env_specs(env)
        env.rollout(50)
        check_env_specs(GymEnv(name).auto_register_info_dict())
        batch = gym.make_vec(name, num_envs=2, autoreset_mode="SameStep", max_episode_steps=20)
        GymWrapper(batch).rollout(50, break_when_any_done=False)  # reads final infos by itself
    return 4 * 150


def play_rllib() -> int:
    """One iteration of PPO."""
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    import ray
    from ray.rllib.algorithms.ppo import PPOConfig

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    config = PPOConfig().environment("arena_breaker_gym:" + FLAT)
    config = config.env_runners(num_env_runners=0, rollout_fragment_length=128)
    config = config.training(train_batch_size=256, minibatch_size=64, num_epochs=1)
    algorithm = config.build_algo()
    algorithm.train()
    algorithm.stop()
    ray.shutdown()
    return 256


def play_tianshou() -> int:
    """Its vector environment and its `Batch` of infos."""
    from tianshou.data import Batch
    from tianshou.env import DummyVectorEnv

    envs = DummyVectorEnv([lambda: gym.make(FLAT) for _ in range(2)])
    envs.reset(seed=0)
    for _ in range(100):
        *_, infos = envs.step(np.zeros((2, 5), np.float32))
        assert Batch(infos)["hp"].shape == (2,)
    return 200


def play_skrl() -> int:
    """Its wrappers over one environment and over the native batch."""
    import torch
    from skrl.envs.wrappers.torch import wrap_env

    for env in (gym.make(FLAT), gym.make_vec(FLAT, num_envs=2)):
        wrapped = wrap_env(env, wrapper="gymnasium", verbose=False)
        wrapped.reset()
        for _ in range(100):
            wrapped.step(torch.zeros((wrapped.num_envs, 5), device=wrapped.device))
    return 300


def play_minari() -> int:
    """Records with `DataCollector`, infos included, and builds the environment from the file."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MINARI_DATASETS_PATH"] = folder
        import minari

        recorder = minari.DataCollector(gym.make(FLAT, max_episode_steps=50), record_infos=True)
        for seed in range(2):
            recorder.reset(seed=seed)
            while not any(recorder.step(recorder.action_space.sample())[2:4]):
                pass
        dataset = recorder.create_dataset(dataset_id="arena/flat-v0")
        dataset.recover_environment().reset(seed=0)
        return int(dataset.total_steps)


TRIALS: Mapping[str, Trial] = MappingProxyType(
    {
        "Gymnasium": Trial("gymnasium", "NumpyToTorch, vector wrappers", play_gymnasium),
        "CleanRL's loop": Trial("torch", "its wrappers, PPO, two updates", play_cleanrl),
        "Stable-Baselines3": Trial("stable-baselines3", "PPO, vector and pixels", play_sb3),
        "RL Zoo": Trial("rl_zoo3", "`rl_zoo3.train --algo ppo`", play_zoo),
        "TorchRL": Trial(
            "torchrl", "`GymEnv`, `check_env_specs`, infos, native batch", play_torchrl
        ),
        "RLlib": Trial("ray", "PPO, one iteration", play_rllib),
        "Tianshou": Trial("tianshou", "`DummyVectorEnv`, `Batch` of infos", play_tianshou),
        "skrl": Trial("skrl", "`wrap_env`, one and native batch", play_skrl),
        "Minari": Trial("minari", "`DataCollector`, recovered environment", play_minari),
    }
)


@dataclass(frozen=True)
class Row:
    """What came of a trial: versions, steps played, and "works" or what was said instead."""

    version: str
    gymnasium: str
    steps: int
    result: str
    tried: str


def tried(name: str) -> Row | None:
    """Tries a library in a process of its own; None if it is not installed here."""
    trial = TRIALS[name]
    try:
        version = importlib.metadata.version(trial.package)
    except importlib.metadata.PackageNotFoundError:
        return None
    command = [sys.executable, __file__, "--one", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
        said = (done.stderr.strip() or "no word").splitlines()[-1][:160]
        last = (done.stdout.strip() or "0").splitlines()[-1]
    except subprocess.TimeoutExpired:
        return _row(version, 0, f"took longer than {LONGEST} s")
    if "ModuleNotFoundError" in said:  # says nothing about us
        print(f"{name} misses something of its own: {said}")
        return None
    if done.returncode != 0:
        return _row(version, 0, said)
    return _row(version, int(last), "works")


def _row(version: str, steps: int, result: str) -> Row:
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Row(version, importlib.metadata.version("gymnasium"), steps, result, day)


def page_of(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The page, from what all runs found."""
    lines = [
        "# Works with",
        "",
        "What came of our ids in other libraries, each played for the steps named. Written by",
        "`python examples/works_with.py`, which holds the code of every trial. Only Gymnasium is a",
        "dependency; Stable-Baselines3 and Minari come with the extras `rl` and `minari`.",
        "",
        "| library | version | with Gymnasium | what was done | steps | result | tried |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, trial in TRIALS.items():
        row = rows.get(name)
        cells = (
            [name, "-", "-", trial.does, "-", "not installed", "-"]
            if row is None
            else [
                name,
                f"{trial.package} {row['version']}",
                row["gymnasium"],
                trial.does,
                str(row["steps"]),
                row["result"],
                row["tried"],
            ]
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Tries what is asked for, and writes page and data."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TRIALS))
    parser.add_argument("--one", choices=TRIALS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(TRIALS[arguments.one].run())
        return
    if unknown := set(arguments.names) - set(TRIALS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; choose from {', '.join(TRIALS)}")
    rows = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {}
    for name in arguments.names or TRIALS:
        row = tried(name)
        print(f"{name}: {'not tried' if row is None else f'{row.result}, {row.steps} steps'}")
        if row is not None:
            rows[name] = asdict(row)
    DATA.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page_of(rows), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
