"""`Lesson`: how wrong a model is about some examples, as a loss that it learns from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nitrogen_adapter import gamepad
from nitrogen_adapter.data.examples import Batch
from nitrogen_adapter.data.sight import SightHead, Sights
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.training.chance import Chance
from nitrogen_adapter.training.recipe import Recipe
from nitrogen_adapter.vision import normalise


class Lesson:
    """A model, what is trained along with it and thrown away, and what counts how much."""

    def __init__(self, model: NitroGen, recipe: Recipe) -> None:
        """Prepare; the model's parameters that require no gradient are left alone.

        Args:
            model: what learns.
            recipe: how.
        """
        self.model = model
        self.recipe = recipe
        self.device = next(model.parameters()).device
        self.weights = row_weights(model, recipe)
        self.head = self._sight_head() if recipe.sight_weight else None

    def learning(self) -> dict[str, torch.nn.Parameter]:
        """Return by name the parameters that learn."""
        found = self.model.learning()
        if self.head is not None:
            found |= {f"sight.{name}": p for name, p in self.head.named_parameters()}
        return found

    def loss(self, batch: Batch, chance: Chance) -> Tensor:
        """Return a scalar: the mean over some examples.

        Args:
            batch: n examples: frames, the tower's tokens (n, F, tokens, C) or features (n, T, C).
            chance: what was drawn for them.

        Raises:
            ValueError: if sights count and the examples come without.
        """
        if chance.plain is not None:
            batch = self._mirrored(batch, chance.plain)
        features = self.features(batch.inputs, chance.changes)
        loss = self.action_loss(features, batch.actions, chance)
        if self.head is not None and batch.inputs.dtype == np.uint8:
            loss = loss + self.recipe.sight_weight * self._sight_loss(self.head, features, batch)
        return loss

    def features(self, inputs: NDArray[Any], changes: Tensor | None = None) -> Tensor:
        """Return what the actions get to see, (n, T, C).

        Args:
            inputs: of n examples, as in a batch.
            changes: (n, 8) how frames are augmented, or None.
        """
        if inputs.dtype != np.uint8:
            seen = torch.from_numpy(inputs).to(self.device, torch.float32)
            return seen if seen.ndim == 3 else self._attended(seen)
        # Bytes travel to the device, where they become numbers four times as long.
        frames = normalise(torch.from_numpy(inputs).to(self.device))
        pixels = frames[:, None] if inputs.ndim == 4 else frames
        if changes is not None:
            pixels = self.recipe.augment.apply(pixels, changes)
        # Of what is frozen nothing is kept for a backward pass.
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.recipe.tower_is_frozen):
            tokens = self.model.see(pixels)
        return self._attended(tokens)

    def action_loss(self, features: Tensor, actions: NDArray[np.float32], chance: Chance) -> Tensor:
        """Return a scalar: how wrong the flow to (n, 18, 25) actions is, given (n, T, C)."""
        return self.model.loss(
            None,
            torch.from_numpy(actions).to(self.device),
            noise=chance.noise.flatten(0, 1),
            time=chance.time.flatten(),
            features=features,
            draws=chance.time.shape[1],
            weights=self.weights,
        )

    def _attended(self, tokens: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.recipe.sight_is_frozen):
            return self.model.attend(tokens, self.recipe.game)

    def _sight_loss(self, head: SightHead, features: Tensor, batch: Batch) -> Tensor:
        if batch.sights is None:
            raise ValueError("sight_weight is above 0, but the examples come without sights.")
        sights = Sights(*(part.to(self.device) for part in Sights.of(batch.sights)))
        # Tokens padded on the left, and those of earlier frames, stand for no part of this one.
        return head.loss(features[:, -(head.grid**2) :], sights)

    def _mirrored(self, batch: Batch, plain: Tensor) -> Batch:
        mirror = batch.mirrored(old_layout=self.model.config.old_layout)
        for number in torch.nonzero(plain).flatten().tolist():
            for own, other in zip(mirror, batch, strict=True):
                if own is not None and other is not None:
                    own[number] = other[number]
        return mirror

    def _sight_head(self) -> SightHead:
        config = self.model.config.vision
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            head = SightHead(config.hidden_size, self.recipe.sight_kinds, config.grid)
        return head.to(self.device)


def row_weights(model: NitroGen, recipe: Recipe) -> Tensor:
    """Return (25,) how much each number of a row counts, in the model's layout."""
    names = gamepad.layout(old_layout=model.config.old_layout).names
    weights = [recipe.weights.get(name, 1.0) for name in names]
    return torch.tensor(weights, device=next(model.parameters()).device)
