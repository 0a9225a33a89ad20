"""`Steady`: a model's layers, computed so that a row does not depend on how many rows there are.

A matrix product of few rows takes another way through the processor than one of many, and sums in
another order: the last bits of what a player gets would depend on who plays beside him. Small
products are therefore filled up with zeros to a size from which on all take the same way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

ROWS = 64  # fewer are filled up to this many

_Forward = Callable[[Tensor], Tensor]


class Steady:
    """The linear and convolutional layers of a model that runs on a CPU."""

    def __init__(self, model: nn.Module) -> None:
        """Finds the layers; the model stays as it is but for the time of `on`."""
        self._forwards: list[tuple[nn.Module, _Forward]] = []
        for module in model.modules():
            if type(module) is nn.Linear:
                self._forwards.append((module, partial(_filled, module)))
            elif type(module) is nn.Conv2d:
                self._forwards.append((module, partial(_paired, module)))

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


def _filled(layer: nn.Linear, rows: Tensor) -> Tensor:
    width = rows.shape[-1]
    count = rows.numel() // width
    if count >= ROWS:
        return nn.functional.linear(rows, layer.weight, layer.bias)
    full = rows.new_zeros((ROWS, width))
    full[:count] = rows.reshape(count, width)
    result = nn.functional.linear(full, layer.weight, layer.bias)
    return result[:count].reshape(*rows.shape[:-1], result.shape[-1])


def _paired(layer: nn.Conv2d, pictures: Tensor) -> Tensor:
    if pictures.shape[0] > 1:
        return layer._conv_forward(pictures, layer.weight, layer.bias)
    pair = torch.cat([pictures, pictures])
    return layer._conv_forward(pair, layer.weight, layer.bias)[:1]
