"""`NitroGenPolicy`: a student that sees pixels only and plays chunks of predicted actions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from arena_breaker_gym.rollout.agent import Observations
from nitrogen_adapter import checkpoint, gamepad
from nitrogen_adapter.gamepad import DEFAULT_GAMEPAD, GamepadSettings
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.vision import normalise

EXECUTE = 9  # of a chunk's 18 actions; our own default


class NitroGenPolicy:
    """Looks, predicts a chunk of 18 actions, plays the first `execute` of them, looks again.

    All arenas that need a new chunk share one forward pass. Noise is drawn for each arena from
    a generator of its own. Sums in a matrix product may be ordered differently for another
    batch size, so results for another `num_envs` agree to rounding, not to the bit.
    """

    needs = ("pixels",)

    def __init__(
        self,
        model: NitroGen,
        *,
        name: str = "nitrogen",
        execute: int = EXECUTE,
        steps: int | None = None,
        quiet: bool = False,
        buttons: GamepadSettings = DEFAULT_GAMEPAD,
    ) -> None:
        """Wraps a model.

        Args:
            model: What predicts.
            name: Stands in tables and episodes.
            execute: How many of a chunk's actions are played before the next look, 1 to 18.
            steps: Euler steps; None: the model's own number.
            quiet: Whether to denoise from zeros instead of drawn noise.
            buttons: How actions lie on the gamepad.

        Raises:
            ValueError: If `execute` is more than a chunk holds, or less than one.
        """
        horizon = model.config.action_horizon
        if not 1 <= execute <= horizon:
            raise ValueError(f"execute must be from 1 to {horizon}, got {execute}.")
        self.name = name
        self.model = model.eval()
        self.execute = execute
        self.steps = steps
        self.quiet = quiet
        self.buttons = buttons
        self._left: dict[int, list[NDArray[np.float32]]] = {}
        self._generators: dict[int, torch.Generator] = {}

    @classmethod
    def from_checkpoint(cls, path: str | Path) -> Self:
        """A policy from a checkpoint file; see `nitrogen_adapter.checkpoint`."""
        return cls(checkpoint.load(path), name=Path(path).stem)

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """Drops what is left of these arenas' chunks and seeds their noise."""
        for arena in arenas:
            self._left[arena] = []
            self._generators[arena] = torch.Generator()
            if seed is None:
                self._generators[arena].seed()
            else:
                self._generators[arena].manual_seed(seed)

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.float32]:
        """The next action of each arena's chunk, (n, 5)."""
        hungry = [row for row, arena in enumerate(arenas) if not self._left[arena]]
        if hungry:
            chunks = self._predict(observations.pixels[hungry], [arenas[row] for row in hungry])
            for row, chunk in zip(hungry, chunks, strict=True):
                self._left[arenas[row]] = list(chunk[: self.execute])
        return np.stack([self._left[arena].pop(0) for arena in arenas])

    def close(self) -> None:
        """Lets go of the chunks."""
        self._left.clear()
        self._generators.clear()

    def _predict(self, frames: NDArray[np.uint8], arenas: Sequence[int]) -> NDArray[np.float32]:
        """Chunks (n, 18, 5) for frames (n, size, size, 3)."""
        config = self.model.config
        device = next(self.model.parameters()).device
        shape = (config.action_horizon, config.action_dim)
        if self.quiet:
            noise = torch.zeros((len(arenas), *shape))
        else:
            drawn = [torch.randn(shape, generator=self._generators[arena]) for arena in arenas]
            noise = torch.stack(drawn)
        pixels = normalise(frames).to(device)[:, None]
        rows = self.model.sample(pixels, noise.to(device), self.steps)
        return gamepad.unpack(rows.float().cpu().numpy(), self.buttons)
