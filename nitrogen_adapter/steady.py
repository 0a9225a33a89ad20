"""`Steady`: a model's products, whose last bits do not depend on how many players there are.

A matrix product takes another way through the processor for another number of rows, and sums in
another order: the last bits of what a player gets would depend on the other players. Here products
are computed in blocks of a fixed number of rows, the last one filled up with zeros. Convolutions
are computed as products of their windows.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's own name for it

from nitrogen_adapter.model import EmbodimentLinear

STRIP = 48
"""Rows: a multiple of all heights of the strips that libraries cut rows into. A lower strip at the
end is computed by other code, so a block that several players share has none."""

MOST_ROWS = 288  # of a block: more would make a single player wait for the work of many

MOST_PLAYERS = 48  # of a block, where each has few rows

_Forward = Callable[[Tensor], Tensor]
_Layer = nn.Linear | nn.Conv2d | EmbodimentLinear


class Steady:
    """The linear and convolutional layers of a model that runs on a CPU."""

    def __init__(self, model: nn.Module) -> None:
        """Finds the layers; the model changes only while `on` runs.

        Args:
            model: In evaluation mode.
        """
        self._forwards: list[tuple[nn.Module, _Forward]] = []
        for module in model.modules():
            if type(module) is nn.Linear or type(module) is EmbodimentLinear:
                self._forwards.append((module, _Product(module)))
            elif type(module) is nn.Conv2d:
                self._forwards.append((module, _Windows(module)))

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """While the block runs, the layers compute so."""
        try:
            # Past `Module.__setattr__`, which takes longer than a small layer.
            for module, forward in self._forwards:
                module.__dict__["forward"] = forward
            yield
        finally:
            for module, _ in self._forwards:
                module.__dict__.pop("forward", None)


def players_in_a_block(rows: int) -> int:
    """Return how many players share a block.

    Args:
        rows: That each of them has.
    """
    fewest = STRIP // math.gcd(rows, STRIP)
    if fewest * rows > MOST_ROWS:
        return 1
    return fewest * max(1, min(MOST_ROWS // (fewest * rows), MOST_PLAYERS // fewest))


class _Product:
    """Rows times a layer's weights.

    To convert weights for mixed precision, or to lay out a convolution's, takes longer than one
    player's product: they are kept until they change.
    """

    def __init__(self, layer: _Layer) -> None:
        self._layer = layer
        self._kept: Tensor | None = None
        self._kept_of: tuple[int, int, torch.dtype] | None = None

    def __call__(self, rows: Tensor) -> Tensor:
        """Maps (players, ..., in) to (players, ..., out)."""
        own = rows.shape[1:-1].numel()
        block = own * players_in_a_block(own)
        parts = torch.split(rows.reshape(-1, rows.shape[-1]), block)
        product = torch.cat([self.of_block(part, block) for part in parts])
        return product.view(*rows.shape[:-1], -1)

    def of_block(self, rows: Tensor, block: int) -> Tensor:
        """Maps (rows, in), at most as many as a block has, to (rows, out)."""
        weight, bias = self._weights()
        missing = block - len(rows)
        if not missing:
            return F.linear(rows, weight, bias)
        return F.linear(F.pad(rows, (0, 0, 0, missing)), weight, bias)[: len(rows)]

    def _weights(self) -> tuple[Tensor, Tensor | None]:
        """(out, in) in the precision of the product, and what is added to it."""
        weight, bias = _weights_of(self._layer)
        dtype = precision(weight)
        if dtype == weight.dtype and weight.ndim == 2:
            return weight, bias
        if weight.is_inference():  # whose changes are not counted
            return _flat(weight).to(dtype), bias
        state = (weight._version, weight.data_ptr(), dtype)
        if self._kept is None or self._kept_of != state:
            self._kept, self._kept_of = _flat(weight).to(dtype), state
        return self._kept, bias


def precision(tensor: Tensor) -> torch.dtype:
    """Return what a product of a tensor is computed in."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


def _weights_of(layer: _Layer) -> tuple[Tensor, Tensor | None]:
    if isinstance(layer, EmbodimentLinear):
        return layer.W[0].T, layer.b[0]
    return layer.weight, layer.bias


def _flat(weight: Tensor) -> Tensor:
    """A convolution's weights (out, in, rows, columns) as (out, values of a window)."""
    return weight.permute(0, 2, 3, 1).flatten(1) if weight.ndim == 4 else weight


class _Windows:
    """A convolution as products of all its windows."""

    def __init__(self, layer: nn.Conv2d) -> None:
        self._layer = layer
        self._product = _Product(layer)

    def __call__(self, pictures: Tensor) -> Tensor:
        """Maps (n, in, rows, columns) to (n, out, rows, columns)."""
        rows, columns = (self._outputs(side, pictures.shape[2 + side]) for side in (0, 1))
        together = players_in_a_block(rows * columns)
        parts = [self._cut(part) for part in torch.split(pictures, together)]
        seen = [self._product.of_block(part, together * rows * columns) for part in parts]
        return torch.cat(seen).view(len(pictures), rows, columns, -1).permute(0, 3, 1, 2)

    def _outputs(self, side: int, size: int) -> int:
        layer = self._layer
        framed = size + 2 * _padding(layer)[side]
        return (framed - layer.kernel_size[side]) // layer.stride[side] + 1

    def _cut(self, pictures: Tensor) -> Tensor:
        """(windows of all pictures, values)."""
        (tall, wide), (down, across) = self._layer.kernel_size, self._layer.stride
        top, left = _padding(self._layer)
        small = pictures.to(precision(pictures))  # may be half as much to copy
        framed = F.pad(small.permute(0, 2, 3, 1), (0, 0, left, left, top, top))
        windows = framed.unfold(1, tall, down).unfold(2, wide, across)
        return windows.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(0, 2)


def _padding(layer: nn.Conv2d) -> tuple[int, int]:
    """Zeros at each end of columns and rows."""
    if isinstance(layer.padding, str):
        raise TypeError(f"padding is {layer.padding!r}; expected numbers.")
    top, left = layer.padding
    return top, left
