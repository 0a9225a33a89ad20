"""`train`: a config becomes a policy in a folder, killed and run again as often as you like.

The folder holds `model.zip` (what the agent `sb3` plays), `curve.json` (the learning curve and the
config), `checkpoint.safetensors` (what a later call goes on from), and what `loggers` write.
Episodes that were under way when a training was killed are lost, and what was learned in the last
20 s.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecFrameStack
from torch import Tensor

from arena_breaker_gym._runtime.files import Claim, claimed, naming, written_whole
from arena_breaker_gym._runtime.stored import is_number, is_whole, json_in
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.loggers import Board
from arena_breaker_gym.sb3 import make_vec_env
from arena_breaker_gym.sb3.policy_file import (
    ACTIVATIONS,
    EXTRACTORS,
    put_weights,
    save_policy,
    weights_of,
)
from arena_breaker_gym.wrappers.actions import ActionNoise
from arena_breaker_gym.wrappers.preprocessing import PreprocessingConfig

# Fields that stored files know under other names.
_STORED = {"preprocessing": "kit", "features_extractor": "eyes"}

_NOTE, _DIGEST = "note", "tensors_sha256"

MODEL, CURVE, CHECKPOINT = "model.zip", "curve.json", "checkpoint.safetensors"

# Arena i of training s is seeded SEEDS · (s + 1) + i, far from the seeds of benchmarks.
SEEDS = 1_000_000
PERIOD = 20.0  # s between two checkpoints
_ROWS = 200  # of a learning curve, about

Watch = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True)
class PPOConfig:
    """Hyper-parameters; a step is a decision of one arena.

    Attributes:
        preprocessing: Through what the policy sees and plays.
        settings: Of the game, as keywords: what it shows, ticks a decision, weights of the reward.
        action_noise: How actions slip on their way to the game while it learns; None: not at all.
        max_episode_steps: Decisions after which an episode is cut off.
        policy: "MlpPolicy", "CnnPolicy" or "MultiInputPolicy".
        net_arch: Units of the hidden layers, the same for policy and value.
        activation: What lies between them; a name of `policy_file.ACTIVATIONS`.
        features_extractor: What comes before them; a name of `policy_file.EXTRACTORS`, None for
            the usual one.
        frame_stack: How many frames the policy sees at once.
        num_envs: Arenas side by side.
        n_steps: Steps of each between two updates.
        batch_size: Of a gradient.
        n_epochs: How often an update goes over its steps.
        learning_rate: At the beginning; it falls linearly to a twentieth.
        entropy: Weight of the entropy at the beginning; it falls linearly to a tenth.
        gamma: Discount a decision.
        gae_lambda: Of the advantages.
        clip_range: Of the policy's change.
        steps: How many in all.
    """

    preprocessing: PreprocessingConfig
    settings: Mapping[str, Any] = field(default_factory=dict)
    action_noise: ActionNoise | None = None
    max_episode_steps: int
    policy: str = "MlpPolicy"
    net_arch: tuple[int, ...] = (256, 128)
    activation: str = "ReLU"
    features_extractor: str | None = None
    frame_stack: int = 1
    num_envs: int = 256
    n_steps: int = 32
    batch_size: int = 512
    n_epochs: int = 4
    learning_rate: float = 1e-3
    entropy: float = 0.01
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    steps: int

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` gave; a field that came later has its default.

        Raises:
            TypeError: If a field is unknown, or one that must be there is missing.
            ValueError: If its preprocessing is none.
        """
        noise = values.get("action_noise")
        parts = {
            "preprocessing": PreprocessingConfig.from_dict(values["kit"]),
            "features_extractor": values.get("eyes"),
            "action_noise": None if noise is None else ActionNoise.from_dict(noise),
            "net_arch": tuple(values["net_arch"]),
        }
        named = {name: one for name, one in values.items() if name not in _STORED.values()}
        return cls(**{**named, **parts})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        values = {_STORED.get(name, name): value for name, value in asdict(self).items()}
        return {**values, "settings": dict(self.settings), "net_arch": list(self.net_arch)}


class TrainingStateError(ValueError):
    """A file that holds no training under way, or another one."""


def save_checkpoint(model: OnPolicyAlgorithm, path: Path, note: dict[str, object]) -> None:
    """Writes all that goes on: whole, or not at all.

    Args:
        model: A PPO or A2C.
        path: The file; one that exists is replaced.
        note: What else must be known to go on, in JSON values.
    """
    tensors = {f"policy.{name}": one for name, one in weights_of(model.policy).items()}
    for number, memory in model.policy.optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{name}": torch.as_tensor(one) for name, one in memory.items()}
    tensors["random"] = torch.get_rng_state()
    with written_whole(path) as part:
        kept = {name: one.detach().cpu().contiguous() for name, one in tensors.items()}
        text = json.dumps({**note, _DIGEST: _digest_of(kept)})
        # Not `save_file`: a kill leaves a temporary file of its own, which nothing would sweep.
        content = save_tensors(kept, metadata={_NOTE: text})
        with naming(path):
            part.write_bytes(content)


