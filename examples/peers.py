"""Plays on our ids with one other library, as its own users would, for about a minute.

`python examples/peers.py NAME --seconds 60`, in an environment that has that library: what was
played is the last line, as JSON. `works_with.py` beside this makes those environments and asks.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gymnasium as gym
import numpy as np

FLAT, STATE, PIXELS = "ArenaBreaker-Flat-v0", "ArenaBreaker-State-v0", "ArenaBreaker-Pixels84-v0"
WEIGHTS = Path(__file__).parents[1] / "nitrogen_adapter/weights/base.safetensors"
LINE_OF_CLEANRL = "env = gym.wrappers.TransformObservation(env, lambda obs: np.clip(obs, -10, 10))"


class PeerError(Exception):
    """A program of a peer ended badly; what it said last is the message."""


@dataclass(frozen=True)
class Where:
    """What a play is given.

    Attributes:
        seconds: How long it is to play, about.
        clone: The peer's repository, for peers that are not in an index.
        node: A folder with Node.js packages, for a peer that is one.
    """

    seconds: float
    clone: Path
    node: Path

    def turns(self, most: int = 10**9) -> Iterator[int]:
        """Counts until the time is over."""
        until = time.monotonic() + self.seconds
        for turn in range(most):
            if time.monotonic() > until:
                return
            yield turn


@dataclass(frozen=True)
class Played:
    """What a play comes to: the peer's version, steps, and what a reader should know besides."""

    version: str
    steps: int
    note: str = ""


def said_by(command: list[str], **options: Any) -> str:
    """Runs a program and returns its output; its last words are the error where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise PeerError((done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1])
    return done.stdout


def released(package: str, steps: int, note: str = "") -> Played:
    """What was played with a package of the index."""
    return Played(f"{package} {importlib.metadata.version(package)}", steps, note)


def cloned(name: str, clone: Path, steps: int, note: str = "") -> Played:
    """What was played with a repository's newest commit."""
    commit = said_by(["git", "-C", str(clone), "rev-parse", "--short=8", "HEAD"]).strip()
    return Played(f"{name} at {commit}", steps, note)


# Libraries of the index


def play_gymnasium(where: Where) -> Played:
    """Its wrapper for PyTorch, infos included, and its vector wrappers over the native batch."""
    import torch

    env = gym.wrappers.NumpyToTorch(gym.make(STATE))
    envs = gym.wrappers.vector.RecordEpisodeStatistics(gym.make_vec(FLAT, num_envs=4))
    envs = gym.wrappers.vector.DictInfoToList(envs)
    env.reset(seed=0)
    envs.reset(seed=0)
    steps = 0
    for _ in where.turns():
        _, _, terminated, truncated, info = env.step(torch.as_tensor(env.action_space.sample()))
        assert isinstance(info["reward_score"], torch.Tensor)
        if terminated or truncated:
            env.reset()
        envs.step(envs.action_space.sample())
        steps += 5
    return released("gymnasium", steps)


