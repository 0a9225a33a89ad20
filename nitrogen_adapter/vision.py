"""The vision towers: each turns a frame into a square grid of visual tokens.

NitroGen's own tower is SigLIP. The convolutional and the patch tower are our own, small enough to
learn on a processor in minutes; the patch tower is the faster one.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from numpy.typing import NDArray
from torch import Tensor, nn

from nitrogen_adapter.config import ConvConfig, PatchConfig, SiglipConfig, VisionConfig

_LAST = torch.channels_last  # the channels last in memory: what convolutions here like best


def build_tower(config: VisionConfig) -> nn.Module:
    """Return the tower that a configuration describes, with fresh weights."""
    if isinstance(config, SiglipConfig):
        return _siglip(config)
    return PatchTower(config) if isinstance(config, PatchConfig) else ConvTower(config)


def encode_image(tower: nn.Module, pixel_values: Tensor) -> Tensor:
    """Return a tower's visual tokens: (n, 3, S, S) in [-1, 1] to (n, tokens, hidden)."""
    seen = tower(pixel_values)
    own = isinstance(tower, ConvTower | PatchTower)
    tokens: Tensor = seen if own else seen.last_hidden_state
    return tokens


def recompute_tower(tower: nn.Module, *, wanted: bool) -> None:
    """Say whether a SigLIP tower's layers are computed again in the backward pass.

    The convolutional tower is too small to need it.
    """
    # transformers renamed it; in version 4 the inner tower is no model and has neither.
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
    # In place: a batch of frames is large, and fresh memory for every step of it is slow.
    return tensor.float().div_(127.5).sub_(1.0).movedim(-1, -3)


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
        cells = self.layers(pixel_values.contiguous(memory_format=_LAST))
        tokens = self.to_tokens(cells.flatten(2).transpose(1, 2))
        result: Tensor = self.norm(self.token_norm(tokens) + self.position_embedding)
        return result


class Glance(NamedTuple):
    """The patches of n frames, before anything is made of them.

    Attributes:
        cells: (n, channels, grid, grid) the patches of the frames.
        near: (n, channels, side, side) patches about the player; None without a fovea.
        place: (n, 2) where the player is, as shares of the frame; None without a fovea.
    """

    cells: Tensor
    near: Tensor | None = None
    place: Tensor | None = None


class TowerView(NamedTuple):
    """What a tower sees of n frames.

    Attributes:
        tokens: (n, tokens, hidden) what it gives out.
        cells: (n, channels, grid, grid) the patches of a patch tower.
        near: (n, channels, side, side) its patches about the player; None without a fovea.
    """

    tokens: Tensor
    cells: Tensor | None = None
    near: Tensor | None = None


