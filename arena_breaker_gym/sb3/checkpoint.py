"""A PPO under way in one safetensors file: weights, Adam's memory and a JSON note; no pickle."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from torch import Tensor

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym._runtime.stored import json_in
from arena_breaker_gym.sb3.policy_file import put_weights, weights_of

_NOTE, _DIGEST = "note", "tensors_sha256"


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
        text = json.dumps({**note, _DIGEST: _digest_of(kept)})
        try:
            save_file(kept, part, metadata={_NOTE: text})
        except SafetensorError as error:  # which hides what the system said
            raise OSError(f"{path} could not be written: {error}.") from error


def read_note(path: Path) -> dict[str, Any] | None:
    """The note of a checkpoint; None if there is no file.

    Raises:
        CheckpointError: If it is damaged or something else.
    """
    if not path.exists():
        return None
    return {name: value for name, value in _note_in(path).items() if name != _DIGEST}


def _note_in(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, "pt") as file:
            note = json_in(file.metadata()[_NOTE])
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
    note = _note_in(path)
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    if _DIGEST in note and note[_DIGEST] != _digest_of(tensors):
        raise CheckpointError(f"{path} is damaged: its numbers are not those that were written.")
    policy = {k.removeprefix("policy."): v for k, v in tensors.items() if k.startswith("policy.")}
    try:
        put_weights(model.policy, policy)
        optimizer = model.policy.optimizer
        optimizer.load_state_dict({**optimizer.state_dict(), "state": _memories(tensors)})
        torch.set_rng_state(tensors["random"])
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} does not fit this training.") from error


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
