"""A PPO under way in one safetensors file: weights, Adam's memory and a JSON note; no pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from torch import Tensor

from arena_breaker_gym.files import written_whole
from arena_breaker_gym.sb3.policy_file import put_weights, weights_of

_NOTE = "note"


class CheckpointError(ValueError):
    """A file that holds no training under way, or another one."""


def save_checkpoint(model: OnPolicyAlgorithm, path: Path, note: dict[str, Any]) -> None:
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
        save_file(kept, part, metadata={_NOTE: json.dumps(note)})


def read_note(path: Path) -> dict[str, Any] | None:
    """The note of a checkpoint; None if there is no file.

    Raises:
        CheckpointError: If it is damaged or something else.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            note = json.loads(file.metadata()[_NOTE])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged, or no training under way.") from error
    if not isinstance(note, dict):
        raise CheckpointError(f"{path} is no training under way.")
    return note


def restore_checkpoint(model: OnPolicyAlgorithm, path: Path) -> None:
    """Puts weights, Adam's memory and torch's generator back.

    Raises:
        CheckpointError: If the file does not fit the model.
    """
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    policy = {k.removeprefix("policy."): v for k, v in tensors.items() if k.startswith("policy.")}
    try:
        put_weights(model.policy, policy)
        optimizer = model.policy.optimizer
        optimizer.load_state_dict({**optimizer.state_dict(), "state": _memories(tensors)})
        torch.set_rng_state(tensors["random"])
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} does not fit this training.") from error


def _memories(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Adam's memory of each parameter."""
    memories: dict[int, dict[str, Tensor]] = {}
    for name, one in tensors.items():
        if name.startswith("adam."):
            _, number, part = name.split(".")
            memories.setdefault(int(number), {})[part] = one
    return memories
