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

ROWS = 16  # fewer are filled up to this many: from here on all take the same way
HEAVY = 2**19  # weights of a layer; one with as many, and a row a player, takes one at a time

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
    if rows.ndim == 2 and layer.weight.numel() >= HEAVY:
        return _one_by_one(layer, rows)
    count = rows.shape[:-1].numel()
    if count >= ROWS:
        return nn.functional.linear(rows, layer.weight, layer.bias)
    full = nn.functional.pad(rows.flatten(0, -2), (0, 0, 0, ROWS - count))
    result = nn.functional.linear(full, layer.weight, layer.bias)[:count]
    return result if rows.ndim == 2 else result.reshape(*rows.shape[:-1], result.shape[-1])


def _one_by_one(layer: nn.Linear, rows: Tensor) -> Tensor:
    """A row at a time: to fetch the weights is what takes long, and filling up takes longer."""
    parts = [
        # A copy lies in memory as every other does, which sums may depend on, too.
        nn.functional.linear(row.clone(), layer.weight, layer.bias)
        for row in torch.split(rows, 1)
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _paired(layer: nn.Conv2d, pictures: Tensor) -> Tensor:
    pair = torch.cat([pictures, pictures]) if len(pictures) == 1 else pictures
    result: Tensor = layer._conv_forward(pair, layer.weight, layer.bias)
    return result[: len(pictures)]
