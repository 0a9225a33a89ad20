"""`Augmentation`: how frames are changed by chance while training, with tensors alone.

The kinds are NitroGen's published ones; how strong each is was not published, and the strengths
here are our own. Rotating a frame by a few degrees leaves its labels as they are, as published, so
that "right" means up to 5 degrees beside right. Mirroring, which also changes the sticks, is the
config's and not among these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor

DRAWN = 8
"""Numbers drawn for an example: brightness, contrast, saturation, hue, rotation, and the size of
the crop and its place across and down."""

# Brightness and the two axes of colour of the NTSC, whose plane a hue turns in.
_TO_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far each kind of change goes; all zeros change nothing.

    Attributes:
        brightness: colours are scaled by 1 ± this.
        contrast: their distance from the frame's mean brightness is scaled by 1 ± this.
        saturation: their distance from grey is scaled by 1 ± this.
        hue: colours are turned by ± this share of the whole circle, up to 0.5.
        rotation: frames are turned by ± this many degrees.
        crop: up to this share of a frame's side is cut off, and the rest enlarged; below 1.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    rotation: float = 0.0
    crop: float = 0.0

    def __post_init__(self) -> None:
        """Refuse strengths that cannot be meant.

        Raises:
            ValueError: if so, naming the strength.
        """
        bounds = {"hue": 0.5, "rotation": 180.0, "crop": 0.9}
        for name in ("brightness", "contrast", "saturation", "hue", "rotation", "crop"):
            value, most = getattr(self, name), bounds.get(name, 1.0)
            if not 0.0 <= value <= most:
                raise ValueError(f"{name} is {value}; expected 0 to {most:g}.")

    @classmethod
    def published(cls) -> Augmentation:
        """Return all kinds that NitroGen was trained with; the strengths are our own but one."""
        return cls(
            brightness=0.2,
            contrast=0.2,
            saturation=0.2,
            hue=0.05,
            rotation=5.0,  # published
            crop=0.1,
        )

    def __bool__(self) -> bool:
        """Whether anything is changed at all."""
        return self != Augmentation()

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw (count, 8) numbers in [-1, 1) that say how each example is changed."""
        uniform = torch.rand(count, DRAWN, generator=generator, device=generator.device)
        return 2.0 * uniform - 1.0

    def apply(self, pixels: Tensor, drawn: Tensor) -> Tensor:
        """Change frames; those of one example alike.

        Args:
            pixels: (n, F, 3, S, S) in [-1, 1].
            drawn: (n, 8) what `draw` returned for these examples.

        Returns:
            (n, F, 3, S, S) in [-1, 1].
        """
        if not self:
            return pixels
        # Three digits, as mixed precision would leave, are too few for colours.
        with torch.autocast(pixels.device.type, enabled=False):
            return self._changed(pixels, drawn.to(pixels))

    def _changed(self, pixels: Tensor, drawn: Tensor) -> Tensor:
        brightness, contrast, saturation, hue, rotation, size, left, top = drawn.T
        colours = (pixels + 1.0) / 2.0
        colours = colours * _over_frames(1.0 + self.brightness * brightness)
        turned = self._in_colour(colours, contrast, saturation, hue).clamp(0.0, 1.0)
        moved = self._in_place(turned, rotation, (size + 1.0) / 2.0, torch.stack([left, top]))
        return moved * 2.0 - 1.0

    def _in_colour(
        self, colours: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor
    ) -> Tensor:
        to_yiq = torch.tensor(_TO_YIQ).to(colours)
        yiq = torch.einsum("ij,nfjxy->nfixy", to_yiq, colours)
        light, colour = yiq[:, :, :1], yiq[:, :, 1:]
        mean = light.mean(dim=(-1, -2), keepdim=True)
        stretch = _over_frames(1.0 + self.contrast * contrast)
        light = mean + (light - mean) * stretch
        angle = _over_frames(2.0 * math.pi * self.hue * hue)
        first, second = colour[:, :, :1], colour[:, :, 1:]
        turned = [
            light,
            first * angle.cos() - second * angle.sin(),
            first * angle.sin() + second * angle.cos(),
        ]
        scale = stretch * _over_frames(1.0 + self.saturation * saturation)
        turned[1:] = [part * scale for part in turned[1:]]
        from_yiq = torch.linalg.inv(to_yiq)
        return torch.einsum("ij,nfjxy->nfixy", from_yiq, torch.cat(turned, dim=2))

    def _in_place(self, frames: Tensor, rotation: Tensor, size: Tensor, place: Tensor) -> Tensor:
        if not self.rotation and not self.crop:
            return frames
        count = frames.shape[1]
        angle = math.radians(self.rotation) * rotation
        kept = 1.0 - self.crop * size  # of a side
        move = (1.0 - kept) * place  # of half a side
        rows = torch.stack(
            [
                torch.stack([kept * angle.cos(), -kept * angle.sin(), move[0]], dim=-1),
                torch.stack([kept * angle.sin(), kept * angle.cos(), move[1]], dim=-1),
            ],
            dim=1,
        )
        flat = frames.flatten(0, 1)
        where = F.affine_grid(
            rows.repeat_interleave(count, 0), list(flat.shape), align_corners=False
        )
        seen = F.grid_sample(flat, where, padding_mode="border", align_corners=False)
        return seen.reshape(frames.shape)


def _over_frames(values: Tensor) -> Tensor:
    """Put (n,) values before frames (n, F, 3, S, S)."""
    return values[:, None, None, None, None]