def read_note(path: Path) -> dict[str, Any] | None:
    """The note of a checkpoint; None if there is no file.

    Raises:
        CheckpointError: If it is damaged or something else.
    """
    if not path.exists():
        return None
    return {name: value for name, value in _note_in(path).items() if name != _DIGEST}


def _note_in(path: Path) -> dict[str, object]:
    try:
        with safe_open(path, "pt") as file:
            note = json_in(file.metadata()[_NOTE])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise TrainingStateError(f"{path} is damaged, or no training under way.") from error
    if not isinstance(note, dict):
        raise TrainingStateError(f"{path} is no training under way.")
    return note


def restore_checkpoint(model: OnPolicyAlgorithm, path: Path) -> None:
    """Puts weights, Adam's memory and torch's generator back.

    Raises:
        CheckpointError: If the file does not fit the model.
    """
    note = _note_in(path)
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    if _DIGEST in note and note[_DIGEST] != _digest_of(tensors):
        raise TrainingStateError(f"{path} is damaged: its numbers are not those that were written.")
    policy = {k.removeprefix("policy."): v for k, v in tensors.items() if k.startswith("policy.")}
    try:
        put_weights(model.policy, policy)
        optimizer = model.policy.optimizer
        optimizer.load_state_dict({**optimizer.state_dict(), "state": _memories(tensors)})
        torch.set_rng_state(tensors["random"])
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise TrainingStateError(f"{path} does not fit this training.") from error