class PatchTower(nn.Module):
    """Patches as cells of a grid, convolutions over them, and layers that see all cells at once.

    Where things stand relative to each other is what a player acts on. Layers over the flattened
    grid read that off at once, where attention between many tokens needs far longer to learn it;
    and a few wide products are what a processor is fast at.

    With a fovea it finds the player and looks closely at what is about them, as a spatial
    transformer does (Jaderberg et al. 2015, arXiv 1506.02025): what it learns of a shot beside the
    player then holds wherever the player stands.
    """

    def __init__(self, config: PatchConfig) -> None:
        """Build the tower with fresh weights."""
        super().__init__()
        width, wide = config.channels, config.mlp_width
        self.patches = _patches(width, config.patch_size, config.convolutions)
        self.thin_out = nn.Conv2d(width, width, 3, stride=2, padding=1)
        cells = ((config.grid + 1) // 2) ** 2
        inputs = width * cells
        self.fovea = Fovea(config) if config.fovea else None
        if self.fovea is not None:
            inputs += width * self.fovea.cells
        self.thin_out_recentred: nn.Module | None = None
        if config.recentred:
            self.thin_out_recentred = nn.Conv2d(width, config.recentred, 3, stride=2, padding=1)
            inputs += config.recentred * cells
        self.mlp = nn.Sequential(
            nn.Linear(inputs, wide), nn.ReLU(), nn.Linear(wide, wide), nn.ReLU()
        )
        self.to_tokens = nn.Linear(wide, config.num_tokens * config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size)

    def look(self, pixel_values: Tensor, *, recentred_gradient: bool = True) -> TowerView:
        """Look at (n, 3, S, S) pixels.

        Args:
            pixel_values: the frames.
            recentred_gradient: whether patches also learn from the frame moved so that the player
                is in its middle.
        """
        glance = self.glance(pixel_values)
        summary = self._summary_of(pixel_values, glance, recentred_gradient=recentred_gradient)
        return TowerView(self._tokens(summary), glance.cells, glance.near)

    def summary(self, pixel_values: Tensor) -> Tensor:
        """Return (n, features) what is told of each of (n, 3, S, S) frames by itself."""
        return self._summary_of(pixel_values, self.glance(pixel_values))

    def glance(self, pixel_values: Tensor) -> Glance:
        """Turn (n, 3, S, S) pixels into patches, and no further."""
        cells = self._cells(pixel_values)
        if self.fovea is None:
            return Glance(cells)
        place = self.fovea.place(cells)
        return Glance(cells, self.fovea.look(pixel_values, place), place)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Turn (n, 3, S, S) pixels into (n, tokens, hidden) tokens."""
        return self._tokens(self.summary(pixel_values))

    def _summary_of(
        self, pixel_values: Tensor, glance: Glance, *, recentred_gradient: bool = True
    ) -> Tensor:
        cells, near, place = glance
        views = [torch.relu(self.thin_out(cells)).flatten(1)]
        if self.fovea is not None and near is not None:
            views.append(self.fovea.summary(near))
        if self.thin_out_recentred is not None and place is not None:
            frame = window(pixel_values.float(), place, pixel_values.shape[-1])
            with torch.set_grad_enabled(torch.is_grad_enabled() and recentred_gradient):
                moved = self._cells(frame)
            views.append(torch.relu(self.thin_out_recentred(moved)).flatten(1))
        return torch.cat(views, dim=1)

    def _tokens(self, summary: Tensor) -> Tensor:
        tokens = self.to_tokens(self.mlp(summary)).unflatten(1, (-1, *self.norm.normalized_shape))
        result: Tensor = self.norm(tokens)
        return result

    def _cells(self, pixel_values: Tensor) -> Tensor:
        """Turn (n, 3, S, S) pixels into (n, channels, grid, grid) cells."""
        result: Tensor = self.patches(pixel_values.contiguous(memory_format=_LAST))
        return result


class Fovea(nn.Module):
    """Finds the player, and sees a window about them patch by patch."""

    def __init__(self, config: PatchConfig) -> None:
        """Build the layers."""
        super().__init__()
        width = config.channels
        self.size, self.grid = config.fovea, config.grid
        self.locator = nn.Conv2d(width, 3, 1)  # a cell's score, and the place in it
        self.patches = _patches(width, config.fovea_patch, config.fovea_convolutions)
        self.thin_out = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.cells = (config.fovea // config.fovea_patch // 2) ** 2

    def scores(self, cells: Tensor) -> Tensor:
        """Return (n, grid * grid) scores of where the player is in (n, C, grid, grid) cells."""
        result: Tensor = self.locator(cells)[:, 0].flatten(1).float()
        return result

    def place(self, cells: Tensor) -> Tensor:
        """Return (n, 2) where the player is, column and row as shares of the frame."""
        seen = self.locator(cells).float()
        shares = seen[:, 0].flatten(1).softmax(dim=1)[:, None]
        places = _middles(self.grid, seen.device) + torch.tanh(seen[:, 1:]).flatten(2) / self.grid
        place: Tensor = (shares * places).sum(dim=2)
        return place

    def look(self, pixel_values: Tensor, place: Tensor) -> Tensor:
        """Return (n, channels, side, side) patches of (n, 3, S, S) pixels about (n, 2) places."""
        near = window(pixel_values.float(), place, self.size)
        result: Tensor = self.patches(near.contiguous(memory_format=_LAST))
        return result

    def summary(self, near: Tensor) -> Tensor:
        """Return (n, features) what is told from what `look` returned."""
        return torch.relu(self.thin_out(near)).flatten(1)


def window(pixels: Tensor, place: Tensor, size: int) -> Tensor:
    """Return (n, 3, size, size) what lies about (n, 2) places in (n, 3, S, S) pixels.

    Beyond the frame's edge all is 0. No gradient flows back to the places: what finds the player
    is told where they are (see `place_loss`).
    """
    side = torch.arange(size, device=pixels.device) + 0.5 - size / 2.0
    offsets = 2.0 * side / pixels.shape[-1]
    rows, columns = torch.meshgrid(offsets, offsets, indexing="ij")
    grid = (2.0 * place.detach() - 1.0)[:, None, None] + torch.stack([columns, rows], dim=-1)
    return F.grid_sample(pixels, grid, padding_mode="zeros", align_corners=False)


def _patches(width: int, patch_size: int, convolutions: int) -> nn.Sequential:
    """Patches as cells, and convolutions over them."""
    layers = [nn.Conv2d(3, width, patch_size, patch_size), ChannelNorm(width)]
    for _ in range(convolutions):
        layers += [nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), ChannelNorm(width)]
    return nn.Sequential(*layers, nn.ReLU())


def _middles(grid: int, device: torch.device) -> Tensor:
    """(2, grid * grid) columns and rows of the cells' middles, as shares of the frame."""
    middle = (torch.arange(grid, device=device) + 0.5) / grid
    rows, columns = torch.meshgrid(middle, middle, indexing="ij")
    return torch.stack([columns.flatten(), rows.flatten()])


class ChannelNorm(nn.Module):
    """A layer norm over the channels of every cell."""

    def __init__(self, channels: int) -> None:
        """Build the norm."""
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, cells: Tensor) -> Tensor:
        """Norm (n, C, H, W) cells."""
        result: Tensor = self.norm(cells.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return result


def _places(grid: int, width: int) -> Tensor:
    """Return (grid * grid, width) waves over the columns and rows of a grid, row by row."""
    middle = (torch.arange(grid) + 0.5) / grid * 2.0 - 1.0
    rows, columns = torch.meshgrid(middle, middle, indexing="ij")
    # From half a wave to sixteen over the frame's width, evenly in octaves.
    pace = (math.pi / 2.0) * torch.exp(torch.linspace(-math.log(2.0), math.log(16.0), width // 4))
    across, down = (side.flatten()[:, None] * pace for side in (columns, rows))
    return torch.cat([across.sin(), across.cos(), down.sin(), down.cos()], dim=-1)