def play_sb3(where: Where) -> Played:
    """PPO from the vector, then from pixels."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback

    class Until(BaseCallback):
        def __init__(self, seconds: float) -> None:
            super().__init__()
            self.until = time.monotonic() + seconds

        def _on_step(self) -> bool:
            return time.monotonic() < self.until

    steps = 0
    for policy, name, n_steps in (("MlpPolicy", FLAT, 512), ("CnnPolicy", PIXELS, 64)):
        model = PPO(policy, name, n_steps=n_steps, batch_size=64, device="cpu")
        model.learn(10**9, callback=Until(where.seconds / 2))
        steps += model.num_timesteps
    return released("stable-baselines3", steps)


def play_zoo(where: Where) -> Played:
    """Its training script, by id."""
    steps = int(where.seconds * 250)
    settings = f"""
        {FLAT}:
          n_timesteps: {steps}
          policy: MlpPolicy
          n_steps: 512
          batch_size: 64
    """
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / "ppo.yml"
        conf.write_text(textwrap.dedent(settings), encoding="utf-8")
        command = [sys.executable, "-m", "rl_zoo3.train", "--algo", "ppo", "--env", FLAT]
        command += ["--conf-file", str(conf), "--gym-packages", "arena_breaker_gym"]
        said_by([*command, "-f", folder, "--device", "cpu", "--eval-freq", "-1"], cwd=folder)
    return released("rl_zoo3", steps)


def play_torchrl(where: Where) -> Played:
    """`GymEnv` by id and `check_env_specs`, infos read; the native batch with its own resets."""
    from torchrl.envs import GymEnv, GymWrapper, check_env_specs

    ids = ("ArenaBreaker-v0", STATE, FLAT, PIXELS)
    for name in ids:
        check_env_specs(GymEnv(name))
        check_env_specs(GymEnv(name).auto_register_info_dict())
    steps = 0
    for turn in where.turns():
        name = ids[turn % len(ids)]
        steps += GymEnv(name).auto_register_info_dict().rollout(100).numel()
        batch = gym.make_vec(name, num_envs=2, autoreset_mode="SameStep", max_episode_steps=20)
        played = GymWrapper(batch).rollout(50, break_when_any_done=False)  # reads final infos
        steps += played.numel()
    return released("torchrl", steps)


def play_rllib(where: Where) -> Played:
    """Iterations of PPO."""
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    import ray
    from ray.rllib.algorithms.ppo import PPOConfig

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    config = PPOConfig().environment("arena_breaker_gym:" + FLAT)
    config = config.env_runners(num_env_runners=0, rollout_fragment_length=512)
    config = config.training(train_batch_size=512, minibatch_size=64, num_epochs=2)
    algorithm = config.build_algo()
    steps = 0
    for _ in where.turns():
        algorithm.train()
        steps += 512
    algorithm.stop()
    ray.shutdown()
    return released("ray", steps)


def play_tianshou(where: Where) -> Played:
    """Its vector environment and its `Batch` of infos."""
    from tianshou.data import Batch
    from tianshou.env import DummyVectorEnv

    envs = DummyVectorEnv([lambda: gym.make(FLAT) for _ in range(2)])
    envs.reset(seed=0)
    steps = 0
    for _ in where.turns():
        actions = np.stack([space.sample() for space in envs.action_space])
        _, _, terminated, truncated, infos = envs.step(actions)
        assert Batch(infos)["hp"].shape == (2,)
        if (over := np.flatnonzero(terminated | truncated)).size:
            envs.reset(over)
        steps += 2
    return released("tianshou", steps)


def play_skrl(where: Where) -> Played:
    """Its wrappers over one environment and over the native batch."""
    import torch
    from skrl.envs.wrappers.torch import wrap_env

    made = (gym.make(FLAT), gym.make_vec(FLAT, num_envs=2))
    wrapped = [wrap_env(env, wrapper="gymnasium", verbose=False) for env in made]
    single, _ = wrapped
    for env in wrapped:
        env.reset()
    steps = 0
    for _ in where.turns():
        for env in wrapped:
            actions = 2 * torch.rand((env.num_envs, 5), device=env.device) - 1
            _, _, terminated, truncated, _ = env.step(actions)
            steps += env.num_envs
            if env is single and (terminated | truncated).any():
                env.reset()
    return released("skrl", steps)


def play_minari(where: Where) -> Played:
    """Records with `DataCollector`, infos included, and builds the environment from the file."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MINARI_DATASETS_PATH"] = folder
        import minari

        recorder = minari.DataCollector(gym.make(FLAT), record_infos=True)
        for seed in where.turns():
            recorder.reset(seed=seed)
            while not any(recorder.step(recorder.action_space.sample())[2:4]):
                pass
        dataset = recorder.create_dataset(dataset_id="arena/flat-v0")
        again = minari.load_dataset("arena/flat-v0").recover_environment()
        assert np.array_equal(again.reset(seed=0)[0], dataset[0].observations[0])
        return released("minari", int(dataset.total_steps))


# Scripts of repositories


def play_cleanrl(where: Where) -> Played:
    """Its script by id; as it stands where Gymnasium takes it, else with one line brought up."""
    script = (where.clone / "cleanrl/ppo_continuous_action.py").resolve()
    steps = max(1, int(where.seconds * 300 / 2048)) * 2048
    with tempfile.TemporaryDirectory() as folder:
        try:
            _cleanrl(script, FLAT, 2048, folder)
            note = ""
        except PeerError as error:
            if "observation_space" not in str(error):
                raise
            note = _ends_everywhere(script, folder)
            script = _brought_up(script, Path(folder))
        _cleanrl(script, FLAT, steps, folder)
    return cloned("CleanRL", where.clone, steps, note)


def _cleanrl(script: Path, env_id: str, steps: int, folder: str) -> None:
    command = [sys.executable, str(script), "--env-id", env_id, "--total-timesteps", str(steps)]
    said_by([*command, "--no-cuda"], cwd=folder)


def _ends_everywhere(script: Path, folder: str) -> str:
    """Shows that a script ends on Gymnasium's own environment just as on ours."""
    try:
        _cleanrl(script, "Pendulum-v1", 2048, folder)
    except PeerError:
        return "one line brought up to Gymnasium 1, without which it ends on Pendulum-v1, too"
    raise PeerError("it plays Pendulum-v1, and not this")


def _brought_up(script: Path, folder: Path) -> Path:
    text = script.read_text(encoding="utf-8")
    if text.count(LINE_OF_CLEANRL) != 1:
        raise PeerError("the line that Gymnasium 1 refuses is another now")
    changed = folder / script.name
    new_line = LINE_OF_CLEANRL[:-1] + ", env.observation_space)"
    changed.write_text(text.replace(LINE_OF_CLEANRL, new_line), encoding="utf-8")
    return changed


