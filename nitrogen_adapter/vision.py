"""The vision towers: each turns a frame into a square grid of visual tokens.

A tower is what sees. NitroGen's own is SigLIP; the convolutional one is our own, small enough to
learn on a processor in minutes.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nitrogen_adapter.config import ConvConfig, SiglipConfig


def build_tower(config: SiglipConfig | ConvConfig) -> nn.Module:
    """Return the tower that a configuration describes, with fresh weights."""
    return ConvTower(config) if isinstance(config, ConvConfig) else _siglip(config)


def look(tower: nn.Module, pixel_values: Tensor) -> Tensor:
    """Return a tower's visual tokens: (n, 3, S, S) in [-1, 1] to (n, tokens, hidden)."""
    if isinstance(tower, ConvTower):
        return cast("Tensor", tower(pixel_values))
    return cast("Tensor", tower(pixel_values).last_hidden_state)


def recompute_tower(tower: nn.Module, *, wanted: bool) -> None:
    """Say whether a SigLIP tower's layers are computed anew in the backward pass.

    The convolutional tower is too small to need it.
    """
    # transformers names it anew; in version 4 the inner tower is no model and has neither.
    for name in ("activation_checkpointing", "gradient_checkpointing"):
        switch = getattr(tower, f"{name}_{'enable' if wanted else 'disable'}", None)
        if switch is not None:
            switch(*([{"use_reentrant": False}] if wanted else []))
            return


def restore_buffers(tower: nn.Module) -> None:
    """Fill in what a tower computes and keeps, if it was built without memory ("meta").

    SigLIP keeps the numbers of its patches' places outside the checkpoint.
    """
    for part in tower.modules():
        places = getattr(part, "position_ids", None)
        if isinstance(places, Tensor) and places.is_meta:
            part.register_buffer(
                "position_ids", torch.arange(places.shape[-1])[None], persistent=False
            )


def normalise(frames: NDArray[np.uint8] | Tensor) -> Tensor:
    """Turn frames as the arena draws them into what a model looks at.

    Args:
        frames: (..., S, S, 3) uint8 RGB.

    Returns:
        (..., 3, S, S) float32 in [-1, 1], as SigLIP normalises (mean 0.5, deviation 0.5). A view
        with the channels last in memory, which is what convolutions on a processor like best.
    """
    if isinstance(frames, Tensor):
        tensor = frames
    else:  # torch has no arrays that may not be written to
        tensor = torch.from_numpy(frames if frames.flags.writeable else frames.copy())
    return (tensor.float() / 127.5 - 1.0).movedim(-1, -3)


def _siglip(config: SiglipConfig) -> nn.Module:
    # Imported here because it takes seconds and only the large models need it.
    from transformers import SiglipVisionConfig, SiglipVisionModel

    tower = SiglipVisionModel(
        SiglipVisionConfig(
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            image_size=config.image_size,
            patch_size=config.patch_size,
            hidden_act=config.hidden_act,
            layer_norm_eps=config.layer_norm_eps,
            vision_use_head=config.vision_use_head,
        )
    )
    # transformers 4 wraps the tower whose parameters the checkpoint names, transformers 5 is it.
    return cast("nn.Module", getattr(tower, "vision_model", tower))


class ConvTower(nn.Module):
    """Patchifying stem, convolutions that halve the grid, and a token for every cell left.

    Every layer's features are normalised, so that a small thing on a plain floor stands out from
    the first step of training on, and every token starts out knowing where it lies in the frame.
    """

    def __init__(self, config: ConvConfig) -> None:
        """Build the tower with fresh weights."""
        super().__init__()
        first = config.channels[0]
        layers = [nn.Conv2d(3, first, config.patch_size, config.patch_size), ChannelNorm(first)]
        for before, after in pairwise(config.channels):
            halve = nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1)
            layers += [nn.GELU(), halve, ChannelNorm(after)]
        self.layers = nn.Sequential(*layers, nn.GELU())
        self.to_tokens = nn.Linear(config.channels[-1], config.hidden_size)
        self.token_norm = nn.LayerNorm(config.hidden_size, elementwise_affine=False)
        self.position_embedding = nn.Parameter(_places(config.grid, config.hidden_size))
        self.norm = nn.LayerNorm(config.hidden_size)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Turn (n, 3, S, S) pixels into (n, tokens, hidden) tokens, row by row."""
        cells = self.layers(pixel_values.contiguous(memory_format=torch.channels_last))
        tokens = self.to_tokens(cells.flatten(2).transpose(1, 2))
        return cast("Tensor", self.norm(self.token_norm(tokens) + self.position_embedding))


class ChannelNorm(nn.Module):
    """A layer norm over the channels of every cell."""

    def __init__(self, channels: int) -> None:
        """Build the norm."""
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, cells: Tensor) -> Tensor:
        """Norm (n, C, H, W) cells."""
        return cast("Tensor", self.norm(cells.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


def _places(grid: int, width: int) -> Tensor:
    """Return (grid * grid, width) waves over the columns and rows of a grid, row by row."""
    middle = (torch.arange(grid) + 0.5) / grid * 2.0 - 1.0
    rows, columns = torch.meshgrid(middle, middle, indexing="ij")
    # From half a wave to sixteen over the frame's width, evenly in octaves.
    pace = (math.pi / 2.0) * torch.exp(torch.linspace(-math.log(2.0), math.log(16.0), width // 4))
    across, down = (side.flatten()[:, None] * pace for side in (columns, rows))
    return torch.cat([across.sin(), across.cos(), down.sin(), down.cos()], dim=-1)