def _digest_of(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names, kinds, shapes and numbers, in the order of the names."""
    digest = sha256()
    for name in sorted(tensors):
        one = tensors[name].contiguous()
        digest.update(f"{name} {one.dtype} {tuple(one.shape)}\n".encode())
        digest.update(one.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _memories(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Adam's memory of each parameter."""
    memories: dict[int, dict[str, Tensor]] = {}
    for name, one in tensors.items():
        if name.startswith("adam."):
            _, number, part = name.split(".")
            memories.setdefault(int(number), {})[part] = one
    return memories


def train(
    config: PPOConfig,
    out: Path,
    *,
    seed: int = 0,
    minutes: float | None = None,
    num_threads: int | None = None,
    watch: Watch | None = None,
) -> Path:
    """Trains, or goes on with what lies in the folder.

    Args:
        config: How.
        out: The folder.
        seed: Of networks, choices and games.
        minutes: Ends it earlier, the schedules too; time spent in earlier calls counts.
        num_threads: That step arenas; it changes nothing but the time.
        watch: Told now and then in words what is going on, and the share of all that is done.

    Returns:
        The policy's file.

    Raises:
        TrainingStateError: If the folder holds another training.
        MissingExtraError: If a logger's library is not installed.
        ValueError: If `ARENA_BREAKER_LOG` names a logger that there is not.
    """
    with claimed(out) as claim:
        run = _Run(config, out, seed, minutes, num_threads, watch)
        run.claim = claim
        try:
            if run.share < 1.0:
                left = max(config.steps - run.model.num_timesteps, 1)
                run.model.learn(left, callback=run, reset_num_timesteps=False)
                run.keep()
        finally:
            run.env.close()
            run.board.close()
    return out / MODEL


class _Run(BaseCallback):
    """One call of `train` under way."""

    model: PPO
    claim: Claim

    def __init__(
        self,
        config: PPOConfig,
        out: Path,
        seed: int,
        minutes: float | None,
        num_threads: int | None,
        watch: Watch | None,
    ) -> None:
        super().__init__()
        self.config = config
        self.out = out
        self.seed = seed
        self.seconds = np.inf if minutes is None else 60.0 * minutes
        self.watch = watch
        note = self._checked_note()
        self.spent: float = note["seconds"] if note else 0.0
        self.cpu_spent: float = note["cpu_seconds"] if note else 0.0
        self.curve: list[dict[str, Any]] = note["curve"] if note else []
        done: int = note["steps"] if note else 0
        self.endings: list[dict[str, Any]] = []
        self.board = Board(out, step=done)
        self._start_clock()  # PPO asks for the rate when it is made
        self.env = _env(config, num_threads)
        self.model = _ppo(config, self.env, seed, rate=self._rate)
        self.env.seed(SEEDS * (seed + 1) + done)  # PPO has just seeded them with `seed` itself
        self.model.num_timesteps = done
        if note:
            restore_checkpoint(self.model, out / CHECKPOINT)
        self._start_clock()

    def _start_clock(self) -> None:
        self.began = self.kept = time.monotonic()
        self.cpu_began = time.process_time()

    @property
    def elapsed(self) -> float:
        """Seconds spent, those of earlier calls included."""
        return self.spent + time.monotonic() - self.began

    @property
    def cpu_elapsed(self) -> float:
        """Seconds that all threads computed, those of earlier calls included."""
        return self.cpu_spent + time.process_time() - self.cpu_began

    @property
    def share(self) -> float:
        """How much of all is done, by steps or by time."""
        model = getattr(self, "model", None)
        steps = 0 if model is None else model.num_timesteps
        return min(max(steps / self.config.steps, self.elapsed / self.seconds), 1.0)

    def keep(self) -> None:
        """Writes all three files."""
        self.claim.check()
        note = {
            "recipe": self.config.to_dict(),
            "seed": self.seed,
            "steps": self.model.num_timesteps,
            "seconds": round(self.elapsed, 1),
            "cpu_seconds": round(self.cpu_elapsed, 1),
            "curve": self.curve,
        }
        self.board.save()
        save_checkpoint(self.model, self.out / CHECKPOINT, note)
        save_policy(self.model, self.out / MODEL)
        with written_whole(self.out / CURVE) as part:
            part.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        self.kept = time.monotonic()

    def _on_step(self) -> bool:
        self.endings += [info["episode"] for info in self.locals["infos"] if info]
        return self.elapsed < self.seconds

    def _on_rollout_end(self) -> None:
        self.model.ent_coef = self.config.entropy * (1.0 - 0.9 * self.share)
        before = self.curve[-1]["steps"] if self.curve else 0
        if self.endings and self.num_timesteps - before >= self.config.steps / _ROWS:
            row = self._row()
            self.curve.append(row)
            self.board.note("train", row["steps"], {k: v for k, v in row.items() if k != "steps"})
            self.endings = []
        if time.monotonic() - self.kept > PERIOD:
            self.keep()
        if self.watch is not None:
            said = f", {self.curve[-1]['kills']:.1f} kills" if self.curve else ""
            self.watch(f"{self.num_timesteps:,} decisions{said}", self.share)

    def _row(self) -> dict[str, Any]:
        """The episodes that ended since the last row, in figures."""
        ticks = self.env.get_attr("settings", 0)[0].frame_skip
        lengths = [one["l"] for one in self.endings]
        return {
            "steps": self.num_timesteps,
            "seconds": round(self.elapsed, 1),
            "cpu_seconds": round(self.cpu_elapsed, 1),
            "episodes": len(self.endings),
            "kills": round(float(np.mean([one["kills"] for one in self.endings])), 3),
            "survival_seconds": round(float(np.mean(lengths)) * ticks / TICKS_PER_SECOND, 3),
            "reward": round(float(np.mean([one["r"] for one in self.endings])), 4),
        }

    def _rate(self, _: float) -> float:
        return self.config.learning_rate * max(1.0 - self.share, 0.05)

    def _checked_note(self) -> dict[str, Any] | None:
        note = read_note(self.out / CHECKPOINT)
        if note is None:
            return None
        try:
            kept = {"config": PPOConfig.from_dict(note["recipe"]), "seed": note["seed"]}
        except (KeyError, TypeError, ValueError):
            raise TrainingStateError(f"{self.out / CHECKPOINT} is no training under way.") from None
        if not _is_account(note):
            raise TrainingStateError(f"{self.out / CHECKPOINT} is no training under way.")
        for name, value in kept.items():
            if getattr(self, name) != value:
                raise TrainingStateError(
                    f"{self.out} holds a training with another {name}: "
                    "give this one a folder of its own."
                )
        return note


def _is_account(note: dict[str, Any]) -> bool:
    """Whether a note says how far a training has come."""
    curve = note.get("curve")
    times = is_number(note.get("seconds")) and is_number(note.get("cpu_seconds"))
    rows = isinstance(curve, list) and all(isinstance(row, dict) for row in curve)
    if not times or not rows or not is_whole(note.get("steps")):
        return False
    return all(is_whole(row.get("steps")) and is_number(row.get("kills")) for row in curve or ())


def _env(config: PPOConfig, num_threads: int | None) -> VecEnv:
    env: VecEnv = make_vec_env(
        config.num_envs,
        preprocessing=config.preprocessing,
        action_noise=config.action_noise,
        max_episode_steps=config.max_episode_steps,
        info_keywords=("kills",),
        num_threads=num_threads,
        **config.settings,
    )
    return VecFrameStack(env, config.frame_stack) if config.frame_stack > 1 else env


def _ppo(config: PPOConfig, env: VecEnv, seed: int, *, rate: Callable[[float], float]) -> PPO:
    network: dict[str, object] = {
        "net_arch": list(config.net_arch),
        "activation_fn": ACTIVATIONS[config.activation],
    }
    if config.features_extractor is not None:
        network["features_extractor_class"] = EXTRACTORS[config.features_extractor]
    return PPO(
        config.policy,
        env,
        learning_rate=rate,
        n_steps=config.n_steps,
        batch_size=config.batch_size,
        n_epochs=config.n_epochs,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        clip_range=config.clip_range,
        ent_coef=config.entropy,
        policy_kwargs=network,
        seed=seed,
        device="cpu",
    )
