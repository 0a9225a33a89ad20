"""`PackedModel`: a model as plain arrays, which processes of one machine can share uncopied."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nitrogen_adapter import checkpoint
from nitrogen_adapter.config import NitroGenConfig
from nitrogen_adapter.model import NitroGen


@dataclass(frozen=True)
class PackedTensor:
    """A tensor's bytes, and what they mean."""

    data: NDArray[np.uint8]
    shape: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: Tensor) -> Self:
        """Pack a tensor; one on the CPU is not copied."""
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        return cls(flat.view(torch.uint8).numpy(), tuple(tensor.shape), tensor.dtype)

    def unpacked(self) -> Tensor:
        """The tensor, over the same bytes."""
        with warnings.catch_warnings(action="ignore"):  # nobody writes to what is only read
            flat = torch.from_numpy(self.data)
        return flat.view(self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class PackedModel:
    """A model's weights and configuration.

    Attributes:
        weights: by name.
        config: as checkpoints have it.
    """

    weights: Mapping[str, PackedTensor]
    config: Mapping[str, Any]

    @classmethod
    def of(cls, model: NitroGen) -> Self:
        """Pack a model."""
        weights = {name: PackedTensor.of(one) for name, one in model.state_dict().items()}
        return cls(weights, model.config.to_dict())

    def unpacked(self) -> NitroGen:
        """Make the model, to sample and not to train: its weights may be shared and read only."""
        with torch.device("meta"):
            model = NitroGen(NitroGenConfig.from_dict(self.config))
        weights = {name: one.unpacked() for name, one in self.weights.items()}
        return checkpoint.fill(model, weights).requires_grad_(False).eval()
