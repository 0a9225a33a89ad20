"""`Steady`: a model whose last bits do not depend on how many players there are.

A matrix product takes another way through the processor for another number of rows, and sums in
another order: the last bits of what a player gets would depend on the other players. So would those
of a GELU, whose last few numbers in each thread are computed by other code. Here all is computed in
blocks of a fixed size, the last one filled up with zeros: products in blocks of rows, what a tower
makes of pictures in blocks of pictures, the rest in blocks of players.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's own name for it

from nitrogen_adapter.model import EmbodimentLinear, KeysValues, NitroGen
from nitrogen_adapter.vision import PatchTower

STRIP = 48
"""Rows: a multiple of all heights of the strips that libraries cut rows into. A lower strip at the
end is computed by other code, so a block that several players share has none."""

MOST_ROWS = 288  # of a block: more would make a single player wait for the work of many

MOST_PLAYERS = 48  # of a block, where each has few rows

PICTURES = 8
"""In a block of a patch tower: with four, many players take a fifth longer; with sixteen, one
alone waits longer, and many gain next to nothing."""

MOST_THREADS = 8  # among which the rows of a block were seen to be cut at whole strips

_Make = Callable[[Tensor], Tensor]
_Contexts = list[list[KeysValues | None]]


class Steady:
    """What a model that runs on a CPU computes in blocks."""

    def __init__(self, model: NitroGen) -> None:
        """Finds the parts; the model changes only while `on` runs.

        Args:
            model: In evaluation mode.
        """
        players = _Players(model)
        self._steps: list[tuple[nn.Module, str, Callable[..., Tensor]]] = [
            (model, "attend", players.attend),
            (model, "denoise", players.denoise),
        ]
        whole: set[nn.Module] = set()  # parts of what is computed in blocks as a whole
        for module in model.modules():
            if type(module) is nn.Linear or type(module) is EmbodimentLinear:
                self._steps.append((module, "forward", _Product(module)))
            elif isinstance(module, PatchTower):
                whole.update(module.modules())
                self._steps.append((module, "summary", _Pictures(module.summary)))
            elif type(module) is nn.Conv2d and module not in whole:
                self._steps.append((module, "forward", _OneByOne(module.forward)))

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """While the block runs, the parts compute so."""
        try:
            # Past `Module.__setattr__`, which takes longer than a small layer.
            for module, name, step in self._steps:
                module.__dict__[name] = step
            with _even_threads():
                yield
        finally:
            for module, name, _ in self._steps:
                module.__dict__.pop(name, None)


@contextlib.contextmanager
def _even_threads() -> Iterator[None]:
    """As many threads as cut blocks evenly: 1, 2, 4 or 8."""
    threads = torch.get_num_threads()
    even = 1 << (min(threads, MOST_THREADS).bit_length() - 1)
    if even == threads:
        yield
        return
    torch.set_num_threads(even)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


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

    To convert weights for mixed precision takes longer than one player's product: they are kept
    until they change. So are weights that lie the other way round, once they are put right: with
    four threads the rows of such a product were seen to be cut elsewhere.
    """

    def __init__(self, layer: nn.Linear | EmbodimentLinear) -> None:
        self._layer = layer
        self._kept: Tensor | None = None
        self._kept_of: tuple[int, int, torch.dtype] | None = None

    def __call__(self, rows: Tensor) -> Tensor:
        """Maps (players, ..., in) to (players, ..., out)."""
        own = rows.shape[1:-1].numel()
        block = own * players_in_a_block(own)
        flat = rows.reshape(-1, rows.shape[-1])
        product = _in_blocks(self._of_block, flat, block)
        return product.view(*rows.shape[:-1], -1)

    def _of_block(self, rows: Tensor) -> Tensor:
        return F.linear(rows, *self._weights())

    def _weights(self) -> tuple[Tensor, Tensor | None]:
        """(out, in) in the precision of the product, and what is added to it."""
        weight, bias = _weights_of(self._layer)
        dtype = precision(weight)
        if dtype == weight.dtype and weight.is_contiguous():
            return weight, bias
        if weight.is_inference():  # whose changes are not counted
            return _laid_out(weight, dtype), bias
        state = (weight._version, weight.data_ptr(), dtype)
        if self._kept is None or self._kept_of != state:
            self._kept, self._kept_of = _laid_out(weight, dtype), state
        return self._kept, bias


def _laid_out(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Weights as a product takes them; those of mixed precision may lie either way."""
    return weight.contiguous() if dtype == weight.dtype else weight.to(dtype)


def precision(tensor: Tensor) -> torch.dtype:
    """Return what a product of a tensor is computed in."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


def _weights_of(layer: nn.Linear | EmbodimentLinear) -> tuple[Tensor, Tensor | None]:
    if isinstance(layer, EmbodimentLinear):
        return layer.W[0].T, layer.b[0]
    return layer.weight, layer.bias


class _Pictures:
    """What a patch tower makes of each picture by itself, in blocks of `PICTURES`."""

    def __init__(self, make: _Make) -> None:
        self._make = make

    def __call__(self, pictures: Tensor) -> Tensor:
        """Maps (n, 3, S, S) to (n, features)."""
        return _in_blocks(self._make, pictures, PICTURES)


class _OneByOne:
    """Another tower's convolution, of one picture at a time: several may be cut like rows."""

    def __init__(self, convolve: _Make) -> None:
        self._convolve = convolve

    def __call__(self, pictures: Tensor) -> Tensor:
        """Maps (n, in, rows, columns) to (n, out, rows, columns)."""
        return _in_blocks(self._of_one, pictures, 1)

    def _of_one(self, picture: Tensor) -> Tensor:
        # A copy has the strides of a picture that was cut out; one that came alone may have any,
        # and torch chooses its way by them.
        return self._convolve(picture.clone(memory_format=torch.channels_last))


class _Players:
    """What is made of each player by itself, once seen, in blocks of a fixed number of players."""

    def __init__(self, model: NitroGen) -> None:
        self._attend, self._denoise = model.attend, model.denoise

    def attend(self, tokens: Tensor, game: str | int | None = None) -> Tensor:
        """As the model's, in blocks."""
        together = players_in_a_block(tokens.shape[1:-1].numel())
        return _in_blocks(partial(self._attend, game=game), tokens, together)

    def denoise(
        self, rows: Tensor, contexts: _Contexts, steps: int, guidance: float = 1.0
    ) -> Tensor:
        """As the model's, in blocks."""
        together = players_in_a_block(rows.shape[1])
        parts = []
        for first in range(0, len(rows), together):
            seen = [[_cut_both(one, first, together) for one in context] for context in contexts]
            noise = _cut(rows, first, together)
            parts.append(self._denoise(noise, seen, steps, guidance))
        return torch.cat(parts)[: len(rows)]


def _in_blocks(make: _Make, given: Tensor, block: int) -> Tensor:
    """What is made of (n, ...), `block` of them at a time: (n, ...)."""
    if len(given) == block:
        return make(given)
    parts = [make(_cut(given, first, block)) for first in range(0, len(given), block)]
    return torch.cat(parts)[: len(given)]


def _cut_both(seen: KeysValues | None, first: int, count: int) -> KeysValues | None:
    return None if seen is None else (_cut(seen[0], first, count), _cut(seen[1], first, count))


def _cut(tensor: Tensor, first: int, count: int) -> Tensor:
    """(count, ...) of it, with zeros where it ends before."""
    part = tensor[first : first + count]
    missing = count - len(part)
    return F.pad(part, (0, 0) * (part.ndim - 1) + (0, missing)) if missing else part