@contextmanager
def served(command: list[str], ready: str) -> Iterator[str]:
    """A server of ours, from the line that says where it listens until it is ended."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )
    assert process.stdout is not None
    said = []
    try:
        for line in process.stdout:
            said.append(line.strip())
            if ready in line:
                yield line.strip()
                return
        raise PeerError(" ".join(said[-1:]) or "the server said nothing")
    finally:
        process.terminate()
        process.wait()


def _ours(*words: str) -> list[str]:
    return [str(Path(sys.executable).with_name("arena-breaker")), *words]


def play_nitrogen(where: Where) -> Played:
    """Its client as it stands, which asks our server for the gamepad at every frame."""
    from nitrogen_adapter.gamepad import BUTTONS
    from nitrogen_adapter.mapping import ArenaMapping

    sys.path.insert(0, str(where.clone))
    from nitrogen.inference_client import ModelClient

    env, port, steps = gym.make("ArenaBreaker-v0", render_mode="rgb_array"), _free_port(), 0
    env.reset(seed=0)
    with (
        served(_ours("nitrogen", "serve", str(WEIGHTS), "--port", str(port)), str(port)),
        ModelClient(port=port) as client,
    ):
        client.reset()
        assert client.info()["action_downsample_ratio"] >= 1
        for _ in where.turns():
            pad = client.predict(env.render())
            assert pad["buttons"].shape[1] == len(BUTTONS)
            sticks = (np.concatenate([pad["j_left"], pad["j_right"]], axis=1) + 1) / 2
            rows = np.concatenate([pad["buttons"], sticks], axis=1)
            for action in ArenaMapping().unpack(rows):
                steps += 1
                _, _, terminated, truncated, _ = env.step(action)
                if terminated or truncated:
                    env.reset()
                    break
    return cloned("NitroGen", where.clone, steps, "the client; its `play.py` needs Windows")


def _free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


# The MCP inspector


def play_inspector(where: Where) -> Played:
    """Its command line: over stdio what there is, over HTTP an episode, a call a process."""
    package = where.node / "node_modules/@modelcontextprotocol/inspector/package.json"
    version = json.loads(package.read_text(encoding="utf-8"))["version"]
    port, steps = _free_port(), 0
    with tempfile.TemporaryDirectory() as folder:
        tools = _inspected(where, _ours("mcp", "--out", folder), "tools/list")["tools"]
        assert "act" in {tool["name"] for tool in tools}
        server = _ours("mcp", "--http", "--port", str(port), "--out", folder)
        with served(server, str(port)):
            target = [f"http://127.0.0.1:{port}/mcp", "--transport", "http"]
            episode = _called(where, target, "start_episode", seed=1)["episode"]
            for turn in where.turns():
                sticks = {"move_x": (-1) ** turn * 0.5, "aim_z": 1, "dash": "true"}
                answer = _called(where, target, "act", episode=episode, steps=6, **sticks)
                steps += answer["played"]
                if answer.get("ended"):
                    episode = _called(where, target, "start_episode", seed=1)["episode"]
            _called(where, target, "end_episode", episode=episode)
    return Played(f"@modelcontextprotocol/inspector {version}", steps, "each call a new process")


def _called(where: Where, target: list[str], tool: str, **arguments: Any) -> Any:
    words = [word for key, value in arguments.items() for word in ("--tool-arg", f"{key}={value}")]
    answer = _inspected(where, target, "tools/call", "--tool-name", tool, *words)
    if answer.get("isError"):
        raise PeerError(answer["content"][0]["text"])
    return json.loads(answer["content"][0]["text"])


def _inspected(where: Where, target: list[str], method: str, *words: str) -> Any:
    programs = where.node / "node_modules/.bin"
    surroundings = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    command = [str(programs / "mcp-inspector"), "--cli", *target, "--method", method, *words]
    command += ["--connect-timeout", "600000"]  # a busy machine needs longer than its 15 s
    return json.loads(said_by(command, env=surroundings))


PLAYS: Mapping[str, Callable[[Where], Played]] = MappingProxyType(
    {
        "Gymnasium": play_gymnasium,
        "CleanRL": play_cleanrl,
        "Stable-Baselines3": play_sb3,
        "RL Zoo": play_zoo,
        "TorchRL": play_torchrl,
        "RLlib": play_rllib,
        "Tianshou": play_tianshou,
        "skrl": play_skrl,
        "Minari": play_minari,
        "MCP inspector": play_inspector,
        "NitroGen's client": play_nitrogen,
    }
)


def _compile() -> None:
    """Lets a new environment compile the engine, so that the time is spent on play."""
    for env in [*map(gym.make, (FLAT, STATE, PIXELS)), gym.make_vec(FLAT, num_envs=2)]:
        env.reset(seed=0)
        env.step(env.action_space.sample())
        env.close()


def main() -> None:
    """Plays with the library named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=PLAYS)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clone", type=Path, default=Path(), help="the peer's repository")
    parser.add_argument("--node", type=Path, default=Path(), help="the folder of its npm packages")
    options = parser.parse_args()
    _compile()
    begun = time.monotonic()
    played = PLAYS[options.name](Where(options.seconds, options.clone, options.node))
    seconds = round(time.monotonic() - begun)
    print(json.dumps({**asdict(played), "seconds": seconds, "gymnasium": gym.__version__}))


if __name__ == "__main__":
    main()
