"""Checkpoints in the public form: `{"model": parameters, "ckpt_config": sizes}`.

A file is never trusted: it is read with `weights_only=True`, so that none of its code runs.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from arena_breaker_gym.files import written_whole
from nitrogen_adapter.config import ConfigError, NitroGenConfig
from nitrogen_adapter.model import NitroGen


class CheckpointError(ValueError):
    """A file that is no NitroGen checkpoint, or a damaged one."""


def load(path: str | Path, *, device: str = "cpu") -> NitroGen:
    """Read a model from a checkpoint.

    Args:
        path: the file.
        device: where the weights go.

    Returns:
        The model, ready to sample (in evaluation mode), float32 whatever the file holds.

    Raises:
        CheckpointError: if there is no such file, or it is truncated or not a NitroGen checkpoint.
    """
    content = read(path, expected=("model", "ckpt_config"))
    try:
        config = NitroGenConfig.from_dict(content["ckpt_config"])
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    with torch.random.fork_rng(devices=[]):  # the fresh weights are overwritten at once
        model = NitroGen(config)
    _check_parameters(path, given=content["model"], expected=model.state_dict())
    model.load_state_dict(content["model"])
    return model.to(device).eval()


def save(path: str | Path, model: NitroGen) -> None:
    """Write a model as a checkpoint, whole or not at all.

    Args:
        path: the file; one that exists is replaced.
        model: what to write; unknown entries of the configuration it was read with are kept.
    """
    write(path, {"model": model.state_dict(), "ckpt_config": model.config.to_dict()})


def read(path: str | Path, *, expected: tuple[str, ...]) -> dict[str, Any]:
    """Read a dict of tensors and plain values that torch saved, running none of the file's code.

    Args:
        path: the file.
        expected: keys that must be there, each with a dict.

    Raises:
        CheckpointError: if there is no such file, it cannot be read, or a key is missing.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # torch guesses at what a foreign file is
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no checkpoint at {path}.") from error
    except (RuntimeError, OSError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} is truncated or not a checkpoint of tensors.") from error
    for key in expected:
        if not isinstance(content, dict) or not isinstance(content.get(key), Mapping):
            raise CheckpointError(f"{path} is no NitroGen checkpoint: it has no '{key}'.")
    return content


def write(path: str | Path, content: Mapping[str, Any]) -> None:
    """Save a dict under a temporary name and rename it, so that no half file is ever found."""
    with written_whole(Path(path)) as part:
        torch.save(dict(content), part)


def _check_parameters(
    path: str | Path, *, given: Mapping[str, Any], expected: Mapping[str, Tensor]
) -> None:
    faults = [f"'{name}' is missing" for name in expected if name not in given]
    faults += [f"'{name}' is not part of the model" for name in given if name not in expected]
    for name in [name for name in expected if name in given]:
        shape = tuple(getattr(given[name], "shape", ()))
        if shape != tuple(expected[name].shape):
            faults.append(f"'{name}' is {shape} instead of {tuple(expected[name].shape)}")
    if faults:
        more = f", and {len(faults) - 1} more faults" if len(faults) > 1 else ""
        raise CheckpointError(f"{path} does not fit its own configuration: {faults[0]}{more}.")
